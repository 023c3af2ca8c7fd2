"""Networks as modules: described as torchvision or Hugging Face publish them, or by `clip_spec` and trial passes."""

from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from functools import partial, reduce
from operator import or_
from typing import Any

import torch
from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError
from video_tcav.models.class_names import numbered_names
from video_tcav.models.clip_fields import MODEL_FIELDS, merge_clip_spec, parse_clip_fields
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.hooks import untouched
from video_tcav.models.layers import noise_clip, stage_layers
from video_tcav.models.loaders.hugging_face import describe_huggingface
from video_tcav.models.loaders.torchvision_zoo import describe_torchvision
from video_tcav.models.output_kinds import Outputs
from video_tcav.models.outputs import output_rows
from video_tcav.models.preprocess import prepare_clip
from video_tcav.models.repeatability import check_repeats, random_state_kept
from video_tcav.models.trial_pass import outputs_of, try_model
from video_tcav.models.video_model import VideoModel
from video_tcav.models.weights.loading import Weights, fit_weights, metadata_classes, metadata_fields
from video_tcav.models.wrappers import described_submodules, unwrapped


def describe_network(
    module: nn.Module,
    content: Weights | None,
    *,
    name: str,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    trained: bool = True,
    allow_impure: bool = False,
) -> VideoModel:
    """Any network as a `VideoModel`, with weights loaded into it; it is put in evaluation mode.

    Args:
        module: takes `(clip, 3, time, height, width)`, or what its `clip_spec` attribute says.
        content: its weights; `None` leaves those that it has.
        name: of the model.
        fields: clip settings that win over the metadata, which wins over the module's `clip_spec`.
        classes: names that win over the metadata.
        trained: whether the weights are trained.
        allow_impure: take a network that is not repeatable.

    Raises:
        WeightsError: if the weights do not fit.
        ModelError: if the module does not take such a clip, returns no logits, or is not repeatable.
        InputError: if the number of classes differs from the outputs.
    """
    module, wrapper_notes = unwrapped(module)
    settings = (metadata_fields(content), fields)
    classes = classes or metadata_classes(content)
    weight_notes = () if content is None else fit_weights(module, content)
    merged = reduce(or_, map(dict, settings))
    published = None
    if getattr(module, "clip_spec", None) is None:
        published = describe_torchvision(module, merged) or describe_huggingface(module, merged)
    if published is None:
        model = _describe_unknown(module, settings, classes, allow_impure)
    else:
        model = _with_head(published, merged, classes, allow_impure)
    notes = (*wrapper_notes, *weight_notes, *model.notes)
    return replace(model, name=name, trained=trained, notes=notes)


def _with_head(
    model: VideoModel, settings: Mapping[str, Any], classes: tuple[str, ...] | None, allow_impure: bool
) -> VideoModel:
    """A network of a known family with its class names where they fit; a replaced head keeps the rest, and is tried."""
    model.module.eval()
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


def _describe_unknown(
    module: nn.Module, settings: Sequence[Mapping[str, Any]], classes: tuple[str, ...] | None, allow_impure: bool
) -> VideoModel:
    """The clip by `clip_spec` and the settings, later ones over earlier ones; everything else by passes of noise clips."""
    evaluation_mode(module)
    declared, notes = _declared_fields(module)
    settings = (declared, *settings)
    spec = reduce(merge_clip_spec, settings, ClipSpec())
    merged = reduce(or_, map(dict, settings))
    model = VideoModel(
        name=type(module).__name__,
        module=module,
        clip_spec=spec,
        classes=classes or (),
        default_layers=(),
        prepare=partial(prepare_clip, spec=spec),
        notes=(*notes, *_assumption_notes(module, spec, merged)),
    )
    with random_state_kept(model.device):
        return _tried(model, merged, classes, allow_impure)


