"""The scalar whose gradient is taken, for one class (Video-TCAV's "target")."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.models.video_model import VideoModel

TargetKind = Literal["log_odds", "logit", "contrast"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One number a clip, computed from the logits.

    Attributes:
        class_index: the class that is explained, k.
        kind: `log_odds` is z_k − logsumexp of all other logits ("why this class at all"), `contrast` is z_k − z_m
            ("why k rather than m"), `logit` is z_k, as in Kim et al. 2018. A raw logit is free up to a shift that
            all classes share, so it can rise where the probability falls.
        other_index: the class m of `contrast`.
    """

    class_index: int
    kind: TargetKind = "log_odds"
    other_index: int | None = None

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
        own = logits[:, self.class_index]
        if self.kind == "logit":
            return own
        if self.kind == "contrast":
            return own - logits[:, self.other_index]
        if logits.shape[1] < 2:
            raise InputError("`log_odds` must have another class to compare with. Got a model of one class. Use logit.")
        others = torch.arange(logits.shape[1], device=logits.device) != self.class_index
        return own - torch.logsumexp(logits[:, others], dim=1)


def parse_target(model: VideoModel, target: str | int, against: str) -> Target:
    """The target that `--target` and `--against` describe.

    Args:
        model: knows the classes.
        target: class name or number.
        against: `log_odds`, `logit` or `contrast:CLASS`.

    Raises:
        ClassNotFoundError: for a class that the model does not have.
        InputError: for another `against`.
    """
    index = model.class_index(target)
    kind, _, other = against.partition(":")
    if kind == "contrast" and other:
        return Target(class_index=index, kind="contrast", other_index=model.class_index(other))
    if against == "log_odds" or against == "logit":
        return Target(class_index=index, kind=against)
    raise InputError(f"`against` must be log_odds, logit or contrast:CLASS. Got {against}. Choose one of them.")
