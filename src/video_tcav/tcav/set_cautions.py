"""Cautions on clip sets: copies, clips and groups that several sets share, and people or videos that file names give away."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from video_tcav.core.limits import shortened
from video_tcav.core.patterns import PathPattern
from video_tcav.gram.thresholds import MIN_GROUPS
from video_tcav.media import VideoSource
from video_tcav.media.grouping import listed_groups
from video_tcav.tcav.plan import Plan

_MOST_NAMES = 3
"""In one line."""
Sets = Mapping[str, Sequence[VideoSource]]

_MARKERS = (
    r"((?:person|subject|actor|player|patient|speaker|user)[-_ ]?\d+)[^/]*$",
    r"([^/]+_g\d+)_c\d+[^/]*$",  # UCF101: clips of one video, v_Basketball_g08_c01
    r"([^/]+)_\d{6}_\d{6}[^/]*$",  # Kinetics: seconds of one video, ID_000010_000020
    r"S\d{3}C\d{3}(P\d{3})R\d{3}A\d{3}[^/]*$",  # NTU RGB+D: setup, camera, person, repetition, action
)
"""Patterns of names that say for themselves which person or video a clip is of."""
_FIRST_PARTS = (r"([^/_]+)_[^/]*$", r"([^/-]+)-[^/]*$", r"([^/ ]+) [^/]*$")
"""Patterns of the first part of a file's name, as in daria_wave1.avi: it may be a person, or a running number."""


def set_cautions(plan: Plan, *, at: str, group: str) -> tuple[str, ...]:
    """Everything about the sets of a plan that a reader must know.

    Args:
        plan: with its sets.
        at: where gradients are taken: `class` or `random`.
        group: what the user named as independent.
    """
    shared = (_shared_clips(plan), _class_groups(plan), _shared_names(plan, at, group))
    texts = (_copies(plan), *shared, listed_groups((*plan.compared(), *plan.class_sources), plan.group_of, group))
    return tuple(line for lines in texts for line in lines)


def _sets(plan: Plan) -> dict[str, Sequence[VideoSource]]:
    concepts: dict[str, Sequence[VideoSource]] = {
        f"concept {concept.name}": concept.sources for concept in plan.concepts
    }
    return {"class": plan.class_sources, "random": plan.random} | concepts


def _copies(plan: Plan) -> list[str]:
    """A line for each set that holds the same content under several names, in groups of their own."""
    lines = []
    for name, sources in _sets(plan).items():
        with_digest = [source for source in sources if source.key in plan.digests]
        groups = {(plan.digests[source.key], plan.group_of(source)) for source in with_digest}
        extra = len(groups) - len({digest for digest, _ in groups})
        if extra:
            lines.append(
                f"{name}: {extra} of {len(sources)} videos are copies of others, and count as independent of them. "
                "Delete the copies, or give them one group with --group."
            )
    return lines


def _shared_clips(plan: Plan) -> list[str]:
    """A line where class clips also stand among concept or random clips."""
    shared = len(plan.class_sources) - len(_class_clips_alone(plan))
    if not shared:
        return []
    return [
        f"{shared} of {len(plan.class_sources)} class videos are also concept or random clips: a clip then bears on its own "
        "gradient. Use other clips where there are any."
    ]


def _class_clips_alone(plan: Plan) -> list[VideoSource]:
    """Class clips that are not, by content, concept or random clips as well."""
    contents = {plan.digests.get(source.key) for source in plan.compared()} - {None}
    return [source for source in plan.class_sources if plan.digests.get(source.key) not in contents]


def _class_groups(plan: Plan) -> list[str]:
    """A line where other class clips are of one group with concept clips."""
    class_groups = {plan.group_of(source) for source in _class_clips_alone(plan)}
    shared = {
        concept.name: groups
        for concept in plan.concepts
        if (groups := class_groups & {plan.group_of(source) for source in concept.sources})
    }
    if not shared:
        return []
    groups = sorted(set().union(*shared.values()))
    names = shortened([Path(name).name for name in groups], _MOST_NAMES)
    return [
        f"class clips and clips of {shortened(list(shared), _MOST_NAMES)} share {len(groups)} of {len(class_groups)} groups "
        f"({names}): gradients then depend on the clips that they judge. Use class clips of other groups, or --at random."
    ]


