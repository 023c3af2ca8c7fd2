"""Small configs in the format of mmaction2 1.x: one for each family, as `_base_` model and pipelines."""

from pathlib import Path
from typing import Any

from video_tcav.models import load_model
from video_tcav.models.video_model import VideoModel

HEAD = "num_classes=3, average_clips='prob'"
PREPROCESSOR = (
    "data_preprocessor=dict(type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],"
)
PATHWAY = "type='resnet3d', depth=50, pretrained=None, stage_blocks=(1, 1, 1, 1), conv1_stride_t=1, pool1_stride_t=1"


def recognizer(dimensions: int, backbone: str, head: str, more: str = "") -> str:
    """The model of a config."""
    shape = "NCHW" if dimensions == 2 else "NCTHW"
    return (
        f"model = dict(\n    type='Recognizer{dimensions}D',\n    backbone=dict({backbone}),\n"
        f"    cls_head=dict({head}, {HEAD}),\n    {PREPROCESSOR} format_shape='{shape}'{more}))\n"
    )


def pipeline(sampling: str, size: int) -> str:
    """The validation pipeline of a config."""
    return (
        "file_client_args = dict(io_backend='disk')\nval_pipeline = [\n    dict(type='DecordInit', **file_client_args),\n"
        f"    dict({sampling}, test_mode=True),\n    dict(type='DecordDecode'),\n    dict(type='Resize', scale=(-1, {size})),\n"
        f"    dict(type='CenterCrop', crop_size={size}),\n    dict(type='FormatShape', input_format='NCTHW'),\n"
        "    dict(type='PackActionInputs')\n]\n"
    )


def frames(count: int, size: int) -> str:
    """A pipeline of segments, as TSN and TSM have it."""
    return pipeline(f"type='SampleFrames', clip_len=1, frame_interval=1, num_clips={count}", size)


def clip(count: int, size: int) -> str:
    """A pipeline of a clip."""
    return pipeline(f"type='SampleFrames', clip_len={count}, frame_interval=2, num_clips=1", size)


SLOWFAST = (
    "type='ResNet3dSlowFast', pretrained=None, resample_rate=4, speed_ratio=4, channel_ratio=8,\n"
    f"        slow_pathway=dict({PATHWAY}, base_channels=16, lateral=True, conv1_kernel=(1, 7, 7), inflate=(0, 0, 1, 1),"
    " fusion_kernel=7, lateral_norm=%s),\n"
    f"        fast_pathway=dict({PATHWAY}, base_channels=2, lateral=False, conv1_kernel=(5, 7, 7))"
)
MVIT = (
    "type='MViT', arch=dict(embed_dims=8, num_layers=5, num_heads=1, downscale_indices=[1, 3, 4]), spatial_size=64,"
    " temporal_size=4, drop_path_rate=0.2, dim_mul_in_attention=%s"
)
TIMESFORMER = (
    "type='TimeSformer', pretrained=None, num_frames=4, img_size=32, patch_size=16, embed_dims=12, num_heads=2,"
    " num_transformer_layers=2, in_channels=3, dropout_ratio=0., transformer_layers=None, attention_type='%s',"
    " norm_cfg=dict(type='LN', eps=1e-6)"
)
UNIFORMER = (
    "type='UniFormerV2', input_resolution=64, patch_size=16, width=12, layers=4, heads=2, t_size=8, n_dim=12, n_head=3,"
    " backbone_drop_path_rate=0.1, drop_path_rate=0.1, mlp_dropout=[0.5, 0.5], n_layers=2, "
)
UNIFORMERS = {
    # As all published configs have it, `double_lmhra` without any to double.
    "UniFormerV2": "no_lmhra=True, double_lmhra=True, dw_reduction=1.5, mlp_factor=4., return_list=[2, 3],"
    " clip_pretrained=True, pretrained='ViT-B/16'",
    "UniFormerV2, two local relations": "no_lmhra=False, double_lmhra=True, return_list=[3, 1], clip_pretrained=False",
    "UniFormerV2, frames halved": "no_lmhra=False, double_lmhra=False, dw_reduction=2., mlp_factor=2.5, return_list=[0, 2],"
    " temporal_downsample=True, clip_pretrained=False",
}

