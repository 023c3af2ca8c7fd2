"""Grouping: which sources are of one exchangeability block, by video, by a manifest or list, or by a pattern on paths."""

from collections.abc import Callable, Iterable

from video_tcav.core.errors import InputError
from video_tcav.core.patterns import PathPattern
from video_tcav.media.files import VideoSource

GroupOf = Callable[[VideoSource], str]


def grouping(group: str) -> GroupOf:
    """The function that names a source's group.

    Args:
        group: `video` (the source video, or what a manifest's group column or a published list says), an identifier of a
            published list, such as `recording`, or a regular expression that is searched in the path; its first group, or the
            whole match, names the group.

    Raises:
        InputError: if the expression is invalid or too large; the function raises it for a path that does not match, or on which
            the search does not end soon.
    """
    if group == "video":
        # segments of one file are not independent, whatever their labels
        return lambda source: source.group or str(source.path)
    if group.isidentifier():
        # a word that no list uses as an identifier still is an expression that may stand in the path
        by_path = _by_pattern(group)
        return lambda source: dict(source.identifiers).get(group) or by_path(source)
    return _by_pattern(group)


def _by_pattern(group: str) -> GroupOf:
    """The function that searches an expression in a source's path."""
    pattern = PathPattern(group)
    names: dict[str, str] = {}  # a source is asked for its group in every comparison

    def name(source: VideoSource) -> str:
        path = str(source.path)
        if path not in names:
            group_name = pattern.name_in(path)
            if group_name is None:
                listed = ", ".join(name for name, _ in source.identifiers)
                cure = f"Change the pattern, or name one of {listed}." if listed else "Change the pattern."
                raise InputError(f"`group` must match every path. Got {group}, which is not in {path}. {cure}")
            names[path] = group_name
        return names[path]

    return name


def listed_groups(sources: Iterable[VideoSource], group_of: GroupOf, group: str) -> list[str]:
    """A line for each identifier of published lists that names groups, be it by default or by the user's `group`."""
    members: dict[str, dict[str, VideoSource]] = {}
    others: dict[str, set[str]] = {}
    for source in sources:
        names = [name for name, _ in source.identifiers]
        chosen = names[0] if names and group == "video" else group
        if chosen in names:
            members.setdefault(chosen, {})[source.key] = source
            others.setdefault(chosen, set()).update(name for name in names if name != chosen)
    lines = []
    for name, named in members.items():
        groups = len({group_of(source) for source in named.values()})
        choice = f"; --group {' or '.join(sorted(others[name]))} names others" if others[name] else ""
        says = "as their list says" if group == "video" else "as --group says"
        lines.append(f"groups: {len(named)} clips are of {groups} groups by {name}, {says}{choice}.")
    return lines