def _shared_names(plan: Plan, at: str, group: str) -> list[str]:
    """A line where file names give away that clips in groups of their own are of one person or video.

    Groups that were named by a pattern, a manifest or an annotation file are the user's word, and believed.
    """
    if group != "video":
        return []
    sets: dict[str, Sequence[VideoSource]] = _sets(plan)
    if at == "random":  # random clips that are set aside are of the set that the user gave
        sets = {name: sources for name, sources in sets.items() if name != "class"}
        sets["random"] = [*plan.random, *plan.class_sources]
    files = {
        name: list(dict.fromkeys(source.path.as_posix() for source in sources if source.group is None))
        for name, sources in sets.items()
    }
    for patterns, gives_away in ((_MARKERS, _several_files_of_one), (_FIRST_PARTS, _in_several_sets)):
        for pattern in patterns:
            names = {name: _names_in(pattern, paths) for name, paths in files.items()}
            shared = gives_away(names)
            if shared:
                return [_shared_names_line(pattern, names, shared)]
    return []


Names = Mapping[str, Mapping[str, str | None]]
"""For each set, what a pattern finds in each path."""


def _names_in(pattern: str, paths: Sequence[str]) -> dict[str, str | None]:
    compiled = PathPattern(pattern)  # as `--group` would read it
    return {path: compiled.name_in(path) for path in paths}


def _files_by_name(names: Names) -> dict[str, dict[str, list[str]]]:
    """The files of each name, by set."""
    files: dict[str, dict[str, list[str]]] = {}
    for set_name, name_of in names.items():
        for path, name in name_of.items():
            if name is not None:
                files.setdefault(name, {}).setdefault(set_name, []).append(path)
    return files


def _several_files_of_one(names: Names) -> list[str]:
    """Names of which there are several files, whether in one set or in several; none where most files have no such name."""
    every = [name for name_of in names.values() for name in name_of.values()]
    if sum(name is None for name in every) > len(every) / 2:
        return []
    return [
        name for name, sets in _files_by_name(names).items() if len({f for part in sets.values() for f in part}) > 1
    ]


def _in_several_sets(names: Names) -> list[str]:
    """First parts that stand in several sets, where they can be people or videos.

    There must be enough of them to be groups of a comparison, which split names (train_, test_) or names of what is shown
    (left_, right_) are not; they must be half of a set; and numbers that come once a set only count its clips.
    """
    files = _files_by_name(names)
    shared = [name for name, sets in files.items() if len(sets) > 1]
    if len(shared) < MIN_GROUPS:
        return []
    if all(re.fullmatch(r"\D{0,5}\d+", name) for name in shared) and all(
        len(paths) == 1 for name in shared for paths in files[name].values()
    ):
        return []
    shares = [sum(name in shared for name in name_of.values()) / len(name_of) for name_of in names.values() if name_of]
    return shared if sorted(shares)[-2:][0] >= 0.5 else []


def _shared_names_line(pattern: str, names: Names, shared: Sequence[str]) -> str:
    files = _files_by_name(names)
    name = max(shared, key=lambda name: len(files[name]))
    examples = [(Path(paths[0]).name, set_name) for set_name, paths in files[name].items()]
    if len(examples) == 1:
        [(set_name, paths)] = files[name].items()
        examples = [(Path(path).name, set_name) for path in paths[:2]]
    shown = " and ".join(f"{file} in {set_name}" for file, set_name in examples[:2])
    everywhere = all(name is not None for name_of in names.values() for name in name_of.values())
    cure = f"--group '{pattern}'" if everywhere else "--group, or a column group in a manifest"
    return (
        f"file names: {shown} count as independent, as do clips of {len(shared)} such names. If these are people or videos, "
        f"p-values are too small: tell them apart with {cure}."
    )
