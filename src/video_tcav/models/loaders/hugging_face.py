"""The video classifiers of Hugging Face: VideoMAE, TimeSformer, ViViT, V-JEPA 2."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, MissingExtraError, ModelError
from video_tcav.core.text_files import plain_name
from video_tcav.models.axes.declared import huggingface_axes
from video_tcav.models.clip_fields import merge_clip_spec
from video_tcav.models.layers import evenly_spaced
from video_tcav.models.loaders.hf_labels import check_labels
from video_tcav.models.loaders.hf_preprocess import (
    load_processor,
    processor_clip_spec,
    processor_in_memory,
    processor_prepare,
    quiet,
)
from video_tcav.models.loaders.hf_weights import error_line, load_classifier
from video_tcav.models.output_kinds import OutputKind, Outputs
from video_tcav.models.video_model import VideoModel, no_declared_axes
from video_tcav.models.weights.files import check_no_adapter, checkpoint_folder

try:
    import transformers
except ImportError:  # the extra `hf`
    transformers = None


def _videomae_stride(frames: int) -> int:
    return 4  # --sampling_rate 4 for Kinetics-400: MCG-NJU/VideoMAE, FINETUNE.md


def _timesformer_stride(frames: int) -> int:
    # The model zoo of facebookresearch/TimeSformer (README.md) names its Kinetics models 8x32, 16x16 and 96x4.
    return {16: 16, 96: 4}.get(frames, 32)


def _vivit_stride(frames: int) -> int:
    return 2  # google-research/scenic, projects/vivit/configs/kinetics400/vivit_base_k400.py: 32 frames, stride 2


def _vjepa2_stride(frames: int) -> int:
    # frame_step in facebookresearch/vjepa2, configs/inference: 4 for 16 frames (vitl/ssv2.yaml), 2 for 32
    # (vitl/diving48.yaml) and for 64 (vitg-384/ssv2.yaml).
    return 4 if frames <= 16 else 2


@dataclass(frozen=True, kw_only=True)
class _Family:
    """What differs between the families.

    Attributes:
        frames: name of the configuration's number of frames.
        size: name of the configuration's pixels.
        layers: the encoder layers, inside the backbone.
        stride: published distance of frames, by the number of frames.
        fixed_clip: whether frames and size are part of the weights (learned positions).
    """

    frames: str
    size: str
    layers: str
    stride: Callable[[int], int]
    fixed_clip: bool


SSV2_CLASSES = 174
"""Classes of Something-Something V2, by which its checkpoints are known."""

FAMILIES: Mapping[str, _Family] = {
    "videomae": _Family(
        frames="num_frames", size="image_size", layers="encoder.layer", stride=_videomae_stride, fixed_clip=False
    ),
    "timesformer": _Family(
        frames="num_frames", size="image_size", layers="encoder.layer", stride=_timesformer_stride, fixed_clip=True
    ),
    "vivit": _Family(frames="num_frames", size="image_size", layers="layers", stride=_vivit_stride, fixed_clip=True),
    "vjepa2": _Family(
        frames="frames_per_clip", size="crop_size", layers="encoder.layer", stride=_vjepa2_stride, fixed_clip=False
    ),
}


def load_huggingface(
    source: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
) -> VideoModel:
    """A video classifier from the Hugging Face hub or a local folder; never runs code that comes with it.

    Args:
        source: hub id, or folder with config.json.
        weights: a weights file to load instead of the published ones.
        fields: clip settings that win over the published ones.
        classes: names that win over the configuration's.
        allow_impure: unused: published networks are repeatable.

    Returns:
        The model on the CPU.

    Raises:
        MissingExtraError: without transformers.
        ModelError: if the source is no such model, or its configuration contradicts itself.
        WeightsError: if the weights cannot be read safely, or hold no classifier.
        InputError: if the number of classes differs from the outputs.
    """
    if transformers is None:
        raise MissingExtraError("hf", f"hf:{source}")
    with quiet():
        folder, notes = _folder(source)
        config = _config(folder, named=classes is not None)
        family = FAMILIES[config.model_type]
        _apply_clip(config, family, fields, source)
        module, weights_notes = load_classifier(folder, config, weights)
        processor = load_processor(folder, config.model_type, _square(getattr(config, family.size)))
    spec = merge_clip_spec(_published_spec(config, family, processor), fields)
    wanted = _square(getattr(config, family.size))
    if spec.size != wanted:
        raise ModelError(
            f"`size` of hf:{source} must be {wanted}, as its configuration says. Got {spec.size or 'native'}."
            f" Give size={wanted[0]}, or another checkpoint."
        )
    return VideoModel(
        name=f"hf:{source}",
        module=module.float().eval(),
        clip_spec=spec,
        classes=_classes(config, classes),
        default_layers=_stages(module, config, family),
        prepare=processor_prepare(processor, spec, overridden=frozenset(fields)),
        input_name=module.main_input_name,
        declare_axes=huggingface_axes(config, module.base_model_prefix) or no_declared_axes,
        trained=True,
        outputs=_outputs(config),
        notes=(*notes, *weights_notes),
    )


def is_huggingface_classifier(module: nn.Module) -> bool:
    """Whether a module is a video classifier of one of the known families."""
    if transformers is None or not isinstance(module, transformers.PreTrainedModel):
        return False
    return module.config.model_type in FAMILIES and type(module).__name__.endswith("ForVideoClassification")


def describe_huggingface(module: Any, fields: Mapping[str, Any]) -> VideoModel:
    """A module in memory as the video classifier of Hugging Face that it is.

    Args:
        module: the network, with any head.
        fields: clip settings that win over the published ones.

    Returns:
        The model, with the class names of its configuration; they may not fit the head.

    Raises:
        ModelError: if frames or size differ from its configuration.
    """
    config, family = module.config, FAMILIES[module.config.model_type]
    frames, size = getattr(config, family.frames), _square(getattr(config, family.size))
    for field, own in (("frames", frames), ("size", size)):
        if fields.get(field, own) != own:
            raise ModelError(
                f"`{field}` of {type(module).__name__} in memory must be {own}. Got {fields[field] or 'native'}. Leave it"
                " out, or build the network for it."
            )
    processor, note = processor_in_memory(config.name_or_path, config.model_type, size)
    spec = merge_clip_spec(_published_spec(config, family, processor), fields)
    if spec.size != size:
        raise ModelError(
            f"`size` of {type(module).__name__} in memory must be {size}, as its configuration says. Got"
            f" {spec.size or 'native'} from its processor. Give size={size[0]}."
        )
    return VideoModel(
        name=type(module).__name__,
        module=module,
        clip_spec=spec,
        classes=_classes(config, None),
        default_layers=_stages(module, config, family),
        prepare=processor_prepare(processor, spec, overridden=frozenset(fields)),
        input_name=module.main_input_name,
        declare_axes=huggingface_axes(config, module.base_model_prefix) or no_declared_axes,
        outputs=_outputs(config),
        notes=(note,),
    )


def _outputs(config: Any) -> Outputs:
    """What the head is trained for, by the rule of transformers' own losses: one label without a word is a regression."""
    kinds: Mapping[str | None, OutputKind] = {
        "multi_label_classification": "sigmoid_logits",
        "regression": "numbers",
        "single_label_classification": "logits",
    }
    said = getattr(config, "problem_type", None)
    if said is None and config.num_labels == 1:
        known_by = "taken for such since a configuration with one label and no problem_type is trained so"
        return Outputs(kind="numbers", known_by=known_by, is_assumed=True)
    if said is None:
        return Outputs(kind="logits", known_by="since its configuration names no other problem_type")
    return Outputs(kind=kinds[said], known_by=f"as its configuration says (problem_type {said})")


