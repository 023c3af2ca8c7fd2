"""`mmaction:CONFIG.py`: recognizers of mmaction2 by their config and checkpoint, without mmaction2."""

import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError, VideoTcavError
from video_tcav.core.limits import excerpt
from video_tcav.models.class_names import check_class_count, numbered_names
from video_tcav.models.clip_fields import merge_clip_spec, parse_clip_fields
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.loaders.mmaction.clip import prepare_flipped, published_clip
from video_tcav.models.loaders.mmaction.config import Unread, read_config
from video_tcav.models.loaders.mmaction.names import fit_published
from video_tcav.models.loaders.mmaction.recognizer import Recognizer
from video_tcav.models.loaders.mmaction.settings import Component
from video_tcav.models.output_kinds import Outputs
from video_tcav.models.preprocess import prepare_clip
from video_tcav.models.video_model import VideoModel
from video_tcav.models.weights.loading import metadata_classes, read_weights

_UNTRAINED_SEED = 0  # of random weights: the same ones in every run, and in all of its workers
_HERE = __package__
FAMILIES: Mapping[tuple[str, str, str], str] = {
    ("Recognizer2D", "ResNet", "TSNHead"): f"{_HERE}.resnet2d:build_tsn",
    ("Recognizer2D", "ResNetTSM", "TSMHead"): f"{_HERE}.resnet2d:build_tsm",
    ("Recognizer3D", "ResNet3d", "I3DHead"): f"{_HERE}.volumes:build_i3d",
    ("Recognizer3D", "ResNet3dSlowOnly", "I3DHead"): f"{_HERE}.volumes:build_slow_only",
    ("Recognizer3D", "ResNet3dSlowFast", "SlowFastHead"): f"{_HERE}.volumes:build_slow_fast",
    ("Recognizer3D", "SwinTransformer3D", "I3DHead"): f"{_HERE}.torchvision_transformers:build_swin",
    ("Recognizer3D", "MViT", "MViTHead"): f"{_HERE}.torchvision_transformers:build_mvit",
    ("Recognizer3D", "VisionTransformer", "TimeSformerHead"): f"{_HERE}.hf_transformers:build_videomae",
    ("Recognizer3D", "TimeSformer", "TimeSformerHead"): f"{_HERE}.hf_transformers:build_timesformer",
    ("Recognizer3D", "UniFormer", "I3DHead"): f"{_HERE}.uniformer:build_uniformer",
    ("Recognizer3D", "UniFormerV2", "TimeSformerHead"): f"{_HERE}.uniformer_v2:build_uniformer_v2",
    ("Recognizer3D", "UniFormerV2", "UniFormerHead"): f"{_HERE}.uniformer_v2:build_uniformer_v2",
}
"""Builders by recognizer, backbone and head; imported when they are needed."""


def load_mmaction(
    source: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
) -> VideoModel:
    """Loader of `mmaction:CONFIG.py`; arguments as in `ModelLoader.load`, of which `allow_impure` is not used.

    The config is read, not run, and mmaction2 is not needed: networks are built of torchvision's and Hugging Face's modules, or
    of those here, and take checkpoints by their published names.
    """
    config = read_config(Path(source))
    spec_source = f"mmaction:{source}"
    model = _section(config.get("model"), "model", spec_source)
    backbone, head = (model.inner(name) for name in ("backbone", "cls_head"))
    backbone, head = replace(backbone, name="backbone"), replace(head, name="cls_head")
    build = _builder(model, backbone, head)
    clip = published_clip(config, spec_source, frames_in_batch=model.kind == "Recognizer2D")
    published = parse_clip_fields(clip.fields, source=f"the pipeline of {spec_source}", error=ModelError)
    content = None if weights is None else read_weights(weights)
    classes = classes or metadata_classes(content)
    outputs = head.settings.get("num_classes")
    if not isinstance(outputs, int) or outputs < 1:
        raise head.error("have a whole number num_classes", outputs)
    check_class_count(classes, outputs)
    recognizer = _built(build, backbone, head, merge_clip_spec(ClipSpec(**published), fields), outputs)
    spec = merge_clip_spec(ClipSpec(**published, layout=recognizer.layout), fields)
    notes = () if content is None else fit_published(recognizer.module, content, recognizer.names)
    return VideoModel(
        name=spec_source,
        module=recognizer.module.eval(),
        clip_spec=spec,
        classes=classes or numbered_names(outputs),
        default_layers=recognizer.stages,
        prepare=partial(prepare_flipped if clip.flips_colours else prepare_clip, spec=spec),
        input_name=recognizer.input_name,
        declare_axes=recognizer.axes,
        trained=content is not None,
        outputs=_outputs(head),
        notes=(*notes, *clip.notes),
    )


def _section(content: Any, name: str, source: str) -> Component:
    if isinstance(content, Unread):
        raise content.error()
    if not isinstance(content, Mapping):
        raise ModelError(
            f"`{name}` must be a dict in {source}. Got {excerpt(content)}. Check that it is a config of mmaction2."
        )
    return Component(name=name, settings=content, source=source)


def _builder(model: Component, backbone: Component, head: Component) -> Any:
    """The builder of a recognizer, whose parts other than backbone, head and preprocessing would be left out."""
    parts = (model.kind, backbone.kind, head.kind)
    if parts not in FAMILIES:
        families = ", ".join(f"{backbone_type} with {head_type}" for _, backbone_type, head_type in FAMILIES)
        raise ModelError(
            f"`model` must be one of mmaction2's {families}. Got {model.source} with {model.kind}, {backbone.kind} and"
            f" {head.kind}. Use file: with a function that builds it."
        )
    built = {"type", "backbone", "cls_head", "data_preprocessor", "train_cfg", "test_cfg", "init_cfg"}
    others = [key for key, value in model.settings.items() if key not in built and value is not None]
    if others:
        raise model.error(f"have no {others[0]}", model.settings[others[0]])
    return pkgutil.resolve_name(FAMILIES[parts])


def _built(build: Any, backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_UNTRAINED_SEED)
        try:
            return build(backbone, head, spec, outputs)
        except VideoTcavError:
            raise
        except Exception as reason:  # of settings whose values no network can have
            raise backbone.error("have settings that fit together", typed_first_line(reason)) from reason


def _outputs(head: Component) -> Outputs:
    """What the loss says: by default it is cross entropy."""
    loss = head.settings.get("loss_cls", {})
    kind = loss.get("type", "CrossEntropyLoss") if isinstance(loss, Mapping) else ""
    if kind == "BCELossWithLogits" or head.settings.get("multi_class", False):
        return Outputs(kind="sigmoid_logits", known_by=f"as its config says ({kind})")
    if kind == "CrossEntropyLoss":
        return Outputs(kind="logits", known_by="as its config says (CrossEntropyLoss)")
    return Outputs(kind="logits", known_by=f"taken for such since the loss {kind} says nothing else", is_assumed=True)
