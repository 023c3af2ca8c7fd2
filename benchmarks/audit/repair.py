"""Scenes erased from a model with a planted shortcut: what becomes better and what worse, at each layer and kind of CAV.

Swaps are rendered, so that no mask and no paste can spoil them: the motion of one class in the usual scene of another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

import video_tcav as vt
from video_tcav.models.erasure import with_erasure
from video_tcav.rendered import Factors, render, rule_of, sample_factors
from video_tcav.rendered.rules import USUAL_MOTION, USUAL_SCENE
from video_tcav.tcav.erasure import erase_cavs

_CONCEPT_CLIPS, _RANDOM_CLIPS = 40, 120
_BATCH = 50
_SEEDS = {"own": 5, "free": 6, "random": 30, "concepts": 40}


@dataclass(frozen=True, kw_only=True)
class RepairRow:
    """Accuracy and errors of one repaired model, shares of clips.

    Attributes:
        erased: kind of CAV, feature space and layer; `nothing` for the model as it is.
        own: accuracy on clips of its own world, in which the scene goes with the class.
        concept_free: accuracy where scenes are drawn at random.
        sh_acc: swaps of which it says the class of the motion.
        sb_err: swaps of which it says the class of the scene.
    """

    erased: str
    own: float
    concept_free: float
    sh_acc: float
    sb_err: float


def measure_repairs(
    weights: str, correlation: float, *, clips: int, layers: Sequence[str], architecture: str = "r2plus1d"
) -> Iterator[RepairRow]:
    """The model as it is, then with its scenes erased in each way."""
    model = vt.load_model(f"rendered:{architecture}", weights=weights, device="cpu")
    own, own_labels = rule_of("mixed", correlation=correlation).sample(clips, seed=_SEEDS["own"])
    free, free_labels = rule_of("mixed", correlation=0.0).sample(clips, seed=_SEEDS["free"])
    lenders = [_other(label, len(model.classes), number) for number, label in enumerate(free_labels)]
    swaps = [
        factors.with_factor("scene", USUAL_SCENE[model.classes[lender]])
        for factors, lender in zip(free, lenders, strict=True)
    ]
    prepared = {name: _prepared(model, each) for name, each in (("own", own), ("free", free), ("swaps", swaps))}

    def row(erased: str, repaired: vt.VideoModel) -> RepairRow:
        said = {name: _said(repaired, inputs) for name, inputs in prepared.items()}
        return RepairRow(
            erased=erased,
            own=float((said["own"] == own_labels).mean()),
            concept_free=float((said["free"] == free_labels).mean()),
            sh_acc=float((said["swaps"] == free_labels).mean()),
            sb_err=float((said["swaps"] == lenders).mean()),
        )

    yield row("nothing", model)
    concepts = {
        scene: _named(scene, _CONCEPT_CLIPS, _SEEDS["concepts"] + number, scene=scene)
        for number, scene in enumerate(USUAL_SCENE.values())
    }
    pool = _named("random", _RANDOM_CLIPS, _SEEDS["random"])
    for space in ("flatten", "spacetime"):
        for cav in ("mean", "ridge"):
            for layer in layers:
                cavs = vt.learn_cavs(model, concepts=concepts, random=pool, layers=[layer], space=space, cav=cav)
                yield row(f"{cav}, {space}, {layer}", with_erasure(model, erase_cavs(model, cavs)))


def _other(label: int, classes: int, number: int) -> int:
    """Another class, each as often."""
    return (label + 1 + number % (classes - 1)) % classes


def _named(name: str, count: int, seed: int, **factors: str) -> list[tuple[str, Tensor]]:
    drawn = sample_factors(count, seed=seed, motion=tuple(USUAL_MOTION.values()), **factors)
    return [(f"{name}-{number}", render(each).clip) for number, each in enumerate(drawn)]


def _prepared(model: vt.VideoModel, factors: Sequence[Factors]) -> Float[Tensor, "clip ..."]:
    return torch.stack([model.prepare(render(each).clip) for each in factors])


def _said(model: vt.VideoModel, inputs: Float[Tensor, "clip ..."]) -> Int[np.ndarray, " clip"]:
    with torch.no_grad():
        return torch.cat([model.logits(batch) for batch in inputs.split(_BATCH)]).argmax(1).numpy()