def _tried(
    model: VideoModel, settings: Mapping[str, Any], classes: tuple[str, ...] | None, allow_impure: bool
) -> VideoModel:
    """The model with what passes of noise clips show: outputs, repeatability, stages."""
    trial = try_model(model, classes=classes)
    if "layout" not in settings:
        _check_layout(model)
    width = trial.values.shape[1]
    model = replace(model, classes=classes or numbered_names(width), outputs=outputs_of(trial, settings))
    notes = model.notes
    if not classes and width == model.clip_spec.frames:
        notes = (*notes, f"The {width} outputs are taken for classes, though the clip has as many frames.")
    notes = (*notes, *check_repeats(model, allow_impure=allow_impure))
    return replace(model, default_layers=stage_layers(model), notes=notes)


def _check_layout(model: VideoModel) -> None:
    """Refuse to guess the layout of a network that takes both, and returns other numbers with time and colours exchanged.

    `view(-1, 3, height, width)` cuts frames out of either layout.
    """
    clip = noise_clip(model)
    with untouched(model.module), torch.no_grad():
        try:
            exchanged = output_rows(model.forward(clip.transpose(1, 2)), clips=1)
        except Exception:  # any error of a foreign network: it takes one layout only
            return
        values = output_rows(model.forward(clip), clips=1)
    if exchanged.shape == values.shape and not torch.allclose(exchanged, values, equal_nan=True):
        raise ModelError(
            f"`layout` must be said for a network that takes both. Got none for {type(model.module).__name__}. Set it in"
            " clip_spec on the module: channels_first for (clip, 3, time, height, width), or time_first."
        )


def evaluation_mode(module: nn.Module) -> None:
    """Put a network in evaluation mode.

    Raises:
        ModelError: if it has none, as exported programs (torch.export).
    """
    try:
        module.eval()
    except Exception as reason:  # any error of a foreign network
        raise ModelError(
            f"`model` must have an evaluation mode. Got {typed_first_line(reason)} from {type(module).__name__}. Give the Python"
            " module that it was made of."
        ) from reason


def _declared_fields(module: nn.Module) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Fields of the network's `clip_spec`, or else of the one network that it holds, with a note of that."""
    if getattr(module, "clip_spec", None) is not None:
        return _module_fields(module), ()
    inner = [(name, _module_fields(submodule)) for name, submodule in described_submodules(module)]
    if any(fields != inner[0][1] for _, fields in inner):
        names = " and ".join(name for name, _ in inner[:2])
        raise ModelError(
            f"`clip_spec` of the parts of a network must agree. Got unlike ones in {names}. Set clip_spec on the whole."
        )
    if not inner:
        return {}, ()
    return inner[0][1], (f"The clip is that of clip_spec in {inner[0][0]}, which the network holds.",)


def _assumption_notes(module: nn.Module, spec: ClipSpec, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """A note of the clip's settings that are assumed; empty if none."""
    size = "the video's own size" if spec.size is None else "{} × {} pixels".format(*spec.size)
    words = {
        "frames": f"{spec.frames} frames",
        "size": size,
        "mean": f"mean {spec.mean[0]:g}",
        "std": f"std {spec.std[0]:g}",
        "layout": f"layout {spec.layout}",
    }
    missing = [name for name in words if name not in settings]
    if not set(missing) - {"layout"}:  # the trial clip shows the layout
        return ()
    listed = ", ".join(words[name] for name in missing)
    return (f"Assumed for {type(module).__name__}: {listed}; say {', '.join(missing)}, or set clip_spec.",)


def _module_fields(module: nn.Module) -> Mapping[str, Any]:
    """Settings of the clip and the outputs in a module's `clip_spec`."""
    spec: Any = module.clip_spec
    if isinstance(spec, ClipSpec):
        return {field.name: getattr(spec, field.name) for field in fields_of(spec)}
    if not isinstance(spec, Mapping):
        raise ModelError(
            f"`clip_spec` of the module must be a ClipSpec or a dict. Got {type(spec).__name__}. Correct or remove it."
        )
    unknown = [key for key in spec if key not in MODEL_FIELDS]
    if unknown:
        raise ModelError(
            f"`clip_spec` of the module must hold fields of a ClipSpec, or outputs. Got {unknown[0]!r}. Remove it."
        )
    return parse_clip_fields(spec, source="the module's clip_spec", error=ModelError)
