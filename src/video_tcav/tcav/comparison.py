"""From recorded clips to comparisons: which rows stand for a concept, which for its matched negatives."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from video_tcav.concepts import Concept, Twin
from video_tcav.core.errors import InputError
from video_tcav.gram.design import Design, check_design, check_enough
from video_tcav.gram.gram import Gram
from video_tcav.media import VideoSource
from video_tcav.media.grouping import GroupOf
from video_tcav.recording.clip_id import ClipId, Version
from video_tcav.recording.recording import Recording
from video_tcav.tcav.cav_key import CavKey


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One concept against its negatives.

    Attributes:
        concept: name of the concept.
        versus: `random` or the other concept's name.
        negatives: how the negatives were matched, see `ConceptResult`.
        design: labels and groups of the clips.
        rows: for each version, the recorded rows of the clips, in the design's order.
        warnings: what a reader must know about its clips.
    """

    concept: str
    versus: str
    negatives: str
    design: Design
    rows: Mapping[Version, Int[np.ndarray, " row"]]
    warnings: tuple[str, ...]

    def key(self, layer: str, twin: str = "none") -> CavKey:
        """The key of what is measured at a layer."""
        return CavKey(concept=self.concept, versus=self.versus, twin=twin, layer=layer)

    def grams(self, grams: Mapping[str, Gram]) -> dict[str, Gram]:
        """K and C by layer of the comparison's own clips, not their twins, in the design's order."""
        return {layer: gram.of_rows(self.rows["none"]) for layer, gram in grams.items()}


def distinct_negatives(
    concept: Concept, random: Sequence[VideoSource], digests: Mapping[str, str]
) -> tuple[VideoSource, ...]:
    """The random sources that are not among the concept's, by content.

    Raises:
        InputError: if none is left.
    """
    concept_contents = {digests[source.key] for source in concept.sources if source.key in digests}
    negatives = tuple(source for source in random if digests.get(source.key) not in concept_contents)
    if not negatives:
        raise InputError(
            f"`random` must hold other clips than concept {concept.name}. Got the same {len(random)} clips. "
            "Give random clips that do not show the concept."
        )
    return negatives


def check_sizes(
    concept: Concept,
    negatives: Sequence[VideoSource],
    *,
    versus: str,
    windows: int,
    group_of: GroupOf,
) -> None:
    """Refuse, before any pass, a comparison that is too small even if all its files can be used.

    Raises:
        InputError: if there are too few clips or groups.
    """
    for name, sources in ((f"concept {concept.name}", concept.sources), (_negatives_name(versus), negatives)):
        groups = len({group_of(source) for source in sources})
        check_enough(name, len(sources) * windows, groups)


def _negatives_name(versus: str) -> str:
    return "random clips" if versus == "random" else f"concept {versus}"


def concept_moves(concept: Concept, windows: Mapping[str, int], stills: Collection[str]) -> bool:
    """Whether the concept's clips move (true) or are all stills (false).

    Args:
        concept: with its sources.
        windows: how many clips each source gave, by its key; one that could not be used is not there.
        stills: keys of sources that do not move.

    Raises:
        InputError: if there are some of each: a CAV would learn "does not move".
    """
    used = [source.key for source in concept.sources if source.key in windows]
    still = sum(key in stills for key in used)
    if 0 < still < len(used):
        raise InputError(
            f"`concept {concept.name}` must be all stills or all moving clips. Got {still} stills among {len(used)} clips. "
            "Make two concepts of it."
        )
    return still == 0


def compare(
    concept: Concept,
    negatives: Sequence[VideoSource],
    recording: Recording,
    *,
    versus: str,
    moving: bool,
    freeze: bool,
    twins: Sequence[Twin],
    group_of: GroupOf,
    units: Mapping[str, int],
    groups: Mapping[str, int],
) -> Comparison:
    """Lay out one comparison; clips that do not move have no twins, and are compared with frozen negatives if `freeze`.

    Raises:
        InputError: if there are too few clips or groups.
    """
    n_negatives = len(negatives)
    if moving:
        negatives = [source for source in negatives if source.key not in recording.stills]
    stills = n_negatives - len(negatives)
    most_windows = (
        recording.settings.windows if moving else 1
    )  # as many as a still has: its negatives must not have more
    # twins of a still would all be the still itself
    versions: tuple[Version, ...] = ("none", *twins) if moving else ("none",)
    clips = [
        (source, window, label)
        for sources, label in ((concept.sources, True), (negatives, False))
        for source in sources
        for window in range(min(recording.windows.get(source.key, 0), most_windows))
    ]
    design = Design(
        labels=np.asarray([label for *_, label in clips], dtype=bool),
        units=np.asarray([units[source.key] for source, *_ in clips], dtype=int),
        groups=np.asarray([groups[group_of(source)] for source, *_ in clips], dtype=int),
        n_units=len(units),
        n_groups_total=len(groups),
    )
    name = _negatives_name(versus) + (" that move" if stills else "")
    check_design(design, concept.name, name)

    def row(source: VideoSource, window: int, version: Version) -> int:
        matched: Version = version if moving or not freeze or source.key in recording.stills else "frozen"
        return recording.rows[ClipId(source=source.key, window=window, version=matched)]

    rows: dict[Version, np.ndarray] = {
        version: np.asarray([row(source, window, version) for source, window, _ in clips], dtype=int)
        for version in versions
    }
    # only where some clip moves do the negatives differ from how they were given
    unlike = not moving and any(source.key not in recording.stills for source, *_ in clips)
    return Comparison(
        concept=concept.name,
        versus=versus,
        negatives=("frozen" if freeze else "moving") if unlike else "as given",
        design=design,
        rows=rows,
        warnings=(_left_out(concept, stills, n_negatives),) if stills else (),
    )


def _left_out(concept: Concept, stills: int, videos: int) -> str:
    return f"{concept.name}: {stills} of {videos} random videos do not move, and were left out, since the concept's clips do."
