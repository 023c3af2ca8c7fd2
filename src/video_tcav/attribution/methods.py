"""All methods that need a model and clips alone, by the names that the command line calls them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from video_tcav.attribution.ablationcam import AblationCAM
from video_tcav.attribution.eigencam import EigenCAM
from video_tcav.attribution.extremal import ExtremalPerturbation
from video_tcav.attribution.gradcam import GradCAM
from video_tcav.attribution.gradcam_plus_plus import GradCAMPlusPlus
from video_tcav.attribution.hirescam import HiResCAM
from video_tcav.attribution.input_gradient import InputXGradient
from video_tcav.attribution.integrated_gradients import IntegratedGradients
from video_tcav.attribution.layercam import LayerCAM
from video_tcav.attribution.method import Method
from video_tcav.attribution.occlusion import Occlusion
from video_tcav.attribution.perturbation import Baseline
from video_tcav.attribution.rise import RISE
from video_tcav.attribution.rollout import AttentionRollout
from video_tcav.attribution.scorecam import ScoreCAM
from video_tcav.attribution.smoothgrad import SmoothGrad
from video_tcav.attribution.temporal_mask import TemporalMask
from video_tcav.attribution.xgradcam import XGradCAM
from video_tcav.core.errors import MethodError

METHODS: Mapping[str, type[Method]] = {
    method.name: method
    for method in (
        GradCAM,
        HiResCAM,
        GradCAMPlusPlus,
        XGradCAM,
        LayerCAM,
        EigenCAM,
        ScoreCAM,
        AblationCAM,
        AttentionRollout,
        InputXGradient,
        IntegratedGradients,
        SmoothGrad,
        Occlusion,
        RISE,
        ExtremalPerturbation,
        TemporalMask,
    )
}
"""By name; `ConceptMap` is not among them: it needs CAVs."""


def make_method(
    name: str,
    *,
    layers: Sequence[str] | None = None,
    baseline: Baseline | None = None,
    seed: int | None = None,
) -> Method:
    """A method by its name, with the given settings and its own defaults for the rest.

    Args:
        name: a key of `METHODS`.
        layers: where it looks, for a method that looks at layers; its own choice if not given.
        baseline: what is shown where a clip is hidden, for a method that hides parts of it.
        seed: for a method that draws at random; not looked at by others.

    Raises:
        MethodError: for another name, layers for a method that looks at pixels, or a baseline for one that hides nothing.
        InputError: for another baseline.
    """
    known = settings_of(name)
    given: dict[str, Any] = {"layers": tuple(layers) if layers else None, "baseline": baseline}
    settings = {setting: value for setting, value in given.items() if value is not None}
    for setting in settings:
        if setting not in known:
            raise MethodError(
                f"`{setting}` must go with a method that {LOOKS[setting]}. Got {name}, which does not. Leave it out."
            )
    if seed is not None and "seed" in known:
        settings["seed"] = seed
    return METHODS[name](**settings)


def settings_of(name: str) -> set[str]:
    """The settings that a method has.

    Raises:
        MethodError: for a name that is not known.
    """
    if name not in METHODS:
        raise MethodError(f"`method` must be one of {', '.join(METHODS)}. Got {name!r}. Choose one of them.")
    return {field.name for field in fields(METHODS[name])}


LOOKS = {"layers": "looks at layers", "baseline": "hides parts of the clip"}
"""What a method does that has a setting."""
