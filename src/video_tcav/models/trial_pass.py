"""A trial pass of two noise clips: how many outputs a network of unknown family has, and what they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from video_tcav.core.errors import InputError, ModelError
from video_tcav.models.class_names import check_class_count
from video_tcav.models.devices import where_float64
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.hooks import untouched
from video_tcav.models.layers import noise_clip
from video_tcav.models.output_kinds import OUTPUT_KINDS, OutputKind, Outputs, is_fraction, sums_to_one
from video_tcav.models.outputs import output_rows, tensors_in
from video_tcav.models.video_model import VideoModel

_MARK = "_video_tcav_last_operation"
_VALUE_PRESERVING = frozenset(
    {
        *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "contiguous"),
        *("expand", "repeat", "select", "getitem", "chunk", "split", "stack", "cat", "mean", "clone", "detach"),
        *("to", "float", "double", "half", "bfloat16", "type"),
        "dropout",  # in evaluation mode
        *(f"{kind}avg_pool{axes}d" for kind in ("", "adaptive_") for axes in (1, 2, 3)),
    }
)
"""Operations after which values in [0, 1] stay there, and rows that sum to 1 still do."""
_UNBOUNDED = frozenset(
    ("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "conv1d", "conv2d", "conv3d", "bilinear")
)
_LOG_SIGMOID = {"log_sigmoid", "logsigmoid"}
_TRIAL_SCALES = (1.0, 3.0)
"""Two clips of unlike contrast, so that a small logit is less likely to lie in [0, 1] twice."""
_SAME_SUM = 1e-5
"""Relative difference up to which sums of two rows are the same: a hundred times the rounding of float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """What a model returned for two noise clips, and by which function, operations that preserve values left out."""

    values: Float[Tensor, "clip class"]
    last_operation: str  # empty where it cannot be observed (compiled networks)


def try_model(model: VideoModel, *, classes: Sequence[str] | None = None) -> Trial:
    """Pass two noise clips of the model's own spec; `classes`, as the user gives them, tell the logits among several tensors."""
    clips = torch.cat([scale * noise_clip(model, seed=seed) for seed, scale in enumerate(_TRIAL_SCALES)])
    with _LastOperation():
        output = trial_output(model, clips)
    with _LastOperation():  # rows that are reshaped keep their mark
        try:
            values = output_rows(output, clips=len(clips))
        except ModelError:  # several tensors could be the rows
            if classes is None:
                raise
            values = output_rows(output, clips=len(clips), classes=len(classes))
    check_class_count(classes, values.shape[1])
    return Trial(values=values.detach().cpu(), last_operation=getattr(values, _MARK, ""))


def trial_output(model: VideoModel, clips: Float[Tensor, "clip ..."]) -> object:
    """What a network of unknown family returns for noise clips, without a gradient.

    Raises:
        ModelError: if it does not take them.
        InputError: if its output has no such part as the user asks for.
    """
    try:
        with untouched(model.module), torch.no_grad():
            return model.forward(clips)
    except InputError:
        raise
    except Exception as reason:  # any error of a foreign network
        is_half = model.dtype in (torch.float16, torch.bfloat16)
        precision = " Not every network runs in half precision: give it in float32 (`.float()`)." if is_half else ""
        raise ModelError(
            f"`model` must take a clip of shape {(1, *clips.shape[1:])}. Got {typed_first_line(reason)} from {model.name}."
            f"{precision} Say frames, size or layout, set clip_spec on the module, or, if it takes boxes, say which by at_box."
        ) from reason


def outputs_of(trial: Trial, settings: Mapping[str, Any]) -> Outputs:
    """What the outputs are: as `outputs` in the settings says, else as the trial shows, else assumed."""
    kind: OutputKind | None = settings.get("outputs")
    if kind is None:
        _check_scale(trial)
        return _detected(trial)
    outputs = Outputs(kind=kind, known_by="as given")
    contradiction = outputs.contradiction(trial.values)
    if contradiction is not None:
        raise ModelError(f"`outputs` must be what the model returns. Got {kind}, and {contradiction}. Correct it.")
    return outputs


def _check_scale(trial: Trial) -> None:
    """Refuse functions of probabilities that would pass for logits: percentages, their logarithms, a softmax over one output."""
    values, last = trial.values, trial.last_operation
    width = values.shape[1]
    if width == 1 and last == "softmax":
        problem = "a softmax over a single output, which is always 1"
    elif last == "sigmoid":  # each value is a probability by itself, whatever the rows sum to
        return
    elif last in _LOG_SIGMOID:
        problem = "logarithms of sigmoid probabilities"
    elif width > 1 and (values > 0).all() and _sum_alike((-values).exp(), 1.0):  # 0 may be a fixed logit
        problem = "negative logarithms of probabilities"
    elif width > 1 and (values >= 0).all() and _sum_alike(values, float(values[0].sum())) and not sums_to_one(values):
        problem = f"rows that all sum to {float(values[0].sum()):.4g}, as probabilities in another unit do"
    else:
        return
    raise ModelError(
        f"`model` must return logits, probabilities in [0, 1] or plain numbers. Got {problem}. Return the logits, or say what"
        f" they are: outputs {', '.join(OUTPUT_KINDS)}."
    )


def _sum_alike(values: Tensor, total: float) -> bool:
    """Whether rows that differ from each other have the same sum, but for rounding."""
    slack = max(_SAME_SUM, 8 * torch.finfo(values.dtype).eps)
    close = (where_float64(values).double().sum(1) - total).abs() <= slack * abs(total)
    return bool(close.all()) and not torch.equal(values[0], values[1])


def _detected(trial: Trial) -> Outputs:
    # Order matters: a single sigmoid output also sums to 1, and small logits of a linear layer may lie in [0, 1].
    values, last = trial.values, trial.last_operation
    if is_fraction(values) and last == "sigmoid":
        return Outputs(kind="sigmoid", known_by="since a sigmoid makes them")
    if values.shape[1] > 1 and is_fraction(values) and sums_to_one(values):
        return Outputs(kind="softmax", known_by="since each row lies in [0, 1] and sums to 1")
    # Constants may be fixed logits.
    varies_inside = bool(((values > 0) & (values < 1)).all()) and not torch.equal(values[0], values[1])
    if varies_inside and last not in _UNBOUNDED | {"log_softmax"}:
        return Outputs(kind="sigmoid", known_by="taken for such since all lie in [0, 1]", is_assumed=True)
    if values.shape[1] == 1:
        return Outputs(kind="sigmoid_logits", known_by="taken for such since there is one output", is_assumed=True)
    if last == "log_softmax":
        return Outputs(kind="logits", known_by="since a log-softmax makes them")
    return Outputs(kind="logits", known_by="taken for such since nothing says otherwise", is_assumed=True)


class _LastOperation(TorchFunctionMode):
    """Marks every tensor with the function that made its values."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").strip("_")
        source = args[0] if args else None
        sources = source if isinstance(source, tuple | list) else [source]
        # Tensors that are joined out of unlike ones have no mark.
        marks = {getattr(tensor, _MARK, "") for tensor in sources}
        mark = name if name not in _VALUE_PRESERVING else marks.pop() if len(marks) == 1 else ""
        for tensor in tensors_in(output):
            setattr(tensor, _MARK, mark)
        return output
