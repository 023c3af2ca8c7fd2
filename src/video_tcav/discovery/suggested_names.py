"""Names for confirmed components: the words nearest to what their tubes show, less what the same places of other clips show."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from video_tcav.core.progress import progress_bar
from video_tcav.discovery.bank_tubes import mapped_clip
from video_tcav.discovery.component import Component
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.tubes import MappedClip, boxes_in_clip, strongest_region
from video_tcav.media import load_clips
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.settings import RecordingSettings
from video_tcav.words import NameSuggestions, TextVideoEncoder
from video_tcav.words.encoder import Frames, clip_rows
from video_tcav.words.naming import CandidateNames

MOST_SHOWN = 12
"""Tubes that a component is named by: those with most of it."""
SUGGESTED = 5
_MARGIN = 0.25
"""Of a tube's size that is shown around it: encoders know things by what is around them, too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Crop:
    """A part of the picture for some frames, at the same place in a clip with much and in one with little of a component.

    Attributes:
        clip: with much of it.
        other: with little of it.
        mapped: the map of the first.
    """

    clip: ClipId
    other: ClipId
    mapped: MappedClip


def suggested_names(
    discoveries: Sequence[LayerDiscovery],
    components: Sequence[Component],
    encoder: TextVideoEncoder,
    words: Sequence[str] | None,
    recording: RecordingSettings,
    *,
    progress: bool = False,
) -> dict[str, NameSuggestions]:
    """The words nearest to the tubes of each confirmed component, by its name.

    Tubes are of the clips that found nothing and have most of the component. The same frames and places of random clips that
    have least of it are the background, so that how crops look in general is no name.

    Args:
        discoveries: of each layer.
        components: of all layers, judged.
        encoder: of clips and texts.
        words: to choose from; the common ones if not given.
        recording: how clips were read.
        progress: whether to show a progress bar.

    Raises:
        InputError: if there are less than two words.
        ModelError: if the encoder does not return a row a clip or text.
    """
    by_layer = {each.layer: each for each in discoveries}
    confirmed = [component for component in components if component.confirmed]
    candidates = CandidateNames.embed(encoder, words)
    names = {}
    with progress_bar("names (components)", len(confirmed), visible=progress) as advance:
        for component in confirmed:
            tubes, background = _shown(by_layer[component.layer], component.number - 1, recording)
            if tubes:
                rows = [clip_rows(encoder, clips) for clips in (tubes, background)]
                names[component.name] = candidates.suggested(rows[0], rows[1], count=SUGGESTED)
            advance(1)
    return names


def _shown(layer: LayerDiscovery, column: int, recording: RecordingSettings) -> tuple[list[Frames], list[Frames]]:
    """Tubes of one component, and the same places of clips that have least of it; pairs of which a file is gone are left out."""
    clips, model = layer.clips, layer.clips.recording.model
    crops = _crops(layer, column)
    needed = {clip.source for crop in crops for clip in (crop.clip, crop.other)}
    sources = [source for key, source in clips.sources.items() if key in needed]
    loaded = {}
    with closing(load_clips(sources, model.clip_spec, windows=recording.windows, threads=recording.threads)) as decoded:
        for each in decoded:
            if each.clips is not None:
                loaded[each.source.key] = each.clips
    tubes, background = [], []
    for crop in crops:
        region = strongest_region(crop.mapped.values, crop.mapped.threshold)
        if region is None or crop.clip.source not in loaded or crop.other.source not in loaded:
            continue
        frames, others = (loaded[clip.source][clip.window] for clip in (crop.clip, crop.other))
        boxes = boxes_in_clip(region, crop.mapped, (frames.shape[-2], frames.shape[-1]), model)
        left, top, right, bottom = _shares(boxes, frames.shape[-2], frames.shape[-1])
        times = slice(region.first, region.first + len(boxes))
        for clip, sink in ((frames, tubes), (others, background)):
            height, width = clip.shape[-2:]
            rows = slice(int(top * height), max(int(top * height) + 1, round(bottom * height)))
            columns = slice(int(left * width), max(int(left * width) + 1, round(right * width)))
            sink.append(clip[times, :, rows, columns].contiguous())
    return tubes, background


def _crops(layer: LayerDiscovery, column: int) -> list[_Crop]:
    clips, presences = layer.clips, layer.presences[:, column]
    strongest = layer.confirming[np.argsort(-presences[layer.confirming], kind="stable")][:MOST_SHOWN]
    random = layer.confirming[~clips.of_class[layer.confirming]]
    weakest = random[np.argsort(presences[random], kind="stable")][: len(strongest)]
    return [
        _Crop(clip=clips.ids[clip], other=clips.ids[other], mapped=mapped_clip(layer, column, clip))
        for clip, other in zip(strongest.tolist(), weakest.tolist(), strict=False)
    ]


def _shares(boxes: Float[np.ndarray, "frame 4"], height: int, width: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of all boxes together, with a margin, as shares of the picture."""
    left, top = boxes[:, :2].min(0)
    right, bottom = boxes[:, 2:].max(0)
    across, down = _MARGIN * (right - left) / 2, _MARGIN * (bottom - top) / 2
    return (
        max(0.0, float(left - across) / width),
        max(0.0, float(top - down) / height),
        min(1.0, float(right + across) / width),
        min(1.0, float(bottom + down) / height),
    )
