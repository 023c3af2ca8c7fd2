"""Networks as modules: described as torchvision or Hugging Face publish them, or by `clip_spec` and trial passes."""

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError
from video_tcav.models.box_input import check_takes_boxes, parse_box
from video_tcav.models.class_names import numbered_names, order_notes
from video_tcav.models.clip_fields import MODEL_FIELDS, merge_clip_spec, merge_fields, parse_clip_fields
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.hooks import untouched
from video_tcav.models.layers import noise_clip, stage_layers
from video_tcav.models.loaders.hugging_face import describe_huggingface
from video_tcav.models.loaders.packages import known_network
from video_tcav.models.output_kinds import BUILT_IN_LOGITS, Outputs
from video_tcav.models.output_part import output_part
from video_tcav.models.outputs import output_rows
from video_tcav.models.preprocess import prepare_clip
from video_tcav.models.repeatability import check_repeats, random_state_kept
from video_tcav.models.streams import STREAM_NOTE, stream_cleaners
from video_tcav.models.trial_pass import outputs_of, try_model
from video_tcav.models.video_model import VideoModel
from video_tcav.models.weights.loading import Weights, fit_weights, metadata_classes, metadata_fields
from video_tcav.models.wrappers import unwrapped

_PACKAGE_LOGITS = Outputs(kind="logits", known_by="as its package builds the head")


def describe_network(
    module: nn.Module,
    content: Weights | None,
    *,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    name: str = "",
    trained: bool = True,
    allow_impure: bool = False,
    published: Mapping[str, Any] = MappingProxyType({}),
    head: str | None = None,
    at_time: float | None = None,
    at_box: str | Sequence[float] | None = None,
) -> VideoModel:
    """Any network as a `VideoModel`, with weights loaded into it; it is put in evaluation mode.

    Args:
        module: takes `(clip, 3, time, height, width)`, or what its `clip_spec` attribute says.
        content: its weights; `None` leaves those that it has.
        fields: clip settings that win over the metadata, which wins over the module's `clip_spec`.
        classes: names that win over the metadata.
        name: of the model; by default that of the network's class.
        trained: whether the weights are trained.
        allow_impure: see `ModelLoader.load`.
        published: clip settings that the module's `clip_spec` wins over.
        head: see `load_model`.
        at_time: likewise.
        at_box: likewise.
    """
    module, wrapper_notes = unwrapped(module)
    settings = merge_fields(metadata_fields(content), fields)
    classes = classes or metadata_classes(content)
    weight_notes = () if content is None else fit_weights(module, content)
    model = None
    if getattr(module, "clip_spec", None) is None and not published:
        model = _describe_torchvision(module, settings) or describe_huggingface(module, settings)
    _evaluation_mode(module)
    if model is None:
        declared, clip_notes = _declared_fields(module)
        settings = merge_fields(published, declared, settings)
        model = _unknown_network(module, settings, clip_notes)
    if at_box is not None:
        check_takes_boxes(module)
        model = replace(model, box=parse_box(at_box))
    with random_state_kept(model.device):
        part = output_part(model, head=head, at_time=at_time, classes=None if classes is None else len(classes))
        model = replace(model, part=part)
        model = _tried(model, settings, classes)
        _check_box(model)
        impurities = check_repeats(model, allow_impure=allow_impure)
        stages = model.default_layers or stage_layers(model)
    streams = (STREAM_NOTE,) if stream_cleaners(module) else ()
    moment = () if at_time is None else (f"Explained is the output at {at_time:g} s: {part}, counted from 0.",)
    notes = (*wrapper_notes, *weight_notes, *model.notes, *streams, *moment, *impurities)
    return replace(model, name=name or type(module).__name__, trained=trained, default_layers=stages, notes=notes)


def _describe_torchvision(module: nn.Module, settings: Mapping[str, Any]) -> VideoModel | None:
    """As `describe_torchvision`, which is imported only for a module of torchvision's: that is an extra."""
    if not type(module).__module__.startswith("torchvision."):
        return None
    return pkgutil.resolve_name("video_tcav.models.loaders.torchvision_zoo:describe_torchvision")(module, settings)


