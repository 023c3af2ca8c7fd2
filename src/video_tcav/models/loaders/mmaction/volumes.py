"""SlowOnly, I3D and SlowFast: settings of their configs, and the networks built for them."""

from collections.abc import Mapping
from typing import Any

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.models.axes.declared import convolution_axes
from video_tcav.models.loaders.mmaction.recognizer import Recognizer
from video_tcav.models.loaders.mmaction.resnet3d import STAGE_BLOCKS, Lateral, ResNet3d, SlowFast, VolumeScores
from video_tcav.models.loaders.mmaction.settings import Component

_DEFAULTS: Mapping[str, Any] = {
    "depth": 50,
    "stage_blocks": (),
    "base_channels": 64,
    "spatial_strides": (1, 2, 2, 2),
    "temporal_strides": (1, 1, 1, 1),
    "conv1_kernel": (3, 7, 7),
    "conv1_stride_s": 2,
    "conv1_stride_t": 1,
    "pool1_stride_s": 2,
    "pool1_stride_t": 1,
    "with_pool1": True,
    "with_pool2": True,
    "inflate": (1, 1, 1, 1),
    "inflate_style": "3x1x1",
}
"""Of ResNet3d in mmaction2 1.2.0, models/backbones/resnet3d.py."""
_SLOW_ONLY: Mapping[str, Any] = {
    **_DEFAULTS,
    "conv1_kernel": (1, 7, 7),
    "inflate": (0, 0, 1, 1),
    "with_pool2": False,
}
_PATHWAY: Mapping[str, Any] = {
    **_DEFAULTS,
    "lateral": False,
    "fusion_kernel": 5,
    "lateral_infl": 2,
    "lateral_norm": False,
}
_FIXED = {
    "in_channels": (3,),
    "num_stages": (4,),
    "out_indices": ((3,),),
    "dilations": ((1, 1, 1, 1),),
    "style": ("pytorch",),
    "conv_cfg": ({"type": "Conv3d"},),
    "act_cfg": ({"type": "ReLU"}, {"type": "ReLU", "inplace": True}),
    "non_local": (0, (0, 0, 0, 0)),
    "non_local_cfg": ({},),
}
_PATHWAY_FIXED = {"lateral_inv": (False,), "lateral_activate": ((1, 1, 1, 1),)}
_HEAD_FIXED = {"spatial_type": ("avg",)}


def build_i3d(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `ResNet3d` with an `I3DHead`."""
    return _single(backbone, head, outputs, _DEFAULTS, _FIXED)


def build_slow_only(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `ResNet3dSlowOnly` with an `I3DHead`."""
    fixed = {**_FIXED, "lateral": (False,)}
    return _single(backbone, head, outputs, _SLOW_ONLY, fixed)


def build_slow_fast(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `ResNet3dSlowFast` with a `SlowFastHead`."""
    defaults = {"resample_rate": 8, "speed_ratio": 8, "channel_ratio": 8, "slow_pathway": None, "fast_pathway": None}
    settings = backbone.checked(defaults, {})
    head.checked({"num_classes": None}, _HEAD_FIXED)
    resample, speed = settings["resample_rate"], settings["speed_ratio"]
    if resample % speed or spec.frames % resample:
        raise backbone.error(
            "have a resample_rate that divides the clip's frames, and a speed_ratio that divides it", (resample, speed)
        )
    fast, slow = (_pathway(backbone.inner(f"{name}_pathway")) for name in ("fast", "slow"))
    if fast["lateral"]:
        raise backbone.inner("fast_pathway").error("have no lateral", True)
    lateral = Lateral(
        ratio=settings["channel_ratio"],
        stride=speed,
        kernel=slow["fusion_kernel"],
        growth=slow["lateral_infl"],
        norm=slow["lateral_norm"],
    )
    network = SlowFast(
        ResNet3d(slow, lateral if slow["lateral"] else None), ResNet3d(fast), resample=resample, speed_ratio=speed
    )
    width = network.slow_path.width + network.fast_path.width
    # Each stage's slow activations, then its fast ones.
    stages = [f"backbone.{path}_path.{stage}" for stage in network.slow_path.stages for path in ("slow", "fast")]
    return _recognizer(VolumeScores(network, width=width, outputs=outputs), tuple(stages))


def _single(
    backbone: Component,
    head: Component,
    outputs: int,
    defaults: Mapping[str, Any],
    fixed: Mapping[str, tuple[Any, ...]],
) -> Recognizer:
    head.checked({"num_classes": None}, _HEAD_FIXED)
    network = ResNet3d(_settings(backbone, defaults, fixed))
    stages = tuple(f"backbone.{stage}" for stage in network.stages)
    return _recognizer(VolumeScores(network, width=network.width, outputs=outputs), stages)


def _pathway(component: Component) -> dict[str, Any]:
    if component.kind != "resnet3d":
        raise component.error("be of the type resnet3d", component.kind)
    return _settings(component, _PATHWAY, {**_FIXED, **_PATHWAY_FIXED})


def _settings(
    component: Component, defaults: Mapping[str, Any], fixed: Mapping[str, tuple[Any, ...]]
) -> dict[str, Any]:
    component.batch_norm()
    settings = component.checked(defaults, fixed)
    if settings["depth"] not in STAGE_BLOCKS:
        raise component.error(f"have a depth of {', '.join(map(str, STAGE_BLOCKS))}", settings["depth"])
    if settings["inflate_style"] not in ("3x1x1", "3x3x3"):
        raise component.error("have an inflate_style of 3x1x1 or 3x3x3", settings["inflate_style"])
    return settings


def _recognizer(module: VolumeScores, stages: tuple[str, ...]) -> Recognizer:
    return Recognizer(module=module, names=(), stages=stages, axes=convolution_axes)
