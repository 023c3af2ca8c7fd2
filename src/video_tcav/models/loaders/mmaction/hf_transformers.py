"""VideoMAE and TimeSformer of mmaction2 configs, built of Hugging Face's modules, which compute the same."""

from typing import Any

from torch import nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MissingExtraError
from video_tcav.models.loaders.hf_config import transformers
from video_tcav.models.loaders.hugging_face import describe_huggingface
from video_tcav.models.loaders.mmaction.names import NameRules
from video_tcav.models.loaders.mmaction.recognizer import Recognizer
from video_tcav.models.loaders.mmaction.settings import Component

VIDEOMAE_NAMES: NameRules = (
    (r"^videomae\.embeddings\.patch_embeddings\.", "backbone.patch_embed."),
    (r"^videomae\.embeddings\.position_embeddings$", "backbone.pos_embed"),
    (r"^videomae\.encoder\.layer\.", "backbone.blocks."),
    (r"\.attention\.attention\.query\.weight$", ".attn.qkv.weight#0"),
    (r"\.attention\.attention\.key\.weight$", ".attn.qkv.weight#1"),
    (r"\.attention\.attention\.value\.weight$", ".attn.qkv.weight#2"),
    (r"\.attention\.attention\.query\.bias$", ".attn.q_bias"),
    (r"\.attention\.attention\.value\.bias$", ".attn.v_bias"),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.layers.0.0."),
    (r"\.output\.dense\.", ".mlp.layers.1."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"^fc_norm\.", "backbone.fc_norm."),
    (r"^classifier\.", "cls_head.fc_cls."),
)
_TIMESFORMER_ENDS: NameRules = (
    (r"^timesformer\.embeddings\.patch_embeddings\.", "backbone.patch_embed."),
    (r"^timesformer\.embeddings\.cls_token$", "backbone.cls_token"),
    (r"^timesformer\.embeddings\.position_embeddings$", "backbone.pos_embed"),
    (r"^timesformer\.embeddings\.time_embeddings$", "backbone.time_embed"),
    (r"^timesformer\.encoder\.layer\.", "backbone.transformer_layers.layers."),
    (r"^timesformer\.layernorm\.", "backbone.norm."),
    (r"^classifier\.", "cls_head.fc_cls."),
    (r"\.intermediate\.dense\.", ".ffns.0.layers.0.0."),
    (r"(\d)\.output\.dense\.", r"\1.ffns.0.layers.1."),
)
DIVIDED_NAMES: NameRules = (
    *_TIMESFORMER_ENDS,
    (r"\.temporal_layernorm\.", ".attentions.0.norm."),
    (r"\.temporal_attention\.attention\.qkv\.", ".attentions.0.attn.in_proj_"),
    (r"\.temporal_attention\.output\.dense\.", ".attentions.0.attn.out_proj."),
    (r"\.temporal_dense\.", ".attentions.0.temporal_fc."),
    (r"\.layernorm_before\.", ".attentions.1.norm."),
    (r"\.attention\.attention\.qkv\.", ".attentions.1.attn.in_proj_"),
    (r"\.attention\.output\.dense\.", ".attentions.1.attn.out_proj."),
    (r"\.layernorm_after\.", ".ffns.0.norm."),
)
JOINT_NAMES: NameRules = (
    *_TIMESFORMER_ENDS,
    (r"\.attention\.attention\.qkv\.", ".attentions.0.attn.in_proj_"),
    (r"\.attention\.output\.dense\.", ".attentions.0.attn.out_proj."),
    (r"\.layernorm_before\.", ".norms.0."),
    (r"\.layernorm_after\.", ".norms.1."),
)
_TIMESFORMER_NAMES = {"divided_space_time": DIVIDED_NAMES, "joint_space_time": JOINT_NAMES}
"""By `attention_type`; Hugging Face does not average the frames of `space_only`."""
_VIDEOMAE_FIXED = {
    "in_channels": (3,),
    "qkv_bias": (True,),
    "qk_scale": (None,),
    "init_values": (0, 0.0),  # no factors of residual branches
    "use_mean_pooling": (True,),
    "return_feat_map": (False,),
    "act_cfg": ({"type": "GELU"},),
}
_TIMESFORMER_FIXED = {
    "in_channels": (3,),
    "transformer_layers": (None,),
    "attention_type": tuple(_TIMESFORMER_NAMES),
}


