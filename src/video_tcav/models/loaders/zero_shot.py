"""Zero-shot classifiers of Hugging Face: classes are the user's words, logits are scaled similarities with their texts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError
from video_tcav.core.limits import excerpt
from video_tcav.core.text_files import plain_name
from video_tcav.models.axes.declared import folded_tokens, videoprism_axes
from video_tcav.models.axes.layer_axes import LayerAxes
from video_tcav.models.clip_fields import merge_clip_spec
from video_tcav.models.layers import evenly_spaced
from video_tcav.models.loaders.hf_adapter import with_adapter
from video_tcav.models.loaders.hf_config import transformers
from video_tcav.models.loaders.hf_preprocess import processor_clip_spec, processor_prepare, quiet
from video_tcav.models.loaders.hf_pretrained import load_processor_part, load_whole_model
from video_tcav.models.loaders.hf_towers import TOWER_FAMILIES, check_tokenizer, cut_texts, embed_texts, pooled
from video_tcav.models.output_kinds import Outputs
from video_tcav.models.video_model import AxesRule, VideoModel

TEMPLATE = "a video of {}"
ZERO_SHOT_FAMILIES = tuple(name for name in TOWER_FAMILIES if name != "siglip2")
"""SigLIP 2 of this type takes patches of any number, not clips."""
_VIDEOPRISM_SCALE = 100.0
"""1 / 0.01: the temperature of google-deepmind/videoprism (colabs/videoprism_video_text_demo.ipynb)."""


class ZeroShotClassifier(nn.Module):
    """The towers with the texts of the classes: similarities of a clip's embedding with theirs, scaled as in training.

    Source:
        Radford et al. 2021, arXiv:2103.00020 (CLIP); Zhai et al. 2023, arXiv:2303.15343 (SigLIP); Ni et al. 2022,
        arXiv:2208.02816 (X-CLIP, equations 7 and 8); Zhao et al. 2024, arXiv:2402.13217 (VideoPrism).
    """

    def __init__(self, towers: Any, kind: str, texts: Float[Tensor, "class feature"]) -> None:
        super().__init__()
        self.texts: Tensor
        self.towers: Any
        self.towers, self.kind = towers, kind
        towers.text_model = None  # its work is done: what it said of the classes is a buffer
        self.register_buffer("texts", texts)

    def forward(self, pixel_values: Float[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip class"]:
        """Logits of the classes."""
        if self.kind == "xclip":
            return self._xclip_logits(pixel_values)
        texts = normalize(self.texts, dim=-1)
        if self.kind == "videoprism":
            clips = normalize(pooled(self.towers.get_video_features(pixel_values_videos=pixel_values)), dim=-1)
            return _VIDEOPRISM_SCALE * clips @ texts.T
        rows = normalize(pooled(self.towers.get_image_features(pixel_values=pixel_values.flatten(0, 1))), dim=-1)
        clips = normalize(rows.unflatten(0, (len(pixel_values), -1)).mean(1), dim=-1)
        logits = self.towers.logit_scale.exp() * clips @ texts.T
        bias = getattr(self.towers, "logit_bias", None)
        return logits if bias is None else logits + bias

    def _xclip_logits(self, pixel_values: Tensor) -> Tensor:
        """Texts are changed by what the clip shows before they are compared with it (video-specific prompts)."""
        towers, clips = self.towers, len(pixel_values)
        images = towers.vision_model(pixel_values=pixel_values.flatten(0, 1))
        frames = towers.visual_projection(images.pooler_output).unflatten(0, (clips, -1))
        video = towers.mit(frames).pooler_output
        patches = towers.prompts_visual_layernorm(images.last_hidden_state[:, 1:]) @ towers.prompts_visual_projection
        patches = patches.unflatten(0, (clips, -1)).mean(1)
        texts = self.texts.expand(clips, -1, -1)
        texts = normalize(texts + towers.prompts_generator(texts, patches), dim=-1)
        return towers.logit_scale.exp() * (texts @ normalize(video, dim=-1)[:, :, None])[:, :, 0]


def load_zero_shot(
    source: str,
    kind: str,
    *,
    fields: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    template: str | None,
    adapter: Path | None,
) -> VideoModel:
    """A zero-shot classifier of a folder or hub id whose family (`kind`) is one of `ZERO_SHOT_FAMILIES`.

    Args:
        source: folder or hub id, with tokenizer and processor.
        kind: its family.
        fields: clip settings that win over those of the processor.
        classes: the words.
        template: the text of a class, with `{}` where its name goes; by default `TEMPLATE`.
        adapter: folder of a PEFT adapter of the towers.

    Raises:
        ModelError: without classes, with a single one that excludes none, or for a template that says the same of all of them.
    """
    if not classes:
        raise ModelError(
            f"`classes` must name what hf:{source} is to tell apart: it compares clips with texts. Got none. Give --classes"
            " with a name a line, and --classes-text if “a video of” does not fit them."
        )
    if len(classes) == 1 and fields.get("outputs", _outputs(kind).kind) in ("logits", "softmax"):
        raise ModelError(
            f"`classes` must be two or more that exclude each other. Got {classes[0]!r} alone for hf:{source}: its probability"
            " would always be 1. Name what else may be there, too."
        )
    template = TEMPLATE if template is None else template
    if "{}" not in template:
        raise ModelError(f"`classes_text` must have {{}} where the class goes. Got {template!r}. Write “{TEMPLATE}”.")
    towers: Any = load_whole_model(transformers.AutoModel, source, argument="model").eval()
    notes: tuple[str, ...] = ()
    if adapter is not None:
        towers, note = with_adapter(towers, adapter)
        notes = (note,)
    tokenizer = load_processor_part(transformers.AutoTokenizer, source, "tokenizer", argument="model")
    check_tokenizer(tokenizer, source, "model")
    auto = transformers.AutoVideoProcessor if kind == "videoprism" else transformers.AutoImageProcessor
    processor = load_processor_part(auto, source, "image or video processor", argument="model")
    texts = [template.replace("{}", plain_name(name)) for name in classes]
    with torch.no_grad(), quiet():
        if cut := cut_texts(towers, tokenizer, texts):
            notes += (
                f"{len(cut)} of {len(texts)} texts of classes are longer than the text tower takes, and are cut, such as"
                f" {excerpt(cut[0])}.",
            )
        rows = embed_texts(towers, tokenizer, kind, texts, torch.device("cpu"))
    _check_distinct(rows, classes, source)
    spec = _clip_spec(towers.config, kind, processor, fields, source)
    module = ZeroShotClassifier(towers, kind, rows).eval()
    return VideoModel(
        name=f"hf:{source}",
        module=module,
        clip_spec=spec,
        classes=classes,
        default_layers=_stages(module, kind),
        prepare=processor_prepare(processor, spec, overridden=frozenset(fields)),
        declare_axes=_axes(towers.config.vision_config, kind, spec),
        outputs=_outputs(kind),
        notes=(
            *notes,
            f"Classes are texts, the first “{texts[0]}”; logits are the scaled similarities of a clip with them.",
        ),
    )


def _outputs(kind: str) -> Outputs:
    if kind == "siglip":  # each pair of picture and text is right or wrong by itself
        return Outputs(
            kind="sigmoid_logits", known_by="as SigLIP is trained (say --outputs logits if one class is right)"
        )
    return Outputs(kind="logits", known_by="as the scaled similarities of a clip with texts are trained")


def _check_distinct(rows: Tensor, classes: tuple[str, ...], source: str) -> None:
    """Refuse classes whose texts the tower cannot tell apart: words that its tokenizer lacks, or texts that are cut."""
    for index in range(1, len(rows)):
        same = (rows[:index] == rows[index]).all(1).nonzero()
        if len(same):
            raise ModelError(
                f"`classes` must be texts that hf:{source} tells apart. Got {classes[int(same[0])]!r} and {classes[index]!r},"
                " which are the same to its tokenizer. Use other words, or a shorter classes_text."
            )


def _clip_spec(config: Any, kind: str, processor: Any, fields: Mapping[str, Any], source: str) -> ClipSpec:
    family, side = TOWER_FAMILIES[kind], config.vision_config.image_size
    size = (side, side) if isinstance(side, int) else tuple(side)
    frames = family.frames_of(config)
    # Published examples and evaluations spread the frames over the video.
    published = replace(processor_clip_spec(processor, frames=frames, stride=1), sampling="uniform")
    spec = merge_clip_spec(published, fields)
    if spec.size != size or (spec.frames != frames and not family.by_frame):
        raise ModelError(
            f"`frames` and `size` of hf:{source} must be {frames} and {size}, as its configuration says. Got {spec.frames} and"
            f" {spec.size or 'native'}. Leave them out."
        )
    return spec


def _stages(module: Any, kind: str) -> tuple[str, ...]:
    """Four layers of the vision tower at even distances.

    The last layer of CLIP is left out, because its head reads the class token alone and the other tokens have no gradient.
    """
    if kind == "videoprism":
        tower, containers = "towers.video_model.vision_model", ("spatial_layers", "temporal_layers")
    else:
        tower, containers = "towers.vision_model", ("encoder.layers",)
    names = [
        f"{tower}.{container}.{name}"
        for container in containers
        for name, _ in module.get_submodule(f"{tower}.{container}").named_children()
    ]
    reads_class_token = kind in ("clip", "metaclip_2")
    return evenly_spaced(names[:-1] if reads_class_token and len(names) > 1 else names)


def _axes(config: Any, kind: str, spec: ClipSpec) -> AxesRule:
    if kind == "videoprism":
        return videoprism_axes(config)
    prefix_tokens, patch = int(kind != "siglip"), config.patch_size

    def rule(layer: str, shape: tuple[int, ...], clip_shape: tuple[int, int, int]) -> LayerAxes | None:
        time, height, width = clip_shape
        if not layer.startswith("towers.vision_model.encoder.layers"):
            return None
        return folded_tokens(shape, (time, height // patch, width // patch), prefix_tokens=prefix_tokens)

    return rule