def _folder(source: str) -> tuple[str, tuple[str, ...]]:
    """The folder itself, or its last checkpoint where a trainer left several; hub ids stay as they are."""
    if not Path(source).is_dir():
        return source, ()
    folder, notes = checkpoint_folder(Path(source))
    check_no_adapter(folder, "model")
    return (str(folder) if notes else source), notes


def _config(source: str, *, named: bool) -> Any:
    """The configuration, whose class names are checked unless the user names the classes."""
    assert transformers is not None
    try:
        settings, _ = transformers.PreTrainedConfig.get_config_dict(source)
    except (OSError, ValueError) as reason:
        raise _no_config(source, reason) from reason
    check_labels(settings, f"hf:{source}", named=named)
    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as reason:
        raise _no_config(source, reason) from reason
    if config.model_type not in FAMILIES:
        raise ModelError(
            f"`model` must be one of the families {', '.join(FAMILIES)}. Got hf:{source}, which is"
            f" {config.model_type}. Use file: with a function that loads it."
        )
    channels = getattr(config, "num_channels", getattr(config, "in_chans", 3))
    if channels != 3:
        raise ModelError(
            f"`model` must take three channels, red, green and blue. Got hf:{source} with num_channels {channels}."
            " Choose another checkpoint, or wrap it in a module that turns a colour clip into its channels."
        )
    return config