CONFIGS = {
    "TSN": recognizer(2, "type='ResNet', depth=18, norm_eval=False", "type='TSNHead', in_channels=512") + frames(3, 32),
    "TSM": recognizer(
        2,
        "type='ResNetTSM', depth=50, num_segments=4, shift_div=8, pretrained='torchvision://resnet50'",
        "type='TSMHead', in_channels=2048, num_segments=4, is_shift=True",
        ", to_rgb=True",
    )
    + frames(4, 32),
    "I3D": recognizer(
        3,
        "type='ResNet3d', depth=50, base_channels=8, stage_blocks=(2, 1, 1, 1), conv1_kernel=(5, 7, 7), conv1_stride_t=2,"
        " pool1_stride_t=2, inflate=((1, 0), (1,), (0,), (1,)), inflate_style='3x3x3', zero_init_residual=False",
        "type='I3DHead', in_channels=256",
    )
    + clip(16, 32),
    "I3D, basic blocks": recognizer(
        3,
        "type='ResNet3d', depth=18, base_channels=8, stage_blocks=(1, 1, 1, 1), inflate=(1, 0, 1, 0), pool1_stride_t=1",
        "type='I3DHead', in_channels=64",
    )
    + clip(8, 32),
    "SlowOnly": recognizer(
        3,
        "type='ResNet3dSlowOnly', depth=50, base_channels=8, stage_blocks=(1, 1, 2, 1), pretrained=None, lateral=False,"
        " conv1_kernel=(1, 7, 7), conv1_stride_t=1, pool1_stride_t=1, inflate=(0, 0, 1, 1), norm_eval=False",
        "type='I3DHead', in_channels=256, spatial_type='avg', dropout_ratio=0.5",
    )
    + clip(4, 32),
    **{
        name: recognizer(3, SLOWFAST % norm, "type='SlowFastHead', in_channels=576") + clip(8, 32)
        for name, norm in (("SlowFast", False), ("SlowFast, lateral normalisation", True))
    },
    "Video Swin": recognizer(
        3,
        "type='SwinTransformer3D', arch=dict(embed_dims=8, depths=[2, 1, 2, 1], num_heads=[1, 2, 2, 4]), pretrained2d=True,"
        " patch_size=(2, 4, 4), window_size=(2, 2, 2), mlp_ratio=4., qkv_bias=True, qk_scale=None, drop_path_rate=0.1,"
        " patch_norm=True",
        "type='I3DHead', in_channels=64",
    )
    + clip(6, 50),
    **{
        name: recognizer(3, MVIT % in_attention, "type='MViTHead', in_channels=64, label_smooth_eps=0.1")
        + pipeline("type='UniformSample', clip_len=4", 64)
        for name, in_attention in (("MViTv2", True), ("MViTv2, MaskFeat", False))
    },
    "VideoMAE": recognizer(
        3,
        "type='VisionTransformer', img_size=32, patch_size=16, embed_dims=12, depth=2, num_heads=2, mlp_ratio=4, qkv_bias=True,"
        " num_frames=4, norm_cfg=dict(type='LN', eps=1e-6)",
        "type='TimeSformerHead', in_channels=12",
    )
    + clip(4, 32),
    **{
        name: recognizer(3, TIMESFORMER % attention, "type='TimeSformerHead', in_channels=12") + clip(4, 32)
        for name, attention in (("TimeSformer", "divided_space_time"), ("TimeSformer, joint", "joint_space_time"))
    },
    "UniFormer": recognizer(
        3,
        "type='UniFormer', depth=[1, 2, 1, 2], embed_dim=[6, 8, 12, 16], head_dim=4, mlp_ratio=2.5, drop_path_rate=0.1",
        "type='I3DHead', dropout_ratio=0., in_channels=16",
    )
    + clip(8, 64),
    **{
        name: recognizer(3, UNIFORMER + settings, "type='TimeSformerHead', dropout_ratio=0.5, in_channels=12")
        + pipeline("type='UniformSample', clip_len=8", 64)
        for name, settings in UNIFORMERS.items()
    },
}
"""By family."""
TSM = recognizer(2, "type='ResNetTSM', depth=18, num_segments=4", "type='TSMHead', in_channels=512, num_segments=4")
"""Without its pipeline."""


def config_file(folder: Path, text: str, name: str = "config.py") -> Path:
    """A config in a file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, **options: Any) -> VideoModel:
    """The model of a config, on the CPU."""
    return load_model(f"mmaction:{config_file(folder, text)}", device="cpu", **options)
