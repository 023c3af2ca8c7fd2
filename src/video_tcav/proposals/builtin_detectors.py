"""The detector schemes of this package: motion, ONNX files, torchvision, Hugging Face.

Each class of detectors is imported on first use: PyTorch and transformers take seconds.
"""

import pkgutil
from typing import TYPE_CHECKING, Any

from video_tcav.core.errors import InputError
from video_tcav.proposals.detector_spec import DetectorLoader

if TYPE_CHECKING:
    from video_tcav.proposals.detector import Detector


class _Motion(DetectorLoader):
    name, help, finds = "motion", "", "finds what moves"

    def load(self, source: str, *, labels: Any, threads: int, device: Any) -> "Detector":
        return pkgutil.resolve_name("video_tcav.proposals.motion:MotionDetector")(labels=labels)


class _Onnx(DetectorLoader):
    name, help, finds = "onnx", "FILE", "a YOLO or YOLOX export, ?classes=FILE for its class names"

    def load(self, source: str, *, labels: Any, threads: int, device: Any) -> "Detector":
        path, classes = _split(self.name, source, "classes")
        create = pkgutil.resolve_name("video_tcav.proposals.onnx:OnnxDetector")
        return create(path, classes=classes, labels=labels, threads=threads)


class _Torchvision(DetectorLoader):
    name, help, finds = "torchvision", "NAME", "classes of COCO, ?weights=FILE for weights of your own"
    takes_device = True

    def load(self, source: str, *, labels: Any, threads: int, device: Any) -> "Detector":
        architecture, weights = _split(self.name, source, "weights")
        create = pkgutil.resolve_name("video_tcav.proposals.torchvision_detector:TorchvisionDetector")
        return create(architecture, weights=weights, labels=labels, device=device)


class _HuggingFace(DetectorLoader):
    name, help, finds = "hf", "ID or FOLDER", "finds what --label says"
    takes_device = True

    def load(self, source: str, *, labels: Any, threads: int, device: Any) -> "Detector":
        checkpoint, _ = _split(self.name, source, "")
        create = pkgutil.resolve_name("video_tcav.proposals.hf_detector:HuggingFaceDetector")
        return create(checkpoint, labels=labels, device=device)


def _split(scheme: str, source: str, option: str) -> tuple[str, str | None]:
    """`SOURCE?OPTION=VALUE` as source and value; `None` without an option."""
    name, _, query = source.partition("?")
    key, _, value = query.partition("=")
    if not name or (query and (key != option or not value)):
        allowed = f"?{option}=FILE" if option else "no option"
        raise InputError(f"`detector` must have {allowed} behind {scheme}:{name}. Got ?{query}. Correct it.")
    return name, value or None


MOTION, ONNX, TORCHVISION, HUGGING_FACE = _Motion(), _Onnx(), _Torchvision(), _HuggingFace()
