"""From what a user writes to a detector."""

from collections.abc import Sequence

import torch

from video_tcav.core.errors import InputError
from video_tcav.proposals.detector import Detector
from video_tcav.proposals.hf_detector import HuggingFaceDetector
from video_tcav.proposals.motion import MotionDetector
from video_tcav.proposals.onnx import OnnxDetector
from video_tcav.proposals.torchvision_detector import TorchvisionDetector


def parse_detector(
    spec: str, labels: Sequence[str] | None = None, *, threads: int = 2, device: str | torch.device = "auto"
) -> Detector:
    """The detector that a spec names.

    Args:
        spec: `onnx:FILE` (`?classes=FILE`), `torchvision:NAME` (`?weights=FILE`), `hf:ID` or `hf:FOLDER`, or `motion`.
        labels: what to find; everything that it knows if not given. Free text for `hf:`, which needs some.
        threads: of onnxruntime.
        device: where torchvision's and Hugging Face's detectors run; `auto` takes the first GPU that there is.

    Raises:
        InputError: for a spec, label or device that is not known.
        MissingExtraError: if what it needs is not installed.
        ModelError: if it is no detector.
        WeightsError: if its weights cannot be read safely.
    """
    if spec == "motion":
        return MotionDetector(labels=labels)
    scheme, _, rest = spec.partition(":")
    place, _, query = rest.partition("?")
    option, _, value = query.partition("=")
    allowed = {"onnx": "classes", "torchvision": "weights", "hf": ""}
    if scheme not in allowed or not place:
        raise InputError(
            f"`detector` must be motion, or start with onnx:, torchvision: or hf:. Got {spec!r}."
            " Write, for example, onnx:yolox_nano.onnx?classes=coco.txt."
        )
    if query and (option != allowed[scheme] or not value):
        known = f"?{allowed[scheme]}=FILE" if allowed[scheme] else "no option"
        raise InputError(f"`detector` must have {known} behind {scheme}:{place}. Got ?{query}. Correct it.")
    if scheme == "onnx":
        return OnnxDetector(place, classes=value or None, labels=labels, threads=threads)
    if scheme == "torchvision":
        return TorchvisionDetector(place, weights=value or None, labels=labels, device=device)
    return HuggingFaceDetector(place, labels=labels, device=device)
