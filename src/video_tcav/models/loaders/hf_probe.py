"""Encoders of Hugging Face with a probe from a file: a linear layer over pooled tokens, or V-JEPA 2's attentive classifier."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, WeightsError
from video_tcav.core.limits import shortened
from video_tcav.models.loaders.hf_adapter import with_adapter
from video_tcav.models.loaders.hf_config import transformers
from video_tcav.models.loaders.hf_pretrained import load_whole_model
from video_tcav.models.weights.loading import Weights, read_weights

Pooling = Literal["mean", "first"]
"""Of tokens, before a linear probe: their mean, or the class token in front."""
_FIRST_TOKEN = ("timesformer", "vivit")
# Of facebookresearch/vjepa2: heads of all published probes, also on the giant encoder, which has 22 itself (num_heads in
# configs/inference/vitg-384/ssv2.yaml); ε of nn.LayerNorm, which its attentive_pooler.py takes.
_META_HEADS, _META_EPS = 16, 1e-5
# Names of facebookresearch/vjepa2 (src/models/attentive_pooler.py) to those of transformers' VJEPA2ForVideoClassification, as its
# published conversion maps them (convert_vjepa2_classifier_to_hf.py).
_RENAMED = (
    (r"cross_attention_block\.norm(\d)\.", r"cross_attention_layer.layer_norm\1."),
    (r"cross_attention_block\.xattn\.(q|k|v)\.", r"cross_attention_layer.cross_attn.\1_proj."),
    (r"cross_attention_block\.mlp\.", r"cross_attention_layer.mlp."),
    (r"pooler\.blocks\.(\d+)\.norm(\d)\.", r"pooler.self_attention_layers.\1.layer_norm\2."),
    (r"pooler\.blocks\.(\d+)\.attn\.(q|k|v)\.", r"pooler.self_attention_layers.\1.self_attn.\2_proj."),
    (r"pooler\.blocks\.(\d+)\.attn\.proj\.", r"pooler.self_attention_layers.\1.self_attn.out_proj."),
    (r"pooler\.blocks\.(\d+)\.mlp\.", r"pooler.self_attention_layers.\1.mlp."),
    (r"^linear\.", "classifier."),
)


class ProbedEncoder(nn.Module):
    """An encoder whose tokens are pooled and classified by a probe; the encoder is `backbone`."""

    def __init__(self, backbone: Any, pooler: nn.Module | None, pooling: Pooling, classifier: nn.Linear) -> None:
        super().__init__()
        self.config, self.main_input_name = backbone.config, backbone.main_input_name
        self.backbone, self.pooler, self.classifier = backbone, pooler, classifier
        self.pooling: Pooling = pooling
        # The predictor of V-JEPA 2 is for its training alone.
        self.options = {"skip_predictor": True} if backbone.config.model_type == "vjepa2" else {}

    def forward(self, **inputs: Tensor) -> Float[Tensor, "clip class"]:
        """Logits of the probe's classes."""
        tokens = self.backbone(**inputs, **self.options).last_hidden_state
        if self.pooler is not None:
            return self.classifier(self.pooler(tokens))
        return self.classifier(tokens[:, 0] if self.pooling == "first" else tokens.mean(1))


def load_probed(source: str, config: Any, probe: str, adapter: Path | None) -> tuple[ProbedEncoder, tuple[str, ...]]:
    """An encoder's folder or hub id with a probe's file, and notes on what it is; an adapter is that of the encoder.

    Raises:
        WeightsError: if the file holds no probe, or one that does not fit the encoder.
        InputError: if its metadata cannot be used.
    """
    weights = read_weights(probe)
    saved = _probe_tensors(weights)
    tensors = _renamed(saved) if "pooler.query_tokens" in saved else saved
    # TimeSformer has no other attention.
    options = {"attn_implementation": "eager"} if config.model_type == "timesformer" else {}
    backbone = load_whole_model(transformers.AutoModel, source, argument="model", config=config, **options)
    notes: tuple[str, ...] = ()
    if adapter is not None:
        backbone, note = with_adapter(backbone, adapter)
        notes = (note,)
    if any(name.startswith("pooler.") for name in tensors):
        settings = _attentive_settings(config, tensors, weights, is_meta=set(saved) != set(tensors))
        module = _attentive(backbone, tensors, weights, settings)
        heads = settings.num_attention_heads
        note = f"The classes are those of an attentive probe of {heads} heads in {probe}, on the encoder hf:{source}."
        return module, (*notes, note)
    module = _linear(backbone, config, tensors, weights)
    words = {"mean": "the mean of all tokens", "first": "the class token"}[module.pooling]
    return module, (
        *notes,
        f"The classes are those of a linear probe in {probe}, on {words} of the encoder hf:{source}.",
    )


