"""Models of Hugging Face: its video classifiers, encoders with probes, zero-shot models, and adapters on any of them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from video_tcav.core.errors import MissingExtraError, ModelError
from video_tcav.models.axes.declared import huggingface_axes
from video_tcav.models.class_names import check_class_count, numbered_names, order_notes
from video_tcav.models.clip_fields import merge_clip_spec
from video_tcav.models.layers import evenly_spaced
from video_tcav.models.loaders.hf_adapter import (
    adapter_folder,
    adapter_tensors,
    brought_names,
    head_outputs,
    with_adapter,
)
from video_tcav.models.loaders.hf_config import (
    FAMILIES,
    Family,
    checkpoint_source,
    config_classes,
    config_outputs,
    read_config,
    transformers,
)
from video_tcav.models.loaders.hf_preprocess import (
    load_processor,
    processor_clip_spec,
    processor_in_memory,
    processor_prepare,
    quiet,
)
from video_tcav.models.loaders.hf_probe import ProbedEncoder, load_probed
from video_tcav.models.loaders.hf_weights import load_classifier
from video_tcav.models.loaders.zero_shot import ZERO_SHOT_FAMILIES, load_zero_shot
from video_tcav.models.output_kinds import Outputs
from video_tcav.models.video_model import VideoModel

SSV2_CLASSES = 174
"""Classes of Something-Something V2, by which its checkpoints are recognised."""
_UNIFORM_SSV2 = ("videomae", "timesformer")


def load_huggingface(
    source: str,
    *,
    weights: str | None,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    allow_impure: bool = False,
    classes_text: str | None = None,
    adapter: Path | None = None,
    probe: Path | None = None,
) -> VideoModel:
    """Loader of `hf:ID` and `hf:FOLDER`; arguments as in `ModelLoader.load`, of which `allow_impure` is not used.

    Never runs code that comes with a checkpoint.

    Args:
        source: hub id or folder.
        weights: a file instead of the checkpoint's own weights.
        fields: see `ModelLoader.load`.
        classes: likewise.
        allow_impure: likewise.
        classes_text: of zero-shot models, the text of a class.
        adapter: folder of a PEFT adapter.
        probe: file of a linear or attentive probe, where the source is an encoder.
    """
    if transformers is None:
        raise MissingExtraError("hf", f"hf:{source}")
    adapter = None if adapter is None else adapter_folder(adapter)
    with quiet():
        folder, notes = checkpoint_source(source)
        config = read_config(folder, has_classes=classes is not None or probe is not None or adapter is not None)
        if config.model_type in ZERO_SHOT_FAMILIES:
            _refuse(f"hf:{source}, a zero-shot model", weights=weights, probe=probe)
            return load_zero_shot(
                folder, config.model_type, fields=fields, classes=classes, template=classes_text, adapter=adapter
            )
        _refuse(f"hf:{source}, which has a head of its own", classes_text=classes_text)
        family = FAMILIES[config.model_type]
        _apply_clip(config, family, fields, source)
        if probe is not None:
            _refuse(f"hf:{source} with a probe", weights=weights)
            module, weights_notes = load_probed(folder, config, str(probe), adapter)
        else:
            module, weights_notes = _adapted_classifier(folder, config, weights, adapter)
        processor, note = load_processor(folder, config.model_type, _square(getattr(config, family.size)))
    # In float32 also where the checkpoint is in half precision: that is a choice of the recording, not of the file.
    notes = (*notes, *filter(None, [note]), *weights_notes)
    return _described(f"hf:{source}", module.float().eval(), processor, fields, classes, notes)


def _adapted_classifier(
    folder: str, config: Any, weights: str | None, adapter: Path | None
) -> tuple[Any, tuple[str, ...]]:
    """A classifier with an adapter merged into it, which may bring the head along."""
    if adapter is None:
        return load_classifier(folder, config, weights)
    tensors = adapter_tensors(adapter)
    outputs = head_outputs(tensors)
    if outputs is not None:
        config.id2label = {index: f"LABEL_{index}" for index in range(outputs)}
    module, notes = load_classifier(folder, config, weights, brought=brought_names(tensors))
    module, note = with_adapter(module, adapter)
    if outputs is not None:
        note += (
            f" It brings a head of {outputs} classes, which may not be the base model's: say their names by classes. What the"
            " outputs are is taken from the base model, too: say --outputs if it was trained for another kind."
        )
    return module, (*notes, note)


def _refuse(model: str, **options: object) -> None:
    """Refuse the options that a model cannot take."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ModelError(
            f"`{given[0]}` must go with a model that takes it. Got {options[given[0]]} for {model}. Leave it out."
        )


