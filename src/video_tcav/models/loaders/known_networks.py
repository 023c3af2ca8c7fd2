"""Modules in memory that are networks of torchvision or Hugging Face: described as their names would be."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from video_tcav.models.loaders.hugging_face import describe_huggingface, is_huggingface_classifier
from video_tcav.models.loaders.torchvision_zoo import architecture_of, describe_torchvision
from video_tcav.models.output_kinds import Outputs
from video_tcav.models.repeatability import check_repeats, random_state_kept
from video_tcav.models.trial_pass import outputs_of, try_model
from video_tcav.models.video_model import VideoModel


def describe_known(
    module: nn.Module,
    *,
    settings: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool,
) -> VideoModel | None:
    """A network of torchvision or Hugging Face with its published preprocessing, axes, stages and, where they fit, class names.

    A changed head keeps the preprocessing; its outputs are tried.

    Args:
        module: the network, wrappers taken off.
        settings: clip settings that win over the published ones.
        classes: names that win over the published ones.
        allow_impure: take a network that does not repeat itself.

    Returns:
        The model; `None` for a network that is neither, or says by `clip_spec` what it wants.

    Raises:
        ModelError: if it does not take such a clip, or does not repeat itself.
        InputError: if the number of classes differs from the outputs.
    """
    describe = None if getattr(module, "clip_spec", None) is not None else _describer(module)
    if describe is None:
        return None
    module.eval()
    model = describe(settings)
    with random_state_kept(model.device):
        trial = try_model(model, classes=classes)
        width = trial.values.shape[1]
        is_published_head = len(model.classes) == width
        published = model.classes if is_published_head else tuple(str(index) for index in range(width))
        outputs = outputs_of(trial, settings)
        if is_published_head and "outputs" not in settings and _is_configured(model.outputs, outputs):
            outputs = model.outputs
        model = replace(model, classes=classes or published, outputs=outputs)
        return replace(model, notes=(*model.notes, *check_repeats(model, allow_impure=allow_impure)))


def _is_configured(configured: Outputs, tried: Outputs) -> bool:
    """Whether the configuration says what the outputs are; not where a head was put on that makes probabilities of them."""
    if configured.kind == "logits":
        return tried.kind == "logits" and tried.is_assumed
    is_regression = configured.kind == "numbers" and not configured.is_assumed  # whose numbers may lie in [0, 1]
    return is_regression or tried.kind not in ("softmax", "sigmoid")


def _describer(module: nn.Module) -> Callable[[Mapping[str, Any]], VideoModel] | None:
    name = architecture_of(module)
    if name is not None:
        return lambda settings: describe_torchvision(module, name, settings)
    return (lambda settings: describe_huggingface(module, settings)) if is_huggingface_classifier(module) else None