def build_videomae(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `VisionTransformer` with a `TimeSformerHead`.

    Source:
        Tong et al. 2022, arXiv:2203.12602; mmaction2 1.2.0, models/backbones/vit_mae.py.
    """
    defaults = {
        **{"img_size": 224, "patch_size": 16, "embed_dims": 768, "depth": 12, "num_heads": 12, "mlp_ratio": 4.0},
        **{"num_frames": 16, "tubelet_size": 2, "use_learnable_pos_emb": False},
    }
    settings = backbone.checked(defaults, _VIDEOMAE_FIXED)
    head.checked({"num_classes": None}, {})
    backbone.check_clip(spec, frames=settings["num_frames"], size=settings["img_size"])
    config = _library().VideoMAEConfig(
        **_shared_sizes(settings, outputs, layers=settings["depth"], mlp_ratio=settings["mlp_ratio"]),
        tubelet_size=settings["tubelet_size"],
        layer_norm_eps=backbone.layer_norm_eps(1e-6),
        use_mean_pooling=True,
    )
    module = _library().VideoMAEForVideoClassification(config)
    # A plain attribute there, and a buffer that may be learned in published checkpoints.
    embeddings = module.videomae.embeddings
    positions = embeddings.position_embeddings
    del embeddings.position_embeddings
    embeddings.register_buffer("position_embeddings", positions)
    return _recognizer(module, VIDEOMAE_NAMES)


def build_timesformer(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `TimeSformer` with divided or joint attention and a `TimeSformerHead`.

    Source:
        Bertasius et al. 2021, arXiv:2102.05095; mmaction2 1.2.0, models/backbones/timesformer.py.
    """
    defaults = {
        **{"num_frames": None, "img_size": None, "patch_size": None, "embed_dims": 768, "num_heads": 12},
        "num_transformer_layers": 12,
    }
    settings = backbone.checked(defaults, _TIMESFORMER_FIXED)
    head.checked({"num_classes": None}, {})
    backbone.check_clip(spec, frames=settings["num_frames"], size=settings["img_size"])
    layers = settings["num_transformer_layers"]
    attention = backbone.settings.get("attention_type", "divided_space_time")
    # The ε of the layers is fixed there; `norm_cfg` is that of the last normalisation alone.
    if backbone.layer_norm_eps(1e-6) != 1e-6:
        raise backbone.error("normalise with an eps of 1e-6", backbone.settings["norm_cfg"])
    config = _library().TimesformerConfig(
        **_shared_sizes(settings, outputs, layers=layers, mlp_ratio=4),
        attention_type=attention,
        layer_norm_eps=1e-6,
        drop_path_rate=0,
    )
    # Its other attention implementations are not there.
    config._attn_implementation = "eager"
    return _recognizer(_library().TimesformerForVideoClassification(config), _TIMESFORMER_NAMES[attention])


def _shared_sizes(settings: dict[str, Any], outputs: int, *, layers: int, mlp_ratio: float) -> dict[str, Any]:
    width = settings["embed_dims"]
    return {
        **{
            "image_size": settings["img_size"],
            "patch_size": settings["patch_size"],
            "num_frames": settings["num_frames"],
        },
        **{"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": settings["num_heads"]},
        **{"intermediate_size": int(width * mlp_ratio), "num_labels": outputs},
    }


def _library() -> Any:
    if transformers is None:
        raise MissingExtraError("hf", "VideoMAE and TimeSformer of mmaction2")
    return transformers


def _recognizer(module: nn.Module, names: NameRules) -> Recognizer:
    described = describe_huggingface(module.eval(), {})
    assert described is not None
    return Recognizer(
        module=module,
        names=names,
        stages=described.default_layers,
        axes=described.declare_axes,
        layout="time_first",
        input_name=described.input_name,
    )