def describe_huggingface(module: nn.Module, fields: Mapping[str, Any]) -> VideoModel | None:
    """A module in memory as the video classifier of Hugging Face that it is, whatever its head; `None` if it is none.

    Its class names are those of its configuration; they may not fit the head.
    """
    kind = type(module).__name__
    if transformers is None or not isinstance(module, transformers.PreTrainedModel):
        return None
    config: Any = module.config
    if config.model_type not in FAMILIES or not kind.endswith("ForVideoClassification"):
        return None
    family = FAMILIES[config.model_type]
    frames, size = getattr(config, family.frames), _square(getattr(config, family.size))
    for field, configured in (("frames", frames), ("size", size)):
        if fields.get(field, configured) != configured:
            raise ModelError(
                f"`{field}` of {kind} in memory must be {configured}. Got {fields[field] or 'native'}. Leave it"
                " out, or build the network for it."
            )
    processor, note = processor_in_memory(config.name_or_path, config.model_type, size)
    return _described(kind, module, processor, fields, None, (note,))


def _described(
    name: str,
    module: Any,
    processor: Any,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    notes: tuple[str, ...],
) -> VideoModel:
    config, family = module.config, FAMILIES[module.config.model_type]
    frames, size = getattr(config, family.frames), _square(getattr(config, family.size))
    published = processor_clip_spec(processor, frames=frames, stride=family.stride(frames))
    # MCG-NJU/VideoMAE tests its Something-Something models on frames spread over the whole video (ssv2.py, test_mode).
    # So does facebookresearch/TimeSformer (timesformer/datasets/ssv2.py), whatever its sampling rate says.
    is_ssv2 = config.model_type in _UNIFORM_SSV2 and getattr(config, "num_labels", 0) == SSV2_CLASSES
    if is_ssv2 or config.model_type == "videoprism_vision_model":
        published = replace(published, sampling="uniform")
    spec = merge_clip_spec(published, fields)
    if spec.size != size:
        raise ModelError(
            f"`size` of {name} must be {size}, as its configuration says. Got {spec.size or 'native'}."
            f" Give size={size[0]}, or another checkpoint."
        )
    is_probed = isinstance(module, ProbedEncoder)
    named = _probe_classes(module, classes) if is_probed else config_classes(config, classes)
    if not is_probed:
        notes = (*notes, *order_notes(classes, config_classes(config, None), "config.json"))
    backbone = "backbone" if is_probed else module.base_model_prefix
    return VideoModel(
        name=name,
        module=module,
        clip_spec=spec,
        classes=named,
        default_layers=_stages(module, backbone, family),
        prepare=processor_prepare(processor, spec, overridden=frozenset(fields)),
        input_name=module.main_input_name,
        declare_axes=huggingface_axes(config, backbone),
        outputs=_PROBE_OUTPUTS if is_probed else config_outputs(config),
        notes=notes,
    )


_PROBE_OUTPUTS = Outputs(kind="logits", known_by="taken for such since a file of a probe does not say", is_assumed=True)


def _probe_classes(module: ProbedEncoder, classes: tuple[str, ...] | None) -> tuple[str, ...]:
    outputs = module.classifier.out_features
    check_class_count(classes, outputs)
    return classes or numbered_names(outputs)


def _apply_clip(config: Any, family: Family, fields: Mapping[str, Any], source: str) -> None:
    """Put frames and size into the configuration, where positions are computed; refuse them where they are learned."""
    for name, key in (("frames", family.frames), ("size", family.size)):
        if name not in fields:
            continue
        configured, value = getattr(config, key), fields[name]
        if value == (configured if name == "frames" else _square(configured)):
            continue
        number = value if name == "frames" else value[0] if value and value[0] == value[1] else None
        if family.fixed_clip or number is None:
            raise ModelError(
                f"`{name}` of hf:{source} must be {configured if family.fixed_clip else 'one number'}."
                f" Got {value or 'native'}. Leave it out."
            )
        setattr(config, key, number)


def _stages(module: Any, backbone: str, family: Family) -> tuple[str, ...]:
    """Four encoder layers at even distances.

    Where the head reads the first token alone, the patch tokens of the last layer have no gradient: it is left out.
    """
    config = module.config
    names = [
        f"{backbone}.{container}.{name}"
        for container in family.layers
        for name, _ in module.get_submodule(f"{backbone}.{container}").named_children()
    ]
    if isinstance(module, ProbedEncoder):
        first_token = module.pooler is None and module.pooling == "first"
    else:
        first_token = config.model_type in ("timesformer", "vivit") or not getattr(config, "use_mean_pooling", True)
    return evenly_spaced(names[:-1] if first_token and len(names) > 1 else names)


def _square(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)
