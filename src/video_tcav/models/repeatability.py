"""Repeatability: whether a network gives one clip the same outputs again, alone and in a batch with another.

Effects, p-values and maps require it: with dropout that is always on, statistics of the batch, or state that is kept from clip
to clip, measurements depend on which clips were passed before or beside.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from video_tcav.core.errors import ModelError
from video_tcav.core.limits import shortened
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.hooks import untouched
from video_tcav.models.layers import noise_clip
from video_tcav.models.outputs import output_rows
from video_tcav.models.video_model import VideoModel

TOLERANCE = 1e-3
"""Fraction of the spread of outputs up to which two outputs are the same: rounding stays far below."""
SAME_BATCH_TOLERANCE = 1e-5
"""The same for one clip alone, twice: the same kernels run, in the same order except for atomic additions on a GPU."""
HALF_TOLERANCE = 0.05
"""The same for networks in half precision in batches of unlike size, for which kernels round in another order."""
ROUNDING = 64
"""Units in the last place (float32) of the largest output that are rounding, however small the spread is."""
HALF_ROUNDING = 4
"""The same for half precision."""
MORE_PASSES = 16
"""Passes of a network that draws random numbers and gave the same outputs twice: rare dropout shows later."""
_PARTNER_SCALE = 3.0
"""Contrast of the second clip in the batch: statistics of the batch must change with it."""


def check_repeats(model: VideoModel, *, allow_impure: bool) -> tuple[str, ...]:
    """Refuse a network that is not repeatable, or note it where `allow_impure` takes it all the same.

    The model must have its class names; it is left as it was, except for state that it keeps itself.
    """
    impurity = _impurity(model)
    if impurity is None:
        return ()
    if not allow_impure:
        raise ModelError(
            f"`model` must give one clip the same outputs each time, alone and among others. Got {impurity}."
            " Turn that off in the network; --allow-impure (allow_impure=True) takes it all the same."
        )
    return (f"The model does not repeat itself, which was allowed: {impurity}.",)


def _impurity(model: VideoModel) -> str | None:
    """What differs, and why, if one noise clip is passed twice alone, and before and behind another clip in a batch."""
    clip, partner = noise_clip(model), _PARTNER_SCALE * noise_clip(model, seed=1)
    with random_state_kept(model.device), untouched(model.module), torch.no_grad():
        states = _random_states(model.device)
        alone = _values(model, clip)
        first = _values(model, torch.cat([clip, partner]))
        last = _values(model, torch.cat([partner, clip]))
        again = [_values(model, clip)]
        if states != _random_states(
            model.device
        ):  # random numbers were drawn, though they may not have changed the outputs yet
            again += [_values(model, clip) for _ in range(MORE_PASSES)]
        repeated = max(_difference(alone, values) for values in again)
        batched = max(_difference(alone, first[:1]), _difference(alone, last[1:]))
        if repeated > _rounding(model, first, same_batch=True):
            cause = _random_or_state(model, clip, partner)
        elif batched > _rounding(model, first, same_batch=False):
            cause = _dependence_on_batch(model)
        else:
            return None
    difference, spread = max(repeated, batched), float(first.max() - first.min())
    return f"outputs for one clip that differ by up to {difference:.2g} (all outputs span {spread:.2g}): {cause}"


def _values(model: VideoModel, clips: Float[Tensor, "clip ..."]) -> Float[Tensor, "clip class"]:
    try:
        output = model.forward(clips)
    except Exception as reason:  # any error of a foreign network
        raise ModelError(
            f"`model` must take any number of clips, one after the other. Got {typed_first_line(reason)} for {len(clips)} of"
            " them, after other clips were passed. A network that keeps state between clips must forget it in each forward."
        ) from reason
    return output_rows(output, clips=len(clips), classes=len(model.classes)).detach().cpu().double()


def _difference(values: Tensor, reference: Tensor) -> float:
    """Largest absolute difference; NaN in the same place counts as equal."""
    equal = (torch.isnan(values) & torch.isnan(reference)) | (values == reference)  # also infinities
    gap = torch.where(equal, 0.0, (values - reference).abs())
    return float(torch.nan_to_num(gap, nan=torch.inf).max())


def _rounding(model: VideoModel, values: Tensor, *, same_batch: bool) -> float:
    """The largest difference that is rounding."""
    half = model.dtype in (torch.float16, torch.bfloat16)
    spread, largest = float(values.max() - values.min()), float(values.abs().max())
    fraction = SAME_BATCH_TOLERANCE if same_batch else HALF_TOLERANCE if half else TOLERANCE
    digits = HALF_ROUNDING * torch.finfo(model.dtype).eps if half else ROUNDING * torch.finfo(torch.float32).eps
    return fraction * spread + digits * largest


def _random_or_state(model: VideoModel, clip: Tensor, partner: Tensor) -> str:
    """With the same random numbers twice, and another clip between: what still differs is state."""
    passes: list[Tensor] = []
    for predecessor in (clip, partner):
        _values(model, predecessor)
        _seed_everything()
        passes.append(_values(model, clip))
    if _difference(*passes) > _rounding(model, passes[0], same_batch=True):
        state = "it keeps state from one clip to the next, as streaming networks do; clear it in each forward"
        return _training_mode(model, "normalisation", "Norm") or state
    return _training_mode(model, "dropout", "Drop", "Stochastic") or (
        "it draws random numbers in evaluation mode, such as dropout that is always on (F.dropout without"
        " training=self.training) or random sampling of frames"
    )


def _dependence_on_batch(model: VideoModel) -> str:
    if in_training := _training_mode(model, "normalisation", "Norm"):
        return in_training
    norms = [
        name
        for name, submodule in model.module.named_modules()
        if isinstance(submodule, _BatchNorm) and submodule.running_mean is None
    ]
    if norms:
        return f"BatchNorm without running statistics ({shortened(norms, 3)}) takes those of the clips in the batch"
    return "they depend on the other clips in the batch, as with statistics or a softmax over the batch"


def _training_mode(model: VideoModel, kind: str, *words: str) -> str:
    """The cause, if submodules of such types stay in training mode inside `untouched`, since they override `train`."""
    names = [
        name or "the network"
        for name, submodule in model.module.named_modules()
        if submodule.training and any(word in base.__name__ for base in type(submodule).__mro__ for word in words)
    ]
    return f"{kind} stays in training mode ({shortened(names, 3)})" if names else ""


def _random_states(device: torch.device) -> tuple[object, ...]:
    """States of the global generators that a network may draw from, to find out whether it did."""
    numpy: Any = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    drawn_on_device = torch.cuda.get_rng_state(device).tolist() if device.type == "cuda" else []
    return drawn_on_device, torch.get_rng_state().tolist(), random.getstate(), numpy["key"].tolist(), numpy["pos"]


def _seed_everything() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the global generator is what a foreign network may draw from


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """Restore all global random states at the end, those of the CPU and of the device on which a network draws numbers."""
    devices = [device] if device.type == "cuda" else []
    python, numpy = random.getstate(), np.random.get_state(legacy=True)  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
