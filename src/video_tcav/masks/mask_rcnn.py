"""Masks by torchvision's Mask R-CNN, which tells persons and the 79 other classes of COCO."""

from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.core.checks import one_of
from video_tcav.masks.segments import LEAST_SCORE, Segment, SegmentMasks
from video_tcav.proposals import TorchvisionDetector
from video_tcav.proposals.detector_spec import split_option

ARCHITECTURES = ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2")
_INSIDE = 0.5  # of a pixel's probability


class MaskRCNNMasks(SegmentMasks):
    """One of torchvision's two networks, with weights of a file.

    Source: He et al. 2017, arXiv:1703.06870.
    """

    tells_objects = True

    def __init__(self, source: str, *, device: str | torch.device = "auto") -> None:
        """Load the weights; nothing is ever unpickled.

        Args:
            source: a file of tensors, or the name of published weights (`COCO_V1`), with `?architecture=` behind it for
                `maskrcnn_resnet50_fpn_v2`.
            device: where it runs; `auto` takes the first GPU that there is.

        Raises:
            InputError: for another architecture.
            MissingExtraError: without torchvision.
            WeightsError: if the weights cannot be read or do not fit.
        """
        weights, architecture = split_option("maskrcnn", source, "architecture", value="NAME", argument="masks")
        architecture = one_of("architecture", architecture or ARCHITECTURES[0], ARCHITECTURES)
        self._network = TorchvisionDetector(architecture, weights=weights, device=device)
        self.name, self.settings = f"maskrcnn:{architecture}", self._network.settings

    def segments(self, frames: UInt8[Tensor, "frame 3 height width"]) -> Sequence[Sequence[Segment]]:
        return [self._read(answer) for answer in self._network.answers(frames)]

    def _read(self, answer: dict[str, Tensor]) -> list[Segment]:
        chosen = answer["scores"] >= LEAST_SCORE
        masks = (answer["masks"][chosen, 0] >= _INSIDE).cpu()
        labels = [self._network.label_of(number) for number in answer["labels"][chosen].tolist()]
        return [Segment(label=label, mask=mask) for label, mask in zip(labels, masks, strict=True)]
