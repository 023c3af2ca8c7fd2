"""Kinds of model outputs (logits, probabilities, numbers), and the logits and probabilities that follow from them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from video_tcav.core.clip_spec import OutputKind

OUTPUT_KINDS: tuple[OutputKind, ...] = get_args(OutputKind)

MEANINGS: Mapping[OutputKind, str] = {
    "logits": "logits of classes that exclude each other",
    "softmax": "softmax probabilities of classes that exclude each other",
    "sigmoid_logits": "logits of classes that are there or not, each for itself",
    "sigmoid": "sigmoid probabilities of classes that are there or not, each for itself",
    "numbers": "plain numbers (regression)",
}


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a model's outputs are, and how that is known.

    Attributes:
        kind: `logits` and `softmax` belong to classes of which one is present; `sigmoid_logits` and `sigmoid` to classes that
            are present or absent independently (multi-label, or a single output); `numbers` to a regression.
        known_by: how that is known, as the end of a sentence: "as given", "as its configuration says".
        is_assumed: whether it is a guess, which a reader must check.
    """

    kind: OutputKind = "logits"
    known_by: str = "as the network is built"
    is_assumed: bool = False

    @property
    def is_exclusive(self) -> bool:
        """Whether one class rules the others out, so that probabilities sum to 1."""
        return self.kind in ("logits", "softmax")

    @property
    def has_probabilities(self) -> bool:
        """Whether outputs stand for probabilities at all; plain numbers do not."""
        return self.kind != "numbers"

    @property
    def sentence(self) -> str:
        """One sentence for a reader: what the outputs are, and how that is known."""
        return f"Outputs are {MEANINGS[self.kind]}, {self.known_by}."

    def to_logits(self, values: Float[Tensor, "clip class"]) -> Float[Tensor, "clip class"]:
        """Logits that give the model's probabilities; numbers stay as they are.

        The log of softmax probabilities differs from the logits by a shift for all classes, to which log-odds and
        probabilities are invariant: log p_k − log Σ p_m over m ≠ k is log p_k − log(1 − p_k). Probabilities that are 0 or 1
        to the last digit give the largest finite value; `saturated` says which.
        """
        if self.kind == "softmax":
            return _wide(values).clamp_min(_least(values)).log()
        if self.kind == "sigmoid":
            return _wide(values).clamp(_least(values), _most(values)).logit()
        return values

    def probabilities(self, logits: Float[Tensor, "clip class"]) -> Float[Tensor, "clip class"]:
        """Probability of each class from `to_logits`; plain numbers have none and are returned as they are."""
        if self.kind == "numbers":
            return logits
        return logits.softmax(-1) if self.is_exclusive else logits.sigmoid()

    def saturated(self, logits: Float[Tensor, "clip class"], index: int) -> Bool[Tensor, " clip"]:
        """Clips whose probability of class `index` is 0 or 1 to the last digit, so that its gradient is lost."""
        logit = logits[:, index]
        if self.kind == "softmax" and logits.shape[1] > 1:
            # 1e-3: rounding of the logarithm in the type of the logits.
            floor = math.log(_least(logits)) + 1e-3
            rivals = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
            return (logit <= floor) | (rivals <= floor).all(1)
        if self.kind == "sigmoid":
            edges = torch.tensor([_least(logits), _most(logits)], dtype=logits.dtype, device=logits.device).logit()
            return (logit <= edges[0]) | (logit >= edges[1])
        return torch.zeros_like(logit, dtype=torch.bool)

    def contradiction(self, values: Float[Tensor, "clip class"]) -> str | None:
        """Why these outputs cannot be what they are taken for; `None` if they can."""
        if self.kind in ("softmax", "sigmoid") and not is_fraction(values):
            return f"values from {float(values.min()):.3g} to {float(values.max()):.3g}, which are no probabilities"
        if self.kind == "softmax" and not sums_to_one(values):
            sums = values.float().sum(1)
            return f"rows that sum to {float(sums.min()):.3g} to {float(sums.max()):.3g} instead of 1"
        return None


BUILT_IN_LOGITS = Outputs()
"""Of networks of families that return logits."""


def is_fraction(values: Float[Tensor, "clip class"]) -> bool:
    """Whether all values lie in [0, 1], but for rounding."""
    slack = _rounding(values)
    return bool(((values >= -slack) & (values <= 1 + slack)).all())


def sums_to_one(values: Float[Tensor, "clip class"]) -> bool:
    """Whether each row sums to 1, but for rounding of its type."""
    # Rounding errors of a sum of n terms grow with √n.
    return bool(((values.float().sum(1) - 1).abs() <= _rounding(values) * max(8, values.shape[1] ** 0.5)).all())


def _rounding(values: Tensor) -> float:
    return 4 * torch.finfo(values.dtype).eps


def _wide(values: Tensor) -> Tensor:
    """At least float32: half precision has too few digits for the odds of a probability near 1."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _least(values: Tensor) -> float:
    return torch.finfo(_wide(values).dtype).tiny


def _most(values: Tensor) -> float:
    """The largest number of the outputs' own type below 1."""
    return 1 - torch.finfo(values.dtype).eps / 2
