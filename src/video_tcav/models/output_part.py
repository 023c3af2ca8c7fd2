"""A part of what a network returns: one head of several (verb or noun), and one row of outputs of a row a frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from video_tcav.core.errors import InputError, ModelError
from video_tcav.core.limits import shortened
from video_tcav.models.layers import noise_clip
from video_tcav.models.outputs import named_items
from video_tcav.models.trial_pass import trial_output
from video_tcav.models.video_model import VideoModel

_ROUNDING = 1e-6  # of a row: rounding of seconds, as people write them


@dataclass(frozen=True, kw_only=True)
class OutputPart:
    """Which part of the outputs is explained.

    Attributes:
        head: key, field or number of the head, with dots where heads are nested; empty where there is one.
        row: number of the row in time; `None` where outputs have no time.
        time_dim: dimension of the outputs that is time.
    """

    head: str = ""
    row: int | None = None
    time_dim: int = 1

    def __str__(self) -> str:
        head = [f"head {self.head}"] if self.head else []
        return ", ".join(head if self.row is None else [*head, f"row {self.row} in time"])

    def __call__(self, output: object) -> object:
        """The part of an output."""
        # a name with dots in it comes before the path that it could be
        is_name = self.head in _by_name(output)
        for key in (self.head,) if is_name else self.head.split(".") if self.head else ():
            output = _item(output, key, self.head)
        if self.row is None:
            return output
        tensor = _tensor(output)
        return tensor.select(self.time_dim, self.row)


def output_part(
    model: VideoModel, *, head: str | None, at_time: float | None, classes: int | None
) -> OutputPart | None:
    """The part that a user asks for, found in one forward of a noise clip; `None` where all of the output is meant.

    Args:
        model: without a part.
        head: see `OutputPart`.
        at_time: second of the clip, counted from its first frame.
        classes: how many there are, if that is known: it tells time from classes.

    Raises:
        InputError: if the output has no such head or second.
        ModelError: if it cannot be told which dimension is time.
    """
    part = OutputPart(head=head or "")
    if at_time is None:
        return part if head else None
    tensor = _tensor(part(trial_output(model, noise_clip(model))))
    dim = _time_dim(tensor, model.clip_spec.frames, classes)
    rows = tensor.shape[dim]
    fps = model.clip_spec.fps
    if fps is None or model.clip_spec.sampling == "uniform":
        raise InputError(
            f"`at_time` must go with a model whose frames have a rate. Got {at_time:g} s for one that takes"
            f" {'frames of the whole video' if fps else 'every so many frames'}. Set fps in its clip_spec, or in the metadata of"
            " its weights."
        )
    length_s = model.clip_spec.frames / fps
    if not 0 <= at_time < length_s:
        raise InputError(f"`at_time` must be from 0 to {length_s:g} s, the clip's length. Got {at_time:g}. Correct it.")
    # Row i stands for the i-th of equal parts of the clip. 0.6 s of 1.6 are part 6 of 16, and 5.999… in floating point.
    row = min(rows - 1, int(at_time / length_s * rows + _ROUNDING))
    return OutputPart(head=head or "", row=row, time_dim=dim)


def _time_dim(tensor: Tensor, frames: int, classes: int | None) -> int:
    """Which dimension of `(clip, time, class)` or `(clip, class, time)` is time: not that of classes, or that of frames."""
    if tensor.ndim == 3:
        sizes = tuple(tensor.shape[1:])
        # by the classes where their number tells, else by the frames of the clip
        if classes is not None and sizes.count(classes) == 1:
            return 2 - sizes.index(classes)
        if classes is None and sizes.count(frames) == 1:
            other = sizes[1 - sizes.index(frames)]
            # networks give a row for every second or fourth frame, too: then as many outputs as frames may be the classes
            if frames % other:
                return 1 + sizes.index(frames)
    raise ModelError(
        f"`at_time` must go with outputs (clip, time, class) or (clip, class, time). Got shape {tuple(tensor.shape)} for a clip"
        f" of {frames} frames and {'unnamed' if classes is None else classes} classes. Name the classes, or leave it out."
    )


def _item(output: object, key: str, head: str) -> object:
    items = _by_name(output)
    if key not in items:
        known = shortened(list(items), 6) or f"one {type(output).__name__}"
        raise InputError(
            f"`head` must be one of the model's outputs: {known}. Got {head!r}. Correct it, or leave it out."
        )
    return items[key]


def _by_name(output: object) -> Mapping[str, Any]:
    """Items of an output by their names, or else by their numbers."""
    named = named_items(output)
    if named is None and isinstance(output, tuple | list):
        named = dict(enumerate(output))
    return {str(name): item for name, item in (named or {}).items()}


def _tensor(output: object) -> Tensor:
    if not isinstance(output, Tensor):
        names = shortened(list(_by_name(output)), 6)
        raise InputError(
            f"`at_time` must go with one tensor of outputs. Got {type(output).__name__} with {names}. Say which by head."
        )
    return output
