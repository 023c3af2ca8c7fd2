"""Grouping: which sources are of one exchangeability block, by video, by a manifest or by a regular expression on paths."""

from collections.abc import Callable

from video_tcav.core.errors import InputError
from video_tcav.core.patterns import PathPattern
from video_tcav.media.files import VideoSource

GroupOf = Callable[[VideoSource], str]


def grouping(group: str) -> GroupOf:
    """The function that names a source's group.

    Args:
        group: `video` (the source video, or what a manifest's group column says), or a regular expression that is searched
            in the path; its first group, or the whole match, names the group.

    Raises:
        InputError: if the expression is invalid or too large; the function raises it for a path that does not match, or on which
            the search does not end soon.
    """
    if group == "video":
        # segments of one file are not independent, whatever their labels
        return lambda source: source.group or str(source.path)
    pattern = PathPattern(group)
    names: dict[str, str] = {}  # a source is asked for its group in every comparison

    def name(source: VideoSource) -> str:
        path = str(source.path)
        if path not in names:
            group_name = pattern.name_in(path)
            if group_name is None:
                raise InputError(
                    f"`group` must match every path. Got {group}, which is not in {path}. Change the pattern."
                )
            names[path] = group_name
        return names[path]

    return name