def _probe_tensors(weights: Weights) -> dict[str, Tensor]:
    """The tensors of the one probe in a file; of an attentive one without the prefix of their names."""
    candidates = {content.location: dict(content.tensors) for content in weights.state_dicts}
    if weights.choice:
        candidates = {place: content for place, content in candidates.items() if place == weights.choice}
    if len(candidates) != 1:
        places = ", ".join(content.location or "the top" for content in weights.state_dicts)
        raise WeightsError(
            f"`probe` must be one probe. Got {weights.path} with {len(weights.state_dicts)}: {places}. Say which:"
            f" {weights.path}::{weights.state_dicts[0].location}."
        )
    (tensors,) = candidates.values()
    attentive = next((name for name in tensors if name.endswith("pooler.query_tokens")), None)
    if attentive is None:
        return tensors
    prefix = attentive.removesuffix("pooler.query_tokens")
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Joint projections split, and names brought to those of transformers; what has these already stays."""
    split: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        joint = re.search(r"\.(qkv|kv)\.", name)
        if joint is None:
            split[name] = tensor
            continue
        letters = joint[1]
        for letter, piece in zip(letters, tensor.chunk(len(letters)), strict=True):
            split[name.replace(joint[0], f".{letter}.")] = piece
    for pattern, replacement in _RENAMED:
        split = {re.sub(pattern, replacement, name): tensor for name, tensor in split.items()}
    return split


def _attentive_settings(config: Any, tensors: Mapping[str, Tensor], weights: Weights, *, is_meta: bool) -> Any:
    """What transformers builds the pooler of; `is_meta` of probes by the names of facebookresearch/vjepa2."""
    query, width = tensors["pooler.query_tokens"], config.hidden_size
    layers = {match[1] for name in tensors if (match := re.match(r"pooler\.self_attention_layers\.(\d+)\.", name))}
    if query.shape[-1] != width:
        raise WeightsError(
            f"`probe` must be made for the encoder. Got {weights.path} for {query.shape[-1]} features, where the encoder has"
            f" {width}. Give that encoder's probe."
        )
    hidden = tensors.get("pooler.cross_attention_layer.mlp.fc1.weight", torch.zeros(4 * width, 1)).shape[0]
    return transformers.VJEPA2Config(
        hidden_size=width,
        # No shape tells the number of heads.
        num_attention_heads=_heads(weights, width, _META_HEADS if is_meta else config.num_attention_heads),
        mlp_ratio=hidden / width,
        num_pooler_layers=len(layers),
        layer_norm_eps=_META_EPS if is_meta else getattr(config, "layer_norm_eps", 1e-6),
        attn_implementation="sdpa",
    )


def _attentive(backbone: Any, tensors: Mapping[str, Tensor], weights: Weights, settings: Any) -> ProbedEncoder:
    with torch.random.fork_rng(devices=[]):
        poolers = transformers.models.vjepa2.modeling_vjepa2.VJEPA2AttentivePooler(settings)
    classifier = _classifier(tensors, "classifier", settings.hidden_size, weights)
    module = ProbedEncoder(backbone, poolers, "mean", classifier)
    wanted = {f"pooler.{name}" for name in poolers.state_dict()} | {"classifier.weight", "classifier.bias"}
    if wanted != set(tensors):
        missing, surplus = sorted(wanted - set(tensors)), sorted(set(tensors) - wanted)
        raise WeightsError(
            f"`probe` must be an attentive classifier as V-JEPA 2 has it. Got {weights.path} with {len(missing)} missing"
            f" ({shortened(missing, 3)}) and {len(surplus)} unexpected ({shortened(surplus, 3)}). Give the file as it was saved."
        )
    poolers.load_state_dict({name.removeprefix("pooler."): tensors[name] for name in wanted if "pooler" in name})
    return module


def _heads(weights: Weights, width: int, default: int) -> int:
    text = weights.metadata.get("num_heads", str(default))
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text) or width % int(text):
        raise InputError(
            f"`num_heads` in the metadata of {weights.path} must be a number that divides {width}, its features. Got {text!r}"
            f"{'' if 'num_heads' in weights.metadata else ', as published probes have'}. Say it there, in a safetensors file."
        )
    return int(text)


def _linear(backbone: Any, config: Any, tensors: Mapping[str, Tensor], weights: Weights) -> ProbedEncoder:
    matrices = [name for name, tensor in tensors.items() if tensor.ndim == 2 and name.split(".")[-1] == "weight"]
    prefix = matrices[0].removesuffix("weight") if len(matrices) == 1 else ""
    if len(matrices) != 1 or not set(tensors) <= {f"{prefix}weight", f"{prefix}bias"}:
        raise WeightsError(
            f"`probe` must hold one linear layer (weight and bias), or an attentive classifier as V-JEPA 2 has it. Got"
            f" {weights.path} with {shortened(sorted(tensors), 4)}. Save the probe alone."
        )
    default: Pooling = "first" if config.model_type in _FIRST_TOKEN else "mean"
    pooling: Any = weights.metadata.get("pooling", default)
    one_of("pooling", pooling, get_args(Pooling), f"Correct it in the metadata of {weights.path}.")
    classifier = _classifier(tensors, prefix.rstrip("."), config.hidden_size, weights)
    return ProbedEncoder(backbone, None, pooling, classifier)


def _classifier(tensors: Mapping[str, Tensor], name: str, width: int, weights: Weights) -> nn.Linear:
    """The linear layer of that name, for so many features."""
    prefix = f"{name}." if name else ""
    weight, bias = tensors.get(f"{prefix}weight"), tensors.get(f"{prefix}bias")
    if weight is None or weight.ndim != 2 or weight.shape[1] != width:
        shape = "none" if weight is None else tuple(weight.shape)
        raise WeightsError(
            f"`probe` must have a linear layer for {width} features. Got {shape} in {weights.path}. Give that encoder's probe."
        )
    layer: Any = nn.utils.skip_init(nn.Linear, width, weight.shape[0], bias=bias is not None)
    layer.load_state_dict({"weight": weight.float()} | ({} if bias is None else {"bias": bias.float()}))
    return layer