def _unknown_network(module: nn.Module, settings: Mapping[str, Any], notes: tuple[str, ...]) -> VideoModel:
    """The clip by the settings; outputs, classes, and what its class does not tell, are left to passes of noise clips."""
    spec = merge_clip_spec(ClipSpec(), settings)
    known = known_network(module)
    return VideoModel(
        name=type(module).__name__,
        module=module if known is None else known.module.eval(),
        clip_spec=spec,
        classes=(),
        default_layers=() if known is None else known.stages,
        declare_axes=None if known is None else known.axes,
        outputs=_PACKAGE_LOGITS if known is not None and known.keeps_logits else BUILT_IN_LOGITS,
        prepare=partial(prepare_clip, spec=spec),
        notes=(*notes, *_assumption_notes(module, spec, settings)),
    )


def _tried(model: VideoModel, settings: Mapping[str, Any], classes: tuple[str, ...] | None) -> VideoModel:
    """The model with the classes and outputs that a trial shows; a published network keeps its own where they fit."""
    is_published = bool(model.classes)
    trial = try_model(model, classes=classes)
    if not is_published and "layout" not in settings:
        _check_layout(model)
    width = trial.values.shape[1]
    outputs, notes = outputs_of(trial, settings), model.notes
    if not is_published and not classes and width == model.clip_spec.frames:
        notes = (*notes, f"The {width} outputs are taken for classes, though the clip has as many frames.")
    # A replaced head has another number of outputs, and may be trained for something else.
    is_published_head = len(model.classes) == width
    says_outputs = is_published_head or model.outputs is _PACKAGE_LOGITS
    if says_outputs and "outputs" not in settings and _is_configured(model.outputs, outputs):
        outputs = model.outputs
    notes = (*notes, *order_notes(classes, model.classes, "the published network"))
    names = model.classes if is_published_head else numbered_names(width)
    return replace(model, classes=classes or names, outputs=outputs, notes=notes)


def _is_configured(configured: Outputs, tried: Outputs) -> bool:
    """Whether the configuration says what the outputs are; not where an added head turns them into probabilities."""
    if configured.kind == "logits":
        return tried.kind == "logits" and tried.is_assumed
    is_regression = configured.kind == "numbers" and not configured.is_assumed  # whose numbers may lie in [0, 1]
    return is_regression or tried.kind not in ("softmax", "sigmoid")


def _check_box(model: VideoModel) -> None:
    """Refuse a network whose outputs do not depend on the box: its second argument is something else."""
    if model.box is None:
        return
    clip, left = noise_clip(model), (0.0, 0.0, 0.5, 1.0)
    other = (0.5, 0.0, 1.0, 1.0) if model.box == left else left
    with untouched(model.module), torch.no_grad():
        if torch.equal(model.values(clip), replace(model, box=other).values(clip)):
            raise ModelError(
                f"`at_box` must go with a network that reads boxes. Got {type(model.module).__name__}, whose outputs are the"
                " same with another box. Leave it out."
            )


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


def _evaluation_mode(module: nn.Module) -> None:
    try:
        module.eval()
    except Exception as reason:  # any error of a foreign network; exported programs (torch.export) have no such mode
        raise ModelError(
            f"`model` must have an evaluation mode. Got {typed_first_line(reason)} from {type(module).__name__}. Give the Python"
            " module that it was made of."
        ) from reason


def _declared_fields(module: nn.Module) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Fields of the network's `clip_spec`, or else of the one network that it holds, with a note of that."""
    if getattr(module, "clip_spec", None) is not None:
        return _module_fields(module), ()
    inner = {
        name: _module_fields(submodule)
        for name, submodule in module.named_modules()
        if getattr(submodule, "clip_spec", None) is not None
    }
    first = next(iter(inner), "")
    if any(fields != inner[first] for fields in inner.values()):
        names = " and ".join([*inner][:2])
        raise ModelError(
            f"`clip_spec` of the parts of a network must agree. Got unlike ones in {names}. Set clip_spec on the whole."
        )
    return (
        (inner[first], (f"The clip is that of clip_spec in {first}, which the network holds.",)) if inner else ({}, ())
    )


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
        return vars(spec)
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
