"""ONNX detectors: YOLOX and other YOLO-style exports, run by onnxruntime; their output layouts are recognised by shape."""

import ast
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.core.checks import at_least
from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.core.text_files import read_text
from video_tcav.media import file_digest
from video_tcav.models.class_names import parse_class_names
from video_tcav.models.error_lines import first_line
from video_tcav.proposals.cutting import GREY
from video_tcav.proposals.detector import LEAST_SCORE, MOST_OVERLAP, Detections, Detector, check_labels, clipped

try:
    import onnxruntime
except ImportError:  # the extra `detect`
    onnxruntime = None
try:
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights
    from torchvision.ops import batched_nms
except ImportError as error:
    raise MissingExtraError("detect", "An ONNX detector") from error

_FREE_SIZE = 640  # pixels, of an export that takes any
_STRIDES = (8, 16, 32)  # pixels of the input a cell, in the three grids of every YOLO
_Kind = Literal["yolox", "yolov5", "yolov8", "end-to-end"]


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
                f"`detector` must run on pictures alone. Got {path}: {first_line(reason)}."
                " Export it with pictures as its only input."
            ) from None
        layout = _find_layout(trial, self._size)
        if layout is None:
            raise InputError(
                f"`detector` must have the output of YOLOX, YOLOv5, YOLOv8 or an export with its choice of boxes"
                f" (1, n, 6). Got {path} with shape {trial.shape} for pictures of {self._size[0]}x{self._size[1]}."
                " Export it in one of these forms."
            )
        self._layout: _OutputLayout = layout
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
        boxes, scores, numbers = _read_output(self._run(prepared), self._layout, self._size)
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
            f"`detector` must be a readable ONNX file. Got {path}: {first_line(reason)}. Export or fetch it again."
        ) from None


def _class_names(path: Path, classes: str | Path | None, session: Any, count: int) -> tuple[str, ...]:
    if classes is not None:
        names = parse_class_names(read_text(Path(classes)), str(classes))
        if count and len(names) != count:
            raise InputError(
                f"`classes` must name the {count} classes of {path.name}. Got {len(names)} in {classes}. Give its own list."
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
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # what `literal_eval` says that it raises
        return ()
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[at] for at in range(len(names))]
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


@dataclass(frozen=True, kw_only=True)
class _OutputLayout:
    """How to read an export."""

    # `yolox` has one row a cell with its objectness, `yolov5` three of them, `yolov8` one column a cell without
    # objectness, `end-to-end` boxes that are already chosen
    kind: _Kind
    classes: int  # 0 where the output does not tell
    raw_grid: bool = False  # whether a row counts from its cell, in strides (YOLOX without decoding)


def _find_layout(trial: Float[np.ndarray, "one a b"], size: tuple[int, int]) -> _OutputLayout | None:
    """Layout of an export, from its answer to a grey picture of `(height, width)`; `None` if it is none of these."""
    if trial.ndim != 3 or len(trial) != 1:
        return None
    rows, columns = trial.shape[1:]
    cell_count = len(_cells(size)[0])
    if rows == cell_count and columns > 5:  # box, objectness, classes
        # decoded centres spread over the picture, raw ones stay within a few cells
        raw = float(trial[0, :, :2].std()) < min(size) / 16
        return _OutputLayout(kind="yolox", classes=columns - 5, raw_grid=raw)
    if rows == 3 * cell_count and columns > 5:  # three anchors a cell
        return _OutputLayout(kind="yolov5", classes=columns - 5)
    if columns == cell_count and rows > 4:
        return _OutputLayout(kind="yolov8", classes=rows - 4)
    if columns == 6:  # corners, score, class
        return _OutputLayout(kind="end-to-end", classes=0)
    return None


def _read_output(
    output: Float[np.ndarray, "one a b"], layout: _OutputLayout, size: tuple[int, int]
) -> tuple[Float[np.ndarray, "box 4"], Float[np.ndarray, " box"], np.ndarray]:
    """Boxes (left, top, right, bottom in pixels of the input), scores and class numbers, before non-maximum suppression."""
    rows = output[0].astype(np.float32)
    if layout.kind == "end-to-end":
        return rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)
    if layout.kind == "yolov8":
        rows = rows.T
        middles, sizes, by_class = rows[:, :2], rows[:, 2:4], rows[:, 4:]
    else:
        middles, sizes, by_class = rows[:, :2], rows[:, 2:4], rows[:, 5:] * rows[:, 4:5]
    if layout.raw_grid:
        cells, strides = _cells(size)
        # exp(20) is beyond any picture, and does not overflow
        middles, sizes = (middles + cells) * strides, np.exp(np.minimum(sizes, 20)) * strides
    numbers = by_class.argmax(1)
    boxes = np.concatenate([middles - sizes / 2, middles + sizes / 2], axis=1)
    return boxes, by_class[np.arange(len(rows)), numbers], numbers


def _cells(size: tuple[int, int]) -> tuple[Float[np.ndarray, "cell 2"], Float[np.ndarray, "cell 1"]]:
    """Column and row of each cell of the three grids, and its stride."""
    cells, strides = [], []
    for stride in _STRIDES:
        rows, columns = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
