"""TSN and TSM: a ResNet of torchvision over frames, whose scores are averaged; TSM shifts channels between frames."""

from collections import OrderedDict
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MissingExtraError
from video_tcav.models.axes.declared import folded_frames_axes
from video_tcav.models.loaders.mmaction.names import NameRules
from video_tcav.models.loaders.mmaction.recognizer import Recognizer
from video_tcav.models.loaders.mmaction.settings import Component

try:
    from torchvision.models import get_model
except ImportError as error:
    raise MissingExtraError("torchvision", "TSN and TSM of mmaction2") from error

STAGES = tuple(f"network.layer{number}" for number in (1, 2, 3, 4))
NAMES: NameRules = (
    (r"^network\.fc\.", "cls_head.fc_cls."),
    (r"^network\.", "backbone."),
    (r"\.downsample\.0\.", ".downsample.conv."),
    (r"\.downsample\.1\.", ".downsample.bn."),
    (r"\.conv(\d)\.", r".conv\1.conv."),
    (r"\.bn(\d)\.", r".conv\1.bn."),
)
"""mmaction2 1.2.0, models/backbones/resnet.py: a convolution and its normalisation are one ConvModule."""
_FIXED = {
    "in_channels": (3,),
    "num_stages": (4,),
    "out_indices": ((3,),),
    "strides": ((1, 2, 2, 2),),
    "dilations": ((1, 1, 1, 1),),
    "style": ("pytorch",),
    "conv_cfg": ({"type": "Conv2d"}, {"type": "Conv"}),
    "act_cfg": ({"type": "ReLU"}, {"type": "ReLU", "inplace": True}),
}
_SHIFT_FIXED = {
    "non_local": (0, (0, 0, 0, 0)),
    "non_local_cfg": ({},),
    "shift_place": ("blockres",),
    "temporal_pool": (False,),
}
_HEAD_FIXED = {"spatial_type": ("avg",), "consensus": ({"type": "AvgConsensus", "dim": 1},)}
_DEPTHS = (18, 34, 50, 101, 152)
_LONG_STAGE = 23
"""Blocks of the third stage from which on TSM shifts every second block only."""


class FrameScores(nn.Module):
    """An image network over the frames of a clip; its scores are averaged.

    TSN averages in front of its linear layer, which gives the same numbers.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clip: Float[Tensor, "clip time 3 height width"]) -> Float[Tensor, "clip class"]:
        """Logits."""
        return self.network(clip.flatten(0, 1)).unflatten(0, clip.shape[:2]).mean(1)


class TemporalShift(nn.Module):
    """Shift a share of the channels to the frame before, and as many to the frame behind; zeros come in at the ends.

    Source:
        Lin et al. 2019, arXiv:1811.08383, section 3; mmaction2 1.2.0, models/backbones/resnet_tsm.py.
    """

    def __init__(self, *, frames: int, share: int) -> None:
        super().__init__()
        self.frames, self.share = frames, share

    def forward(
        self, image: Float[Tensor, "frame channel height width"]
    ) -> Float[Tensor, "frame channel height width"]:
        """Frames of all clips, in order."""
        clips = image.unflatten(0, (-1, self.frames))
        moved = clips.shape[2] // self.share
        later = nn.functional.pad(clips[:, 1:, :moved], (0,) * 7 + (1,))
        earlier = nn.functional.pad(clips[:, :-1, moved : 2 * moved], (0,) * 6 + (1, 0))
        return torch.cat([later, earlier, clips[:, :, 2 * moved :]], dim=2).flatten(0, 1)


def build_tsn(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `ResNet` with a `TSNHead`."""
    depth = backbone.checked({"depth": None}, _FIXED)["depth"]
    head.checked({"num_classes": None}, _HEAD_FIXED)
    return _recognizer(_resnet(backbone, depth, outputs), spec)


def build_tsm(backbone: Component, head: Component, spec: ClipSpec, outputs: int) -> Recognizer:
    """A `ResNetTSM` with a `TSMHead`."""
    defaults = {"depth": None, "shift_div": 8, "is_shift": True, "num_segments": 8}
    settings = backbone.checked(defaults, {**_FIXED, **_SHIFT_FIXED})
    # The head's own number of segments must be the same, as mmaction2 fails otherwise.
    head.checked({"num_classes": None, "is_shift": True, "num_segments": 8}, {**_HEAD_FIXED, "temporal_pool": (False,)})
    if spec.frames != settings["num_segments"]:
        raise backbone.error(
            f"have as many num_segments as the clip has frames, {spec.frames}", settings["num_segments"]
        )
    network: Any = _resnet(backbone, settings["depth"], outputs)
    every = 2 if len(network.layer3) >= _LONG_STAGE else 1
    stages = (network.layer1, network.layer2, network.layer3, network.layer4) if settings["is_shift"] else ()
    for block in (block for stage in stages for block in stage[::every]):
        shift = TemporalShift(frames=spec.frames, share=settings["shift_div"])
        block.conv1 = nn.Sequential(OrderedDict(shift=shift, net=block.conv1))
    return _recognizer(network, spec)


def _resnet(backbone: Component, depth: Any, outputs: int) -> nn.Module:
    backbone.batch_norm()
    if depth not in _DEPTHS:
        raise backbone.error(f"have a depth of {', '.join(map(str, _DEPTHS))}", depth)
    return get_model(f"resnet{depth}", weights=None, num_classes=outputs)


def _recognizer(network: nn.Module, spec: ClipSpec) -> Recognizer:
    return Recognizer(
        module=FrameScores(network),
        names=NAMES,
        stages=STAGES,
        axes=folded_frames_axes(spec.frames),
        layout="time_first",
    )
