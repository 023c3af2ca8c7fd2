"""Rendered clip files for speed measurements, and interleaved timing."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.media import find_videos, read_clips
from video_tcav.models import VideoModel
from video_tcav.rendered import rule_of, write_world

Advance = Callable[[int], None]
_MOTION = "swing"
_SMALL = 112


@dataclass(frozen=True, kw_only=True)
class SpeedSets:
    """Folders of clips: of a concept, random ones, and of the class, of which some may be random ones, too."""

    concept: Path
    random: Path
    target: Path

    @property
    def folders(self) -> tuple[Path, Path, Path]:
        """Concept, random, target."""
        return self.concept, self.random, self.target

    @property
    def count(self) -> int:
        """Clips in all sets."""
        return sum(len(find_videos(folder)) for folder in self.folders)


def write_sets(folder: Path, spec: ClipSpec, *, concept: int, random: int, target: int, seed: int = 0) -> SpeedSets:
    """Render the three sets at a model's own size, as H.264 files."""
    clips, _ = rule_of("motion").sample(10 * (concept + random + target), seed=seed)
    swings = [clip for clip in clips if clip.motion == _MOTION]
    random_clips = [clip for clip in clips if clip.motion != _MOTION]
    sets = {"concept": swings[:concept], "random": random_clips[:random], "target": swings[concept : concept + target]}
    for name, chosen in sets.items():
        write_world(
            folder / name, chosen, ["clips"] * len(chosen), frames=spec.frames, size=spec.size or (_SMALL, _SMALL)
        )
    return SpeedSets(**{name: folder / name / "clips" for name in sets})


def prepared(model: VideoModel, folder: Path) -> list[Float[Tensor, "..."]]:
    """All clips of a folder, decoded and prepared, one after the other."""
    return [model.prepare(read_clips(source, model.clip_spec)[0]) for source in find_videos(folder)]


def interleaved(calls: Mapping[str, Callable[[], Any]], rounds: int, advance: Advance) -> dict[str, float]:
    """Median seconds of each call, taken in turns, so that other work on the machine slows all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
            advance(1)
    return {name: statistics.median(times) for name, times in seconds.items()}


def effect_difference(measured: Tensor, exact: Tensor) -> float:
    """Largest difference of effects, relative to the largest effect."""
    return float((measured - exact).abs().max() / exact.abs().max())
