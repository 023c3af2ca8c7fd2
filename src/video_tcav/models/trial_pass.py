"""A trial pass of two noise clips: how many outputs a network of unknown family has, and what they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from video_tcav.core.errors import InputError, ModelError
from video_tcav.models.hooks import untouched
from video_tcav.models.layers import noise_clip
from video_tcav.models.output_kinds import OUTPUT_KINDS, OutputKind, Outputs, is_fraction, sums_to_one
from video_tcav.models.outputs import output_rows
from video_tcav.models.video_model import VideoModel

_MARK = "_video_tcav_last_operation"
_RESHAPES = {
    "view",
    "reshape",
    "flatten",
    "unflatten",
    "squeeze",
    "unsqueeze",
    "permute",
    "transpose",
    "contiguous",
    "expand",
    "repeat",
}
_SELECTS = {
    "select",
    "getitem",
    "chunk",
    "split",
    "stack",
    "cat",
    "mean",
    "clone",
    "detach",
    "to",
    "float",
    "double",
    "half",
    "bfloat16",
    "type",
    "dropout",  # in evaluation mode
    *(f"{kind}avg_pool{axes}d" for kind in ("", "adaptive_") for axes in (1, 2, 3)),
}
_KEEPS_VALUES = frozenset(_RESHAPES | _SELECTS)
"""Operations behind which values in [0, 1] stay there, and rows that sum to 1 do so still."""
_UNBOUNDED = frozenset(
    ("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "conv1d", "conv2d", "conv3d", "bilinear")
)
_LOG_SIGMOID = {"log_sigmoid", "logsigmoid"}
_TRIAL_SCALES = (1.0, 3.0)
"""Two clips of unlike contrast, so that a small logit is less likely to lie in [0, 1] twice."""
_SAME_SUM = 1e-5
"""Sums of two rows are the same if they differ by no more than this fraction."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """What a model returned for two noise clips.

    Attributes:
        values: one row a clip.
        last_operation: name of the function that made them, with what keeps values left out; empty where that cannot be
            seen (scripted and compiled networks).
    """

    values: Float[Tensor, "clip class"]
    last_operation: str


def try_model(model: VideoModel, *, classes: Sequence[str] | None = None) -> Trial:
    """Pass two noise clips of the model's own spec.

    Args:
        model: its class names are not looked at.
        classes: names of the outputs, as the user gives them; they also tell the logits among several tensors.

    Raises:
        ModelError: if it does not take the clips, or returns something else than one row of numbers a clip.
        InputError: if the number of classes differs from the outputs.
    """
    clips = torch.cat([scale * noise_clip(model, seed=seed) for seed, scale in enumerate(_TRIAL_SCALES)])
    try:
        with untouched(model.module), torch.no_grad(), _LastOperation():
            output = model.forward(clips)
    except Exception as reason:  # any error of a foreign network
        raise ModelError(
            f"`model` must take a clip of shape {(1, *clips.shape[1:])}. Got {first_line(reason)} from {model.name}."
            " Say frames, size or layout, or set clip_spec on the module."
        ) from reason
    with _LastOperation():  # rows that are reshaped keep their mark
        values = _rows(output, len(clips), None if classes is None else len(classes))
    if classes is not None and len(classes) != values.shape[1]:
        raise InputError(
            f"`classes` must name the {values.shape[1]} outputs of the model. Got {len(classes)} names."
            " Give the list that the model was trained with."
        )
    return Trial(values=values.detach().cpu(), last_operation=getattr(values, _MARK, ""))


def _rows(output: object, clips: int, classes: int | None) -> Tensor:
    """One row a clip; the number of classes is looked at only where several tensors could be the rows."""
    try:
        return output_rows(output, clips=clips)
    except ModelError:
        if classes is None:
            raise
        return output_rows(output, clips=clips, classes=classes)


def outputs_of(trial: Trial, settings: Mapping[str, Any]) -> Outputs:
    """What the outputs are: as the user says, else as the trial shows, else assumed.

    Args:
        trial: from `try_model`.
        settings: may hold `outputs`, as the user or the file of weights says.

    Raises:
        ModelError: if the outputs cannot be what the settings say, or are nothing that can be explained.
    """
    given: OutputKind | None = settings.get("outputs")
    if given is None:
        _check_scale(trial)
        return _detected(trial)
    outputs = Outputs(kind=given, known_by="as given")
    contradiction = outputs.contradiction(trial.values)
    if contradiction is not None:
        raise ModelError(f"`outputs` must be what the model returns. Got {given}, and {contradiction}. Correct it.")
    return outputs


def _check_scale(trial: Trial) -> None:
    """Refuse functions of probabilities that would pass for logits: percentages, their logarithms, a softmax over one output.

    Raises:
        ModelError: saying what the outputs look like.
    """
    values, last = trial.values, trial.last_operation
    width = values.shape[1]
    if width == 1 and last == "softmax":
        what = "a softmax over a single output, which is always 1"
    elif last == "sigmoid":  # each value is a probability of its own, whatever the rows sum to
        return
    elif last in _LOG_SIGMOID:
        what = "logarithms of sigmoid probabilities"
    elif width > 1 and (values > 0).all() and _sum_alike((-values).exp(), 1.0):  # 0 may be a fixed logit
        what = "negative logarithms of probabilities"
    elif width > 1 and (values >= 0).all() and _sum_alike(values, float(values[0].sum())) and not sums_to_one(values):
        what = f"rows that all sum to {float(values[0].sum()):.4g}, as probabilities in another unit do"
    else:
        return
    raise ModelError(
        f"`model` must return logits, probabilities in [0, 1] or plain numbers. Got {what}. Return the logits, or say what"
        f" they are: outputs {', '.join(OUTPUT_KINDS)}."
    )


def _sum_alike(values: Tensor, total: float) -> bool:
    """Whether rows that differ from each other have the same sum, but for rounding."""
    slack = max(_SAME_SUM, 8 * torch.finfo(values.dtype).eps)
    close = (values.double().sum(1) - total).abs() <= slack * abs(total)
    return bool(close.all()) and not torch.equal(values[0], values[1])


def _detected(trial: Trial) -> Outputs:
    values, last = trial.values, trial.last_operation
    if is_fraction(values) and last == "sigmoid":
        return Outputs(kind="sigmoid", known_by="since a sigmoid makes them")
    if values.shape[1] > 1 and is_fraction(values) and sums_to_one(values):
        return Outputs(kind="softmax", known_by="since each row lies in [0, 1] and sums to 1")
    if _vary_inside(values) and last not in _UNBOUNDED | {"log_softmax"}:
        return Outputs(kind="sigmoid", known_by="taken for such since all lie in [0, 1]", is_assumed=True)
    if values.shape[1] == 1:
        return Outputs(kind="sigmoid_logits", known_by="taken for such since there is one output", is_assumed=True)
    if last == "log_softmax":
        return Outputs(kind="logits", known_by="since a log-softmax makes them")
    return Outputs(kind="logits", known_by="taken for such since nothing says otherwise", is_assumed=True)


def _vary_inside(values: Tensor) -> bool:
    """Whether values lie between 0 and 1 and differ from clip to clip; constants and counts of nothing do not."""
    return bool(((values > 0) & (values < 1)).all()) and not torch.equal(values[0], values[1])


class _LastOperation(TorchFunctionMode):
    """Marks every tensor with the function that made its values."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").strip("_")
        source = args[0] if args else None
        sources = source if isinstance(source, tuple | list) else [source]
        marks = {getattr(part, _MARK, "") for part in sources}  # what is joined out of unlike parts is neither
        mark = name if name not in _KEEPS_VALUES else marks.pop() if len(marks) == 1 else ""
        for tensor in output if isinstance(output, tuple | list) else (output,):
            if isinstance(tensor, Tensor):
                setattr(tensor, _MARK, mark)
        return output


def first_line(reason: Exception) -> str:
    """Type and first line of a foreign error."""
    lines = str(reason).strip().splitlines()
    return f"{type(reason).__name__}: {lines[0].rstrip('.')[:160]}" if lines else type(reason).__name__
