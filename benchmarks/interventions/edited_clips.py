"""Real clips and plain edits of them, from a file of the user."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.gram.design import numbering
from video_tcav.media import find_videos, load_clips
from video_tcav.media.grouping import grouping
from video_tcav.models import VideoModel

Clip = UInt8[np.ndarray, "time height width 3"]
Edit = Callable[[Clip, UInt8[np.ndarray, "height width 3"]], Clip]
_INDOOR = "d4"  # setting 4 of KTH is indoors


@dataclass(frozen=True, kw_only=True, eq=False)
class RealClips:
    """Clips of a camera that stands still.

    Attributes:
        frames: of each clip.
        labels: the folder of each clip.
        paths: file of each clip.
        groups: number of each clip's group.
    """

    frames: tuple[Clip, ...]
    labels: tuple[str, ...]
    paths: tuple[Path, ...]
    groups: tuple[int, ...]

    def prepared(self, model: VideoModel, edit: Edit) -> Iterator[Tensor]:
        """Each clip, edited, as the model takes it."""
        for clip in self.frames:
            yield prepared(model, edit(clip, background(clip)))

    def some(self, clips: Sequence[int]) -> "RealClips":
        """Some of the clips."""
        return RealClips(
            frames=tuple(self.frames[clip] for clip in clips),
            labels=tuple(self.labels[clip] for clip in clips),
            paths=tuple(self.paths[clip] for clip in clips),
            groups=tuple(self.groups[clip] for clip in clips),
        )


def prepared(model: VideoModel, clip: Clip) -> Tensor:
    """A clip as the model takes it."""
    return model.prepare(torch.from_numpy(np.ascontiguousarray(clip)).movedim(3, 1))


def background(clip: Clip) -> UInt8[np.ndarray, "height width 3"]:
    """What a camera that stands still sees most of the time."""
    return np.median(clip, axis=0).astype(np.uint8)


def load_edits(path: Path, clips: RealClips, only: Sequence[str] | None = None) -> dict[str, Edit]:
    """Edits by name from a Python file with a function `edits(indoor)`; each takes a clip and its background.

    Args:
        path: the file.
        clips: one of them lends the background of another place.
        only: names of edits; all if not given.

    Raises:
        InputError: if there is no such file.
    """
    spec = spec_from_file_location("edits", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"`edits` must be a Python file. Got {path}. Give one with a function edits(indoor).")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    indoor = next((number for number, clip in enumerate(clips.paths) if _INDOOR in clip.stem), 0)
    named = module.edits(background(clips.frames[indoor]))
    return {name: edit for name, edit in named.items() if not only or name in only}


def load_real_clips(model: VideoModel, folder: str, *, group: str) -> RealClips:
    """Read clips.

    Args:
        model: whose clip settings are used.
        folder: clips in folders by their class.
        group: what is independent, a regular expression for the path.
    """
    group_of = grouping(group)
    loaded = [clips for clips in load_clips(find_videos(folder), model.clip_spec) if clips.clips is not None]
    numbers = numbering([group_of(clips.source) for clips in loaded])
    return RealClips(
        frames=tuple(clips.clips[0].movedim(1, 3).numpy() for clips in loaded if clips.clips is not None),
        labels=tuple(clips.source.label or "" for clips in loaded),
        paths=tuple(Path(clips.source.path) for clips in loaded),
        groups=tuple(numbers[group_of(clips.source)] for clips in loaded),
    )
