"""Configurations of Hugging Face video classifiers: read, checked, and what they say of classes and outputs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from video_tcav.core.errors import InputError, ModelError
from video_tcav.core.limits import shortened
from video_tcav.core.text_files import plain_name
from video_tcav.models.class_names import check_class_count, check_class_names
from video_tcav.models.error_lines import first_line
from video_tcav.models.loaders.hf_towers import TOWER_FAMILIES
from video_tcav.models.output_kinds import OutputKind, Outputs
from video_tcav.models.weights.files import check_no_adapter, checkpoint_folder


def _optional(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


transformers, huggingface_hub = _optional("transformers"), _optional("huggingface_hub")
"""Of the extra `hf`; `None` without it."""


def float32_option() -> dict[str, torch.dtype]:
    """The option of `from_pretrained` and `from_config` that builds a network in float32, whatever its configuration says."""
    major, minor = (int(number) for number in transformers.__version__.split(".")[:2])
    return {"dtype" if (major, minor) >= (4, 56) else "torch_dtype": torch.float32}


@dataclass(frozen=True, kw_only=True)
class Family:
    """What differs between the families of classifiers.

    Attributes:
        stride: published distance of frames, by the number of frames.
        frames: name of the configuration's number of frames.
        size: name of the configuration's pixels.
        layers: the containers of encoder layers, inside the backbone.
        fixed_clip: whether frames and size are part of the weights (learned positions).
    """

    stride: Callable[[int], int]
    frames: str = "num_frames"
    size: str = "image_size"
    layers: tuple[str, ...] = ("encoder.layer",)
    fixed_clip: bool = False


FAMILIES: Mapping[str, Family] = {
    # --sampling_rate 4 for Kinetics-400: MCG-NJU/VideoMAE, FINETUNE.md
    "videomae": Family(stride=lambda frames: 4),
    # The model zoo of facebookresearch/TimeSformer (README.md) names its Kinetics models 8x32, 16x16 and 96x4.
    "timesformer": Family(stride=lambda frames: {16: 16, 96: 4}.get(frames, 32), fixed_clip=True),
    # google-research/scenic, projects/vivit/configs/kinetics400/vivit_base_k400.py: 32 frames, stride 2
    "vivit": Family(stride=lambda frames: 2, layers=("layers",), fixed_clip=True),
    # frame_step in facebookresearch/vjepa2, configs/inference: 4 for 16 frames (vitl/ssv2.yaml), 2 for 32
    # (vitl/diving48.yaml) and for 64 (vitg-384/ssv2.yaml).
    "vjepa2": Family(stride=lambda frames: 4 if frames <= 16 else 2, frames="frames_per_clip", size="crop_size"),
    # Frames are spread over the video (`sampling`), so that no stride is published.
    "videoprism_vision_model": Family(
        stride=lambda frames: 1, layers=("spatial_layers", "temporal_layers"), fixed_clip=True
    ),
}


def checkpoint_source(source: str) -> tuple[str, tuple[str, ...]]:
    """The folder itself, or its last checkpoint (with a note) where a trainer left several; hub ids stay as they are."""
    if not Path(source).is_dir():
        return source, ()
    folder, notes = checkpoint_folder(Path(source))
    check_no_adapter(folder, "model")
    return (str(folder) if notes else source), notes


def read_config(source: str, *, has_classes: bool) -> Any:
    """The configuration of a folder or hub id, whose class names are checked unless the user names the classes."""
    try:
        # `id2label` is checked as it stands in the file: the configuration object silently repairs it.
        settings, _ = transformers.PreTrainedConfig.get_config_dict(source)
        _check_labels(settings, f"hf:{source}", has_classes=has_classes)
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
    except ModelError:
        raise
    except (OSError, ValueError) as reason:
        raise ModelError(
            f"`model` must name a folder with config.json, or a model of the Hugging Face hub. Got hf:{source}:"
            f" {first_line(reason)}. Check the name and the connection."
        ) from reason
    if config.model_type in TOWER_FAMILIES and config.model_type != "siglip2":
        return config
    if config.model_type not in FAMILIES:
        families = ", ".join([*FAMILIES, *(name for name in TOWER_FAMILIES if name != "siglip2")])
        raise ModelError(
            f"`model` must be one of the families {families}. Got hf:{source}, which is"
            f" {config.model_type}. Use file: with a function that loads it."
        )
    channels = getattr(config, "num_channels", getattr(config, "in_chans", 3))
    if channels != 3:
        raise ModelError(
            f"`model` must take three channels, red, green and blue. Got hf:{source} with num_channels {channels}."
            " Choose another checkpoint, or wrap it in a module that turns a colour clip into its channels."
        )
    return config


def config_outputs(config: Any) -> Outputs:
    """What the head is trained for, by the rule of transformers' own losses: one label without a word is a regression."""
    kinds: Mapping[str | None, OutputKind] = {
        "multi_label_classification": "sigmoid_logits",
        "regression": "numbers",
        "single_label_classification": "logits",
    }
    problem_type = getattr(config, "problem_type", None)
    if problem_type is None and config.num_labels == 1:
        known_by = "taken for such since a configuration with one label and no problem_type is trained so"
        return Outputs(kind="numbers", known_by=known_by, is_assumed=True)
    if problem_type is None:
        return Outputs(kind="logits", known_by="since its configuration names no other problem_type")
    return Outputs(kind=kinds[problem_type], known_by=f"as its configuration says (problem_type {problem_type})")


def config_classes(config: Any, classes: tuple[str, ...] | None) -> tuple[str, ...]:
    """The user's class names, or else those of the configuration."""
    check_class_count(classes, config.num_labels)
    return classes or tuple(plain_name(str(config.id2label[index])) for index in range(config.num_labels))


def _check_labels(settings: Mapping[str, Any], source: str, *, has_classes: bool) -> None:
    """Refuse an `id2label` that is no list of distinct names for the outputs 0, 1, 2 and so on."""
    labels, count = settings.get("id2label"), settings.get("num_labels")
    if labels is None:
        return
    if not isinstance(labels, Mapping) or not labels:
        raise _label_error(source, f"{type(labels).__name__} {labels!r}"[:80])
    if odd := [key for key in labels if not re.fullmatch("0|[1-9][0-9]{0,8}", str(key))]:
        raise _label_error(source, f"the key {odd[0]!r}")
    ids = sorted(map(int, labels))
    if ids != list(range(len(ids))):
        raise _label_error(source, f"the numbers {shortened([*map(str, ids)], 4)}")
    if isinstance(count, int) and count != len(ids):
        raise _label_error(source, f"{len(ids)} names where num_labels is {count}")
    if has_classes:
        return
    unnamed = [name for name in labels.values() if not isinstance(name, str)]
    if unnamed:
        raise _label_error(source, f"the name {unnamed[0]!r}, which is no text")
    try:
        check_class_names(tuple(labels.values()), f"id2label of {source}")
    except InputError as reason:
        raise ModelError(f"{str(reason).removesuffix(' Correct the list.')} Correct it, or give --classes.") from reason


def _label_error(source: str, value: str) -> ModelError:
    return ModelError(
        f"`id2label` in config.json of {source} must give each output, numbered from 0 on, a name. Got {value}. Correct it."
    )
