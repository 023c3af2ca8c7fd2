"""Target: the scalar of one class whose gradient is taken (log-odds, logit, contrast, or a plain number)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import InputError, NonFiniteError
from video_tcav.models.output_kinds import OutputKind, Outputs
from video_tcav.models.video_model import VideoModel

TargetKind = Literal["log_odds", "logit", "contrast", "number"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One number a clip, computed from the logits.

    Attributes:
        class_index: the class that is explained, k.
        kind: `log_odds` is z_k − logsumexp of all other logits ("why this class at all"), `contrast` is z_k − z_m
            ("why k rather than m"), `logit` is z_k, as in Kim et al. 2018. A raw logit is free up to a shift that
            all classes share, so it can rise where the probability falls. Where classes do not exclude each other, the
            log-odds of a class are its logit. `number` is the output of a regression, in its own unit.
        other_index: the class m of `contrast`.
        outputs: what the model's outputs are.
    """

    class_index: int
    kind: TargetKind = "log_odds"
    other_index: int | None = None
    outputs: OutputKind = "logits"

    def __post_init__(self) -> None:
        if (self.kind == "contrast") != (self.other_index is not None):
            raise InputError(
                f"`contrast` must name a second class, and only it. Got {self.kind} with {self.other_index}. "
                "Write contrast:CLASS."
            )
        if self.other_index == self.class_index:
            raise InputError(
                "`contrast` must name another class than the target. Got the same one. Choose another class."
            )

    def __call__(self, logits: Float[Tensor, "clip class"]) -> Float[Tensor, " clip"]:
        values = self._values(logits)
        if values.requires_grad and self.outputs in ("softmax", "sigmoid"):
            # Saturated probabilities have no gradient.
            lost = int(Outputs(kind=self.outputs).saturated(logits.detach(), self.class_index).sum())
            if lost:
                raise NonFiniteError(
                    f"`model` must return probabilities that are not exactly 0 or 1, where no gradient is left. Got such ones"
                    f" for {lost} of {len(logits)} clips. Give the model without its final {self.outputs}."
                )
        return values

    def _values(self, logits: Float[Tensor, "clip class"]) -> Float[Tensor, " clip"]:
        logit = logits[:, self.class_index]
        if self.kind == "contrast":
            return logit - logits[:, self.other_index]
        if self.kind in ("logit", "number") or not Outputs(kind=self.outputs).is_exclusive:
            return logit
        if logits.shape[1] < 2:
            raise InputError(
                "`log_odds` must have another class to compare with. Got a model of one class."
                " Say what its output is: --outputs sigmoid_logits, sigmoid or numbers."
            )
        # log p_k / (1 − p_k) = z_k − log Σ exp z_m over all m ≠ k
        rivals = torch.arange(logits.shape[1], device=logits.device) != self.class_index
        return logit - torch.logsumexp(logits[:, rivals], dim=1)


def parse_target(model: VideoModel, target: str | int, against: str) -> Target:
    """The target that `--target` and `--against` describe.

    Args:
        model: knows the classes, and what its outputs are.
        target: class name or number.
        against: `log_odds`, `logit` or `contrast:CLASS`; for a regression, whose target is its number, `log_odds` or `number`.

    Raises:
        ClassNotFoundError: for a class that the model does not have.
        InputError: for another `against`, or one that the model's outputs do not have.
    """
    index, outputs = model.class_index(target), model.outputs.kind
    kind, _, contrast = against.partition(":")
    if outputs == "numbers":
        if against in ("log_odds", "number"):  # log_odds is the default of every command
            return Target(class_index=index, kind="number", outputs=outputs)
        raise InputError(
            f"`against` must be number where outputs are plain numbers. Got {against}. Leave it out, or say what the outputs are."
        )
    if kind == "contrast" and contrast:
        return Target(class_index=index, kind="contrast", other_index=model.class_index(contrast), outputs=outputs)
    if against == "logit" and outputs == "softmax":
        raise InputError(
            "`against` must be log_odds or contrast:CLASS where outputs are softmax probabilities, which leave no logits."
            " Got logit. Leave it out."
        )
    if against == "log_odds" or against == "logit":
        return Target(class_index=index, kind=against, outputs=outputs)
    raise InputError(f"`against` must be log_odds, logit or contrast:CLASS. Got {against}. Choose one of them.")


def target_name(model: VideoModel, target: Target) -> str:
    """The target's kind as a user writes it: `log_odds`, `logit`, `number` or `contrast:CLASS`."""
    return target.kind if target.other_index is None else f"contrast:{model.classes[target.other_index]}"
