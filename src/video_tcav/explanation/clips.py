"""Prepared clips with what the model says about them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.media import LoadedClips
from video_tcav.models import Target, VideoModel, parse_target
from video_tcav.models.hooks import check_finite, untouched
from video_tcav.models.targets import target_name


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One prepared clip, and what the model says about it."""

    model: VideoModel
    loaded: LoadedClips
    window: int
    inputs: Float[Tensor, "one ..."]
    target: Target
    value: float
    probability: float

    @property
    def against(self) -> str:
        """The target's kind as the user writes it."""
        return target_name(self.model, self.target)


def of_any_class(model: VideoModel, against: str) -> Target:
    """What `against` describes, checked before any work; the class is set clip by clip."""
    kind, _, other = against.partition(":")
    first_is_other = kind == "contrast" and bool(other) and model.class_index(other) == 0
    return parse_target(model, model.classes[-1 if first_is_other else 0], against)


def prepared_clips(model: VideoModel, loaded: LoadedClips, aim: Target, *, top: bool) -> Iterator[Clip | InputError]:
    """Each clip, or why it has no target; `top` takes its most probable class in the place of the aim's own."""
    assert loaded.clips is not None
    for window, clip in enumerate(loaded.clips):
        inputs = model.prepare(clip)[None]
        with untouched(model.module), torch.no_grad():
            logits = check_finite(model.logits(inputs), f"the logits of {loaded.source.key}")
        best = int(logits[0].argmax())
        if top and best == aim.other_index:
            yield InputError(
                f"`contrast` must name another class than the most probable one. Got {model.classes[best]} for a clip of"
                f" {loaded.source.key}. Choose another class, or give --target."
            )
            continue
        target = replace(aim, class_index=best) if top else aim
        probability = float(model.outputs.probabilities(logits)[0, target.class_index])
        yield Clip(
            model=model,
            loaded=loaded,
            window=window,
            inputs=inputs,
            target=target,
            value=float(target(logits)[0]),
            probability=probability if model.outputs.has_probabilities else math.nan,
        )
