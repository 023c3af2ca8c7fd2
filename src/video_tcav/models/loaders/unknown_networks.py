"""Networks of an unknown family: what a trial, the weights' metadata and their `clip_spec` tell about them."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from operator import or_
from typing import Any

import torch
from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError
from video_tcav.models.clip_fields import MODEL_FIELDS, merge_clip_spec, parse_clip_fields
from video_tcav.models.hooks import untouched
from video_tcav.models.layers import noise_clip, stage_layers
from video_tcav.models.loaders.known_networks import describe_known
from video_tcav.models.outputs import output_rows
from video_tcav.models.preprocess import prepare_clip
from video_tcav.models.repeatability import check_repeats, random_state_kept
from video_tcav.models.trial_pass import first_line, outputs_of, try_model
from video_tcav.models.video_model import VideoModel
from video_tcav.models.weights.loading import Weights, fit_weights
from video_tcav.models.weights.metadata import metadata_classes, metadata_fields
from video_tcav.models.wrappers import described_parts, unwrapped

_AS_MANY_AS_FRAMES = "The {} outputs are taken for classes, though the clip has as many frames."


def describe_weights(
    module: nn.Module,
    content: Weights | None,
    *,
    name: str,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    trained: bool = True,
    allow_impure: bool = False,
) -> VideoModel:
    """A network of an unknown family with weights loaded into it, and what their metadata says of the clip and classes.

    Args:
        module: the network.
        content: its weights; `None` leaves those that it has.
        name: what to call it.
        fields: clip settings that win over the metadata, which wins over the module's `clip_spec`.
        classes: names that win over the metadata.
        trained: whether the weights mean something.
        allow_impure: take a network that does not repeat itself.

    Raises:
        WeightsError: if the weights do not fit.
        ModelError: as `describe_module` does.
        InputError: if the number of classes differs from the outputs.
    """
    module, wrapper_notes = unwrapped(module)
    settings = (metadata_fields(content), fields)
    classes = classes or metadata_classes(content)
    notes = () if content is None else fit_weights(module, content)
    model = describe_known(
        module, settings=reduce(or_, map(dict, settings)), classes=classes, allow_impure=allow_impure
    )
    if model is None:
        model = describe_module(
            module, name=name, settings=settings, classes=classes, trained=trained, allow_impure=allow_impure
        )
    else:
        model = dataclasses.replace(model, name=name, trained=trained)
    return dataclasses.replace(model, notes=(*wrapper_notes, *notes, *model.notes))


def describe_module(
    module: nn.Module,
    *,
    name: str,
    settings: Sequence[Mapping[str, Any]],
    classes: tuple[str, ...] | None,
    trained: bool = True,
    allow_impure: bool = False,
) -> VideoModel:
    """A network whose family is not known, with what one noise clip tells about it.

    Args:
        module: takes `(clip, 3, time, height, width)`, or what its `clip_spec` attribute says.
        name: what to call it.
        settings: clip settings that win over the module's `clip_spec`, later ones over earlier ones.
        classes: names of the logits; without them they are called by their numbers.
        trained: whether the weights mean something.
        allow_impure: take a network that does not repeat itself.

    Returns:
        The model; the module is put in evaluation mode.

    Raises:
        ModelError: if the module does not take such a clip, returns no logits, or does not repeat itself.
        InputError: if the number of classes differs from the outputs.
    """
    evaluation_mode(module)
    said, notes = _said_of_clip(module)
    settings = (said, *settings)
    spec = reduce(merge_clip_spec, settings, ClipSpec())
    merged = reduce(or_, map(dict, settings))
    notes = (*notes, *_assumed_of_clip(module, spec, merged))
    model = VideoModel(
        name=name,
        module=module,
        clip_spec=spec,
        classes=classes or (),
        default_layers=(),
        prepare=partial(prepare_clip, spec=spec),
        trained=trained,
        notes=notes,
    )
    with random_state_kept(model.device):
        return _tried(model, merged, classes, allow_impure)


def _tried(
    model: VideoModel, settings: Mapping[str, Any], classes: tuple[str, ...] | None, allow_impure: bool
) -> VideoModel:
    """The model with what passes of noise clips tell: outputs, whether it repeats itself, stages."""
    trial = try_model(model, classes=classes)
    if "layout" not in settings:
        _check_layout(model)
    width = trial.values.shape[1]
    names = classes or tuple(str(index) for index in range(width))
    model = dataclasses.replace(model, classes=names, outputs=outputs_of(trial, settings))
    frames = () if classes or width != model.clip_spec.frames else (_AS_MANY_AS_FRAMES.format(width),)
    notes = (*model.notes, *frames, *check_repeats(model, allow_impure=allow_impure))
    return dataclasses.replace(model, default_layers=stage_layers(model), notes=notes)


def _check_layout(model: VideoModel) -> None:
    """Refuse to guess the layout of a network that takes both: `view(-1, 3, height, width)` cuts frames out of either.

    Raises:
        ModelError: if it takes the clip with time and colours exchanged, and answers otherwise.
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
        ModelError: if it has none, as what torch.export makes.
    """
    try:
        module.eval()
    except Exception as reason:  # any error of a foreign network
        raise ModelError(
            f"`model` must have an evaluation mode. Got {first_line(reason)} from {type(module).__name__}. Give the Python"
            " module that it was made of."
        ) from reason


def _said_of_clip(module: nn.Module) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """What the `clip_spec` of the network says, or else that of the one network that it holds, with a note of that."""
    if getattr(module, "clip_spec", None) is not None:
        return _module_fields(module), ()
    inner = [(name, _module_fields(part)) for name, part in described_parts(module)]
    if any(fields != inner[0][1] for _, fields in inner):
        names = " and ".join(name for name, _ in inner[:2])
        raise ModelError(
            f"`clip_spec` of the parts of a network must agree. Got unlike ones in {names}. Set clip_spec on the whole."
        )
    if not inner:
        return {}, ()
    return inner[0][1], (f"The clip is that of clip_spec in {inner[0][0]}, which the network holds.",)


def _assumed_of_clip(module: nn.Module, spec: ClipSpec, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """A note of the clip's settings that nobody gave; empty if none."""
    size = "the video's own size" if spec.size is None else "{} × {} pixels".format(*spec.size)
    words = {
        "frames": f"{spec.frames} frames",
        "size": size,
        "mean": f"mean {spec.mean[0]:g}",
        "std": f"std {spec.std[0]:g}",
        "layout": f"layout {spec.layout}",
    }
    missing = [name for name in words if name not in settings]
    if not set(missing) - {"layout"}:  # that it takes such a clip shows the layout
        return ()
    listed = ", ".join(words[name] for name in missing)
    return (f"Assumed for {type(module).__name__}: {listed}; say {', '.join(missing)}, or set clip_spec.",)


def _module_fields(module: nn.Module) -> Mapping[str, Any]:
    """What the module's own `clip_spec` says about the clip and the outputs; empty without one."""
    own = getattr(module, "clip_spec", None)
    if own is None or isinstance(own, ClipSpec):
        return {} if own is None else {field.name: getattr(own, field.name) for field in dataclasses.fields(own)}
    if not isinstance(own, Mapping):
        raise ModelError(
            f"`clip_spec` of the module must be a ClipSpec or a dict. Got {type(own).__name__}. Correct or remove it."
        )
    unknown = [key for key in own if key not in MODEL_FIELDS]
    if unknown:
        raise ModelError(
            f"`clip_spec` of the module must hold fields of a ClipSpec, or outputs. Got {unknown[0]!r}. Remove it."
        )
    return parse_clip_fields(own, source="the module's clip_spec", error=ModelError)
