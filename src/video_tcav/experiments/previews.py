"""Previews of a run: a few clips of every set, as the first model saw them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from video_tcav.core.files import read_json, write_json
from video_tcav.experiments.clips import ClipSets
from video_tcav.experiments.digests import damage_reported
from video_tcav.experiments.example_clips import seen_frames
from video_tcav.media import VideoSource, load_clips, write_picture, write_video
from video_tcav.models import VideoModel

Role = Literal["target", "concept", "random"]
PER_SET = 6
_FALLBACK_STEP_S = 0.04  # of frames whose times do not say: 25 a second, the rate of most video


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One small clip or picture of a set.

    Attributes:
        role: what the set is for.
        name: of the class or concept; `random` for random clips.
        clip: key of its source.
        file: in the folder of the previews.
        moves: whether it is a video; otherwise a picture.
    """

    role: Role
    name: str
    clip: str
    file: str
    moves: bool


def write_previews(folder: Path, model: VideoModel, clips: ClipSets, advance: Callable[[int], None]) -> None:
    """Write some clips of every set; clips that cannot be decoded are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    previews = []
    for role, name, sources in sets_of(clips):
        for source in _spread(sources):
            (loaded,) = load_clips([source], model.clip_spec, threads=1)
            if loaded.clips is not None:
                frames = seen_frames(model.clip_spec, loaded, 0)
                # A picture, or a clip of equal frames, is written as a picture.
                moves = bool((frames != frames[:1]).any())
                file = f"{len(previews):03d}.{'mp4' if moves else 'png'}"
                if moves:
                    write_video(folder / file, frames, fps=frame_rate(loaded.timestamps_s[0]))
                else:
                    write_picture(folder / file, frames[0])
                previews.append(Preview(role=role, name=name, clip=source.key, file=file, moves=moves))
            advance(1)
    write_json(folder / "previews.json", [asdict(preview) for preview in previews])


def sets_of(clips: ClipSets) -> Iterator[tuple[Role, str, Sequence[VideoSource]]]:
    """Every set of clips, with its role and name."""
    for name, sources in clips.targets.items():
        if sources is not None:
            yield "target", name, sources
    for name, sources in clips.concepts.items():
        yield "concept", name, sources
    if clips.random:
        yield "random", "random", clips.random


def _spread(sources: Sequence[VideoSource]) -> list[VideoSource]:
    # Evenly spread, as neighbours in a folder are often alike.
    positions = np.linspace(0, len(sources) - 1, min(PER_SET, len(sources))).round().astype(int)
    return [sources[position] for position in dict.fromkeys(positions.tolist())]


def frame_rate(timestamps_s: Float[np.ndarray, " time"]) -> float:
    """Frames a second at which a clip of a page plays."""
    # Videos of variable frame rate have no single step: the median is that of most frames.
    step_s = float(np.median(np.diff(timestamps_s))) if len(timestamps_s) > 1 else 0.0
    # Between 1 and 60 frames a second, whatever the sampling of the model.
    return min(60.0, max(1.0, 1 / (step_s if step_s > 0 else _FALLBACK_STEP_S)))


def load_previews(folder: Path) -> tuple[Preview, ...]:
    """The previews of a run; runs of version 0.1 may have none."""
    path = folder / "previews.json"
    with damage_reported(path, "Delete the folder."):
        return tuple(Preview(**row) for row in read_json(path)) if path.exists() else ()
