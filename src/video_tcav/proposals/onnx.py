"""ONNX detectors: YOLOX and other YOLO-style exports, run by onnxruntime."""

import ast
import hashlib
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights
from torchvision.ops import batched_nms

from video_tcav.core.checks import at_least
from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.core.text_files import read_text
from video_tcav.media import file_digest
from video_tcav.models.class_names import parse_class_names
from video_tcav.proposals.cutting import GREY
from video_tcav.proposals.detector import LEAST_SCORE, MOST_OVERLAP, Detections, Detector, check_labels, clipped
from video_tcav.proposals.onnx_layout import OutputLayout, find_layout, read_output

try:
    import onnxruntime
except ImportError:  # the extra `detect`
    onnxruntime = None

_FREE_SIZE = 640  # pixels, of an export that takes any


class OnnxDetector(Detector):
    """A detector of a file."""

    def __init__(
        self,
        path: str | Path,
        *,
        classes: str | Path | None = None,
        labels: Sequence[str] | None = None,
        threads: int = 2,
    ) -> None:
        """Open the file and find out how to read its output.

        Args:
            path: an ONNX file.
            classes: its class names, one a line; those in the file, or COCO's for 80 classes, if not given.
            labels: which classes to find; all if not given.
            threads: of onnxruntime.

        Raises:
            MissingExtraError: without onnxruntime.
            InputError: if the file cannot be used, or the labels are not its own.
        """
        if onnxruntime is None:
            raise MissingExtraError("detect", "An ONNX detector")
        self.name = f"onnx:{Path(path).name}"
        self._session = _open(Path(path), threads)
        first = self._session.get_inputs()[0]
        self._input, shape = first.name, first.shape
        if len(shape) != 4 or shape[1] != 3 or first.type != "tensor(float)":
            raise InputError(
                f"`detector` must take pictures of shape (1, 3, height, width), float32. Got {path} with {first.type}"
                f" {tuple(shape)}. Export it so."
            )
        height, width = (side if isinstance(side, int) else _FREE_SIZE for side in shape[2:])
        self._size = height, width
        self.side_px = max(height, width)
        try:
            trial = self._run(np.full((1, 3, *self._size), GREY, np.float32))
        except Exception as reason:  # onnxruntime has types of its own, and an export may want more than pictures
            raise InputError(
                f"`detector` must run on pictures alone. Got {path}: {_line(reason)}. Export it with pictures as its only input."
            ) from None
        layout = find_layout(trial, self._size)
        if layout is None:
            raise InputError(
                f"`detector` must have the output of YOLOX, YOLOv5, YOLOv8 or an export with its choice of boxes"
                f" (1, n, 6). Got {path} with shape {trial.shape} for pictures of {self._size[0]}x{self._size[1]}."
                " Export it in one of these forms."
            )
        self._layout: OutputLayout = layout
        self._names = _class_names(Path(path), classes, self._session, layout.classes)
        self._wanted = set(check_labels(labels, self._names, self.name))
        self.settings = {
            "digest": file_digest(path),
            "layout": layout.kind,
            "size": list(self._size),
            "names_digest": hashlib.sha256("\n".join(self._names).encode()).hexdigest(),
        }

    def detect(self, frames: UInt8[Tensor, "frame 3 height width"]) -> list[Detections]:
        """One frame after the other, at the size of the export."""
        return [self._detect(frame.permute(1, 2, 0).numpy()) for frame in frames]

    def _detect(self, picture: np.ndarray) -> Detections:
        prepared, scale, (left, top) = self._prepare(picture)
        boxes, scores, numbers = read_output(self._run(prepared), self._layout, self._size)
        names = [self._names[at] if 0 <= at < len(self._names) else "" for at in numbers.tolist()]
        good = np.array([name in self._wanted for name in names], bool) & (scores >= LEAST_SCORE)
        boxes = (boxes[good] - [left, top, left, top]) / scale
        names, scores, numbers = list(compress(names, good)), scores[good], torch.from_numpy(numbers[good])
        chosen = batched_nms(
            torch.from_numpy(boxes).float(), torch.from_numpy(scores).float(), numbers, MOST_OVERLAP
        ).tolist()
        return clipped(boxes[chosen], scores[chosen], [names[at] for at in chosen], picture.shape[:2])

    def _prepare(self, picture: np.ndarray) -> tuple[np.ndarray, float, tuple[int, int]]:
        """Fitted into the input on grey: YOLOX at its corner in BGR up to 255, the others in the middle in RGB up to 1."""
        height, width = picture.shape[:2]
        scale = min(self._size[0] / height, self._size[1] / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        corner = self._layout.kind == "yolox"
        left, top = (0, 0) if corner else ((self._size[1] - size[0]) // 2, (self._size[0] - size[1]) // 2)
        letterbox = np.full((*self._size, 3), GREY, np.float32)
        letterbox[top : top + size[1], left : left + size[0]] = small
        letterbox = letterbox[..., ::-1] if corner else letterbox / 255
        return np.ascontiguousarray(letterbox.transpose(2, 0, 1))[None], scale, (left, top)

    def _run(self, pictures: np.ndarray) -> np.ndarray:
        return np.asarray(self._session.run(None, {self._input: pictures})[0])


def _open(path: Path, threads: int) -> Any:
    assert onnxruntime is not None
    at_least("threads", threads, 1)
    if not path.is_file():
        raise InputError(f"`detector` must be an ONNX file. Got {path}, which does not exist. Check the path.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors only: warnings about an export are for those who made it
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as reason:  # onnxruntime has a type for each kind of damage, in a private module
        raise InputError(
            f"`detector` must be a readable ONNX file. Got {path}: {_line(reason)}. Export or fetch it again."
        ) from None


def _line(reason: Exception) -> str:
    return (str(reason).strip().splitlines() or [type(reason).__name__])[0][:160]


def _class_names(path: Path, classes: str | Path | None, session: Any, count: int) -> tuple[str, ...]:
    if classes is not None:
        file = Path(classes)
        if not file.is_file():
            raise InputError(f"`classes` must be a file of names. Got {file}, which does not exist. Check the path.")
        names = parse_class_names(read_text(file), str(file))
        if count and len(names) != count:
            raise InputError(
                f"`classes` must name the {count} classes of {path.name}. Got {len(names)} in {file}. Give its own list."
            )
        return names
    names = _metadata_names(session.get_modelmeta().custom_metadata_map.get("names", ""))
    if names and count in (0, len(names)):
        return names
    coco = tuple(
        name
        for name in FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
        if name not in ("__background__", "N/A")
    )
    if count in (0, len(coco)):  # exports of 80 classes that do not name them are trained on COCO
        return coco
    raise InputError(
        f"`classes` must name the {count} classes of {path.name}, which does not say them. Got none."
        f" Write onnx:{path.name}?classes=names.txt, one name a line."
    )


def _metadata_names(text: str) -> tuple[str, ...]:
    """Class names in an export's metadata, a literal dictionary or list as Ultralytics writes it."""
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return ()
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[at] for at in range(len(names))]
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()