def _no_config(source: str, reason: Exception) -> ModelError:
    return ModelError(
        f"`model` must name a folder with config.json, or a model of the Hugging Face hub. Got hf:{source}:"
        f" {error_line(reason)}. Check the name and the connection."
    )


def _apply_clip(config: Any, family: _Family, fields: Mapping[str, Any], source: str) -> None:
    """Put frames and size into the configuration, where positions are computed; refuse them where they are learned."""
    for name, key in (("frames", family.frames), ("size", family.size)):
        if name not in fields:
            continue
        own = getattr(config, key)
        given: Any = fields[name]
        if given == (own if name == "frames" else _square(own)):
            continue
        number = given if name == "frames" else given[0] if given and given[0] == given[1] else None
        if family.fixed_clip or number is None:
            raise ModelError(
                f"`{name}` of hf:{source} must be {own if family.fixed_clip else 'one number'}."
                f" Got {given or 'native'}. Leave it out."
            )
        setattr(config, key, number)


def _published_spec(config: Any, family: _Family, processor: Any) -> ClipSpec:
    frames = getattr(config, family.frames)
    spec = processor_clip_spec(processor, frames=frames, stride=family.stride(frames))
    # MCG-NJU/VideoMAE tests its Something-Something models on frames spread over the whole video (ssv2.py, test_mode).
    spread = config.model_type == "videomae" and config.num_labels == SSV2_CLASSES
    return replace(spec, sampling="uniform") if spread else spec


def _classes(config: Any, classes: tuple[str, ...] | None) -> tuple[str, ...]:
    own = tuple(plain_name(str(config.id2label[index])) for index in range(config.num_labels))
    if classes is not None and len(classes) != len(own):
        raise InputError(
            f"`classes` must name the {len(own)} outputs of the model. Got {len(classes)} names."
            " Give the list that the model was trained with."
        )
    return classes or own


def _stages(module: nn.Module, config: Any, family: _Family) -> tuple[str, ...]:
    """Four encoder layers at even distances.

    Where the head reads the first token alone, the patch tokens of the last layer have no gradient: it is left out.
    """
    holder = f"{module.base_model_prefix}.{family.layers}"
    names = [f"{holder}.{name}" for name, _ in module.get_submodule(holder).named_children()]
    first_token = config.model_type in ("timesformer", "vivit") or not getattr(config, "use_mean_pooling", True)
    return evenly_spaced(names[:-1] if first_token and len(names) > 1 else names)


def _square(size: int | list[int] | tuple[int, int]) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width
