"""Modules in memory that are networks of torchvision or Hugging Face: described as if loaded by their names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from video_tcav.models.class_names import numbered_names
from video_tcav.models.loaders.hugging_face import describe_huggingface
from video_tcav.models.loaders.torchvision_zoo import describe_torchvision
from video_tcav.models.output_kinds import Outputs
from video_tcav.models.repeatability import check_repeats, random_state_kept
from video_tcav.models.trial_pass import outputs_of, try_model
from video_tcav.models.video_model import VideoModel


def describe_known(
    module: nn.Module, *, settings: Mapping[str, Any], classes: tuple[str, ...] | None, allow_impure: bool
) -> VideoModel | None:
    """A network of torchvision or Hugging Face with its published preprocessing, axes, stages and, where they fit, class names.

    A replaced head keeps the preprocessing; its outputs are tried.

    Args:
        module: the network, without wrappers.
        settings: clip settings that win over the published ones.
        classes: names that win over the published ones.
        allow_impure: take a network that is not repeatable.

    Returns:
        The model; `None` for a network of neither family, or with a `clip_spec` of its own.

    Raises:
        ModelError: if it does not take such a clip, or is not repeatable.
        InputError: if the number of classes differs from the outputs.
    """
    if getattr(module, "clip_spec", None) is not None:
        return None
    model = describe_torchvision(module, settings) or describe_huggingface(module, settings)
    if model is None:
        return None
    module.eval()
    with random_state_kept(model.device):
        trial = try_model(model, classes=classes)
        width = trial.values.shape[1]
        is_published_head = len(model.classes) == width
        outputs = outputs_of(trial, settings)
        if is_published_head and "outputs" not in settings and _is_configured(model.outputs, outputs):
            outputs = model.outputs
        published = model.classes if is_published_head else numbered_names(width)
        model = replace(model, classes=classes or published, outputs=outputs)
        return replace(model, notes=(*model.notes, *check_repeats(model, allow_impure=allow_impure)))


def _is_configured(configured: Outputs, tried: Outputs) -> bool:
    """Whether the configuration says what the outputs are; not where an added head turns them into probabilities."""
    if configured.kind == "logits":
        return tried.kind == "logits" and tried.is_assumed
    is_regression = configured.kind == "numbers" and not configured.is_assumed  # whose numbers may lie in [0, 1]
    return is_regression or tried.kind not in ("softmax", "sigmoid")
