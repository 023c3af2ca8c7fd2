"""Tubes of components: the region of a clip that has most of one, followed over frames and cut into a bank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from video_tcav._version import __version__
from video_tcav.concepts import ConceptBank
from video_tcav.core.errors import MediaError
from video_tcav.media import LoadedClips, Skipped, VideoSource, load_clips
from video_tcav.media.memory_clips import InMemorySource
from video_tcav.models import VideoModel
from video_tcav.models.preprocess import seen_box
from video_tcav.proposals.bank_writer import concept_of
from video_tcav.proposals.hand_cut import LONGEST_S, HandCut, add_cut

MOST_TUBES = 12
"""Of a component: what a person looks through at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """A connected region of a clip.

    Attributes:
        first: its first frame.
        boxes: left, top, right, bottom in each frame from there on, in pixels of the map.
        share: of all that the map has above the threshold.
    """

    first: int
    boxes: Float[np.ndarray, "frame 4"]
    share: float


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedClip:
    """A clip, and where it has a component.

    Attributes:
        source: of the clip.
        window: which clip of it.
        values: presence in each frame and pixel.
        threshold: what 95 % of the positions of random clips have less of.
    """

    source: VideoSource
    window: int
    values: Float[np.ndarray, "time height width"]
    threshold: float


def strongest_region(values: Float[np.ndarray, "time height width"], threshold: float) -> Region | None:
    """The region above a threshold, connected in time and place, with the most presence; `None` where nothing is above."""
    above = values > threshold
    # pixels that touch at a corner, or in frames that follow each other, belong together
    regions, count = ndimage.label(above, structure=np.ones((3, 3, 3)))
    if not count:
        return None
    amounts = ndimage.sum_labels(values, regions, np.arange(1, count + 1))
    chosen = int(np.argmax(amounts)) + 1
    times, _, _ = ndimage.find_objects(regions)[chosen - 1]
    boxes = []
    for frame in range(times.start, times.stop):
        down, across = np.nonzero(regions[frame] == chosen)
        boxes.append((across.min(), down.min(), across.max() + 1, down.max() + 1))
    share = float(amounts[chosen - 1] / amounts.sum())
    return Region(first=times.start, boxes=np.asarray(boxes, dtype=float), share=share)


def boxes_in_clip(
    region: Region, mapped: MappedClip, native: tuple[int, int], model: VideoModel
) -> Float[np.ndarray, "frame 4"]:
    """Left, top, right and bottom of a region in pixels of the video, whose pictures are `(height, width)`."""
    height, width = mapped.values.shape[1:]
    top, left, bottom, right = seen_box(native, model.clip_spec)
    scale = np.array([(right - left) / width, (bottom - top) / height] * 2)
    return np.array([left, top] * 2) + region.boxes * scale


def cut_tubes(
    bank: ConceptBank,
    model: VideoModel,
    component: str,
    maps: Sequence[MappedClip],
    record: Mapping[str, Any],
    *,
    windows: int,
    threads: int,
) -> tuple[int, tuple[Skipped, ...]]:
    """Cut the strongest region of each clip into a bank, as open proposals for a concept of the component's name.

    Args:
        bank: where to.
        model: says how clips are taken from videos.
        component: its name.
        maps: of the clips that have most of it; those in memory are left out.
        record: what is written beside each clip about the component.
        windows: clips that are taken from each video.
        threads: videos decoded at once.

    Returns:
        How many tubes the bank has of it now, and which videos could not be read again.
    """
    by_source: dict[str, list[MappedClip]] = {}
    for each in maps:
        if not isinstance(each.source, InMemorySource) and each.source.kind == "video":
            by_source.setdefault(each.source.key, []).append(each)
    sources = [members[0].source for members in by_source.values()]
    count, skipped = 0, []
    for loaded in load_clips(sources, model.clip_spec, windows=windows, threads=threads):
        for each in by_source[loaded.source.key]:
            try:
                count += _cut(bank, model, component, each, loaded, record)
            except MediaError as error:
                skipped.append(Skipped(path=str(error.path), reason=error.reason))
    return count, tuple(skipped)


def _cut(
    bank: ConceptBank,
    model: VideoModel,
    component: str,
    mapped: MappedClip,
    loaded: LoadedClips,
    record: Mapping[str, Any],
) -> bool:
    """Whether the clip has a tube, which is in the bank then."""
    region = strongest_region(mapped.values, mapped.threshold)
    if loaded.clips is None or region is None:
        return False
    boxes = boxes_in_clip(region, mapped, (loaded.clips.shape[-2], loaded.clips.shape[-1]), model)
    clip_times_s = loaded.timestamps_s[mapped.window]
    times_s = clip_times_s[region.first : region.first + len(boxes)]
    # a tube lasts until its last frame goes
    frame_s = float(np.median(np.diff(clip_times_s))) if len(clip_times_s) > 1 else 0.0
    start_s, end_s = float(times_s[0]), float(times_s[-1]) + max(frame_s, 1e-3)
    cut = HandCut(
        start_s=start_s,
        end_s=min(end_s, start_s + LONGEST_S),
        boxes=tuple((float(time_s), tuple(box)) for time_s, box in zip(times_s, boxes.tolist(), strict=True)),
    )
    group = {"group": mapped.source.group} if mapped.source.group else {}
    proposer = {"name": "discover", "video_tcav": __version__, "share": region.share, **record, **group}
    clips, _ = add_cut(
        bank,
        mapped.source.path,
        cut,
        concept=concept_of(component),
        verdict="open",
        reviewer="",
        proposer=proposer,
    )
    return bool(clips)
