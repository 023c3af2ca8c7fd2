"""Output layouts of YOLO-style exports, recognised by shape, and the boxes decoded from them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

STRIDES = (8, 16, 32)  # pixels of the input a cell, in the three grids of every YOLO
Kind = Literal["yolox", "yolov5", "yolov8", "end-to-end"]


@dataclass(frozen=True, kw_only=True)
class OutputLayout:
    """How to read an export.

    Attributes:
        kind: `yolox` has one row a cell with its objectness, `yolov5` three of them, `yolov8` one column a cell
            without objectness, `end-to-end` boxes that are already chosen.
        raw_grid: whether a row counts from its cell, in strides (YOLOX without decoding).
        classes: how many; 0 where the output does not tell.
    """

    kind: Kind
    raw_grid: bool
    classes: int


def find_layout(trial: Float[np.ndarray, "one a b"], size: tuple[int, int]) -> OutputLayout | None:
    """Layout of an export, from its answer to a grey picture of `(height, width)`; `None` if it is none of these."""
    if trial.ndim != 3 or len(trial) != 1:
        return None
    rows, columns = trial.shape[1:]
    cell_count = len(_cells(size)[0])
    if rows == cell_count and columns > 5:  # box, objectness, classes
        # decoded centres spread over the picture, raw ones stay within a few cells
        raw = float(trial[0, :, :2].std()) < min(size) / 16
        return OutputLayout(kind="yolox", raw_grid=raw, classes=columns - 5)
    if rows == 3 * cell_count and columns > 5:  # three anchors a cell
        return OutputLayout(kind="yolov5", raw_grid=False, classes=columns - 5)
    if columns == cell_count and rows > 4:
        return OutputLayout(kind="yolov8", raw_grid=False, classes=rows - 4)
    if columns == 6:  # corners, score, class
        return OutputLayout(kind="end-to-end", raw_grid=False, classes=0)
    return None


def read_output(
    output: Float[np.ndarray, "one a b"], layout: OutputLayout, size: tuple[int, int]
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
    for stride in STRIDES:
        rows, columns = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
