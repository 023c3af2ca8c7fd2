"""Typical clips of components for a page: read from their files again, with where each has the component."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError
from video_tcav.core.progress import Advance, no_progress
from video_tcav.discovery import Component, DiscoveredClip, DiscoveryResult
from video_tcav.experiments.example_clips import seen_frames
from video_tcav.experiments.previews import frame_rate
from video_tcav.media import VideoSource, load_clips, source_digest
from video_tcav.media.files import kind_of
from video_tcav.reports.clips import ShownClip, picture_uri, video_uri
from video_tcav.reports.maps.canvas import resized
from video_tcav.reports.maps.heat import blend_heat, heat_scale
from video_tcav.reports.run.text import short_clip

Frames = UInt8[Tensor, "time 3 height width"]

MOST_CLIPS = 6
"""Of a component: a row on a wide page."""
_THREADS = 2
# Heat is stronger than usual, since the clips are small.
_STRENGTH = 0.8
# Brightness of what does not have a component that is not confirmed.
_DIMMED = 0.4


@dataclass(frozen=True, kw_only=True)
class ReadClip:
    """The frames of a clip as the model saw them, small, with their rate; none where the clip cannot be shown, and why.

    Attributes:
        frames: of the clip.
        fps: at which they play.
        reason: why there are none.
    """

    frames: Frames | None = None
    fps: float = 0.0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class TypicalClip:
    """A clip that has much of a component.

    Attributes:
        shown: the clip with where it has the component; `None` where it cannot be shown.
        file: its name, short.
        role: whether it is of the class, or random.
        presence: of the component, in standard deviations of random clips.
        reason: why it cannot be shown.
    """

    shown: ShownClip | None
    file: str
    role: str
    presence: float
    reason: str

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.shown.uri) if self.shown else 0


def typical_numbers(result: DiscoveryResult, component: Component) -> list[int]:
    """Numbers of the clips that have most of a component, of those that it was not found in."""
    numbers = {clip: number for number, clip in enumerate(result.clips)}
    return [numbers[example.clip] for example in result.examples(component.name, MOST_CLIPS)]


def read_discovered(
    result: DiscoveryResult, numbers: Iterable[int], advance: Advance = no_progress
) -> dict[int, ReadClip]:
    """Decode some clips of a discovery again, and only those whose files are still what was recorded.

    Args:
        result: knows where they lie, what they contained, and which frames its model takes.
        numbers: of the clips.
        advance: told of each clip.
    """
    spec, digests = _clip_spec(result), _digests(result)
    read: dict[int, ReadClip] = {}
    by_key: dict[str, list[int]] = {}
    sources: dict[str, VideoSource] = {}
    for number in sorted(set(numbers)):
        clip = result.clips[number]
        try:
            source = _source(clip, digests.get(clip.clip))
        except MediaError as error:
            read[number] = ReadClip(reason=error.reason)
            advance(1)
            continue
        sources[clip.clip] = source
        by_key.setdefault(clip.clip, []).append(number)
    windows = int(result.provenance["settings"]["windows"])
    for key, loaded in zip(by_key, load_clips(sources.values(), spec, windows=windows, threads=_THREADS), strict=True):
        for number in by_key[key]:
            window = result.clips[number].window
            if loaded.error is not None:
                read[number] = ReadClip(reason=loaded.error.reason)
            else:
                frames, times_s = seen_frames(spec, loaded, window), loaded.timestamps_s[window]
                read[number] = ReadClip(frames=frames, fps=frame_rate(times_s))
            advance(1)
    return read


def typical_clips(
    result: DiscoveryResult, component: Component, read: Mapping[int, ReadClip]
) -> tuple[TypicalClip, ...]:
    """The clips that have most of a component, all on one scale of heat.

    Args:
        result: with the component's maps.
        component: a confirmed one is orange or blue, as it raises or lowers the target; any other is lit.
        read: what was read of the clips.
    """
    numbers, maps = typical_numbers(result, component), result.layer_maps(component.layer)
    heats = {number: torch.from_numpy(maps.on_clip(component.number, number)).clamp(min=0) for number in numbers}
    scale = heat_scale(torch.cat(list(heats.values()))) if heats else 0.0
    return tuple(_typical(result, component, number, read[number], heats[number], scale) for number in numbers)


def _typical(
    result: DiscoveryResult,
    component: Component,
    number: int,
    read: ReadClip,
    heat: Float[Tensor, "time height width"],
    scale: float,
) -> TypicalClip:
    clip = result.clips[number]
    windows = int(result.provenance["settings"]["windows"])
    file = short_clip(clip.clip, clip.window if windows > 1 else None)
    presence = float(result.presences[component.name][number])
    shown = None
    if read.frames is not None:
        label = f"{file}, with where it has {component.name}"
        shown = _shown(read.frames, read.fps, heat, component, scale, label)
    role = "class" if clip.of_class else "random"
    return TypicalClip(shown=shown, file=file, role=role, presence=presence, reason=read.reason)


def _shown(
    frames: Frames, fps: float, heat: Float[Tensor, "time height width"], component: Component, scale: float, label: str
) -> ShownClip:
    height, width = frames.shape[-2:]
    _, heat, _ = resized(frames, heat, None, width, height)
    if component.confirmed:
        sign = 1.0 if component.raises else -1.0
        pictures = blend_heat(frames, sign * heat, signed=True, strength=_STRENGTH, scale=scale)
    else:
        pictures = lit(frames, heat, scale)
    if bool((pictures != pictures[:1]).any()):
        return ShownClip(uri=video_uri(pictures, fps=fps), label=f"{label}.", moves=True)
    return ShownClip(uri=picture_uri(pictures[0]), label=f"{label}.", moves=False)


def lit(frames: Frames, heat: Float[Tensor, "time height width"], scale: float) -> Frames:
    """Frames that are dark where there is no heat: a map without the colours that claim an effect.

    Args:
        frames: RGB.
        heat: of each pixel, not negative.
        scale: heat that leaves a pixel as it is.
    """
    share = (heat / (scale or 1.0)).clamp(0, 1)[:, None]
    return (frames * (_DIMMED + (1 - _DIMMED) * share)).round().to(torch.uint8)


def _source(clip: DiscoveredClip, digest: str | None) -> VideoSource:
    """Where a clip lies.

    Raises:
        MediaError: if it is not there, or not what it was.
    """
    path = Path(clip.path)
    if not clip.path:
        raise MediaError(Path(clip.clip), "it was in memory")
    kind = kind_of(path)
    if kind is None or not path.exists():
        raise MediaError(path, "no such file")
    source = VideoSource(path=path, kind=kind, start_s=clip.start_s, end_s=clip.end_s)
    # heat over other pictures than those that were recorded would be a wrong answer
    if source_digest(source) != digest:
        raise MediaError(path, "its file was changed")
    return source


def _digests(result: DiscoveryResult) -> dict[str, str | None]:
    """Of each source by its key, as the run noted them."""
    sets: Mapping[str, Mapping[str, str | None]] = result.provenance["clips"]
    return {key: digest for digests in sets.values() for key, digest in digests.items()}


def _clip_spec(result: DiscoveryResult) -> ClipSpec:
    """The clips of the model that the result is of; JSON has lists for pairs of pixels."""
    fields: Mapping[str, Any] = result.provenance["clip_spec"]
    pairs: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return ClipSpec(**pairs)
