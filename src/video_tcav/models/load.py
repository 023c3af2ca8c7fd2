"""`load_model`: a video classifier from a spec (torchvision, Hugging Face, a Python file, ONNX, …), a model file, a module."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from video_tcav.core.clip_spec import Sampling, Short
from video_tcav.core.errors import InputError, ModelError
from video_tcav.models.class_names import read_classes
from video_tcav.models.clip_fields import parse_clip_fields
from video_tcav.models.devices import pick_device
from video_tcav.models.erasure import load_erasure, with_erasure
from video_tcav.models.loaders.loader import LOADERS, OUTPUT_OPTIONS
from video_tcav.models.loaders.networks import describe_network
from video_tcav.models.model_file import is_model_file, read_model_file
from video_tcav.models.output_kinds import OutputKind
from video_tcav.models.trial_pass import outputs_of, try_model
from video_tcav.models.video_model import VideoModel
from video_tcav.models.weights.loading import read_weights

_log = logging.getLogger(__name__)


def load_model(
    spec: str | Path | nn.Module,
    *,
    weights: str | Path | None = None,
    frames: int | None = None,
    stride: int | None = None,
    size: int | tuple[int, int] | str | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    classes: str | Path | Sequence[str] | None = None,
    outputs: OutputKind | None = None,
    sampling: Sampling | None = None,
    short: Short | None = None,
    classes_text: str | None = None,
    adapter: str | Path | None = None,
    probe: str | Path | None = None,
    head: str | None = None,
    at_time: float | None = None,
    at_box: str | Sequence[float] | None = None,
    erased: str | Path | None = None,
    allow_impure: bool = False,
    device: str | torch.device | None = None,
) -> VideoModel:
    """Load a video classifier by its spec.

    Args:
        spec: `torchvision:swin3d_t`, `hf:user/model` or `hf:folder`, `file:path/to/model.py:function`, `hub:folder:entry`,
            `mmaction:config.py`, `onnx:model.onnx`, `rendered:r2plus1d-motion` (a small network with a known cause), a scheme
            of a plug-in, or a module. A `file:` or `hub:` runs as Python: load only what you trust. Or the path of a model file
            or experiment file, `model.yaml`, with `#NAME` where it has several models; the other arguments win over what it
            says.
        weights: published weights by name (`KINETICS400_V1`, torchvision only; `DEFAULT`, also `hub:`) or a file of tensors,
                never unpickled here.
        frames: frames in a clip.
        stride: take every so many frames of the video; turns off a published frame rate.
        size: pixels, `(height, width)`, their text (`96x128`), or `native` for the video's own size.
        mean: one number or three, on values in [0, 1].
        std: one number or three, on values in [0, 1].
        classes: names of the logits, or a file of them (one a line, numbered, or in JSON).
        outputs: what the network returns: `logits`, `softmax` (probabilities that sum to 1), `sigmoid_logits` or `sigmoid`
            (multi-label or a single output), or `numbers` (regression); by default what its configuration says, or what a
            trial shows.
        sampling: `dense` for neighbouring frames, `uniform` for frames spread over the whole video.
        short: what happens to a video with fewer frames than a clip: `skip`, `pad` or `loop`.
        classes_text: the text of a class for zero-shot models, with `{}` where its name goes: `a video of {}`.
        adapter: folder of a PEFT adapter, which is merged into the model.
        probe: file of a linear or attentive probe, where the model is an encoder.
        head: which output is explained, of a network that returns several by name or number.
        at_time: which second of the clip is explained, of a network that returns a row a frame.
        at_box: which box of the picture is explained, of a network that takes clips and boxes: left, top, right and bottom in
            fractions of the prepared clip, or their text.
        erased: concepts to take out of a layer, as `video-tcav erase` wrote them for these weights.
        allow_impure: take a network of your own that is not repeatable: other outputs each time, or among other clips.
        device: `auto` takes the first GPU that is available, of NVIDIA, AMD or Apple; the default, but for a model file's.

    Returns:
        The model in evaluation mode. Arguments win over what the weights say, and these over what the module says.

    Raises:
        ModelError: if the spec leads to no usable model.
        ExperimentError: if a model file cannot be used, with the line of a mistake.
        WeightsError: if the weights, or what is erased, cannot be read safely or do not fit.
        InputError: if a setting cannot be used.
        MissingExtraError: if `hf:` is asked for without its extra.
    """
    settings: dict[str, Any] = {"frames": frames, "stride": stride, "size": size, "mean": mean, "std": std}
    settings |= {"outputs": outputs, "sampling": sampling, "short": short}
    extras: dict[str, Any] = {"classes_text": classes_text, "adapter": adapter, "probe": probe}
    extras |= {"head": head, "at_time": at_time, "at_box": at_box}
    if isinstance(spec, str | Path) and is_model_file(str(spec)):
        options = settings | extras | {"weights": weights, "classes": classes, "erased": erased, "device": device}
        given = {name: value for name, value in options.items() if value is not None}
        in_file = read_model_file(str(spec)).model_dump()
        return load_model(**{**in_file, **given, "allow_impure": allow_impure or in_file["allow_impure"]})
    spec = str(spec) if isinstance(spec, Path) else spec
    fields = parse_clip_fields(settings, source="the options")
    target = pick_device(device or "auto")
    given_extras = {name: value for name, value in extras.items() if value is not None}
    given_extras |= {name: Path(given_extras[name]) for name in ("adapter", "probe") if name in given_extras}
    weights_source = None if weights is None else str(weights)
    model = _load(spec, weights_source, fields, read_classes(classes), allow_impure, given_extras)
    model.module.to(target)
    if erased is not None:
        model = with_erasure(model, load_erasure(erased), in_place=not isinstance(spec, nn.Module))
    name = type(spec).__name__ if isinstance(spec, nn.Module) else spec
    _log.info("model %s: %s frames of %s pixels, on %s", name, model.clip_spec.frames, model.clip_spec.size, target)
    for note in model.notes:
        _log.info("model %s: %s", name, note)
    if isinstance(spec, nn.Module):
        return model
    # Workers load it again without deciding again whether it may be used: here it has passed, or was allowed.
    recipe = {"spec": spec, "weights": weights, "classes": classes, "erased": erased, "allow_impure": True}
    return replace(model, recipe=recipe | settings | extras)


def _load(
    spec: str | nn.Module,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool,
    extras: Mapping[str, Any],
) -> VideoModel:
    if isinstance(spec, nn.Module):
        _check_extras(extras, OUTPUT_OPTIONS, type(spec).__name__)
        content = None if weights is None else read_weights(weights)
        return describe_network(spec, content, fields=fields, classes=classes, allow_impure=allow_impure, **extras)
    scheme, _, source = spec.partition(":")
    if scheme not in LOADERS.names() or not source:
        *schemes, last = (f"{name}:" for name in LOADERS.names())
        raise ModelError(
            f"`model` must start with {', '.join(schemes)} or {last}. Got {spec!r}."
            " Write torchvision:r3d_18, hf:user/model, file:path/to/model.py:function, or the path of a model file, model.yaml."
        )
    loader = LOADERS[scheme]
    # Loaders of other packages need not know of options that they do not take.
    _check_extras(extras, getattr(loader, "takes", frozenset()), spec)
    model = loader.load(source, weights=weights, fields=fields, classes=classes, allow_impure=allow_impure, **extras)
    if loader.has_trial or not {"frames", "size", "outputs"} & set(fields):
        return model
    # Options differ from what the network was published for: a trial shows whether it takes them.
    trial = try_model(model)
    return replace(model, outputs=outputs_of(trial, fields)) if "outputs" in fields else model


def _check_extras(extras: Mapping[str, Any], taken: Collection[str], model: str) -> None:
    surplus = [name for name in extras if name not in taken]
    if surplus:
        name = surplus[0]
        raise InputError(f"`{name}` must go with a model that takes it. Got {extras[name]} for {model}. Leave it out.")
