"""Contact sheet of masks: frames of many clips with the outlines of person and object, for a person to judge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from video_tcav.core.checks import at_least, require
from video_tcav.core.errors import ShapeError
from video_tcav.reports.charts import INK, PAPER, chart_style
from video_tcav.reports.maps.canvas import to_picture
from video_tcav.reports.maps.mask_outlines import outlined_frame

_CELL_PX, _GAP_PX, _TITLE_PX, _DPI = 150, 4, 26, 100


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskRow:
    """One clip of a sheet.

    Attributes:
        title: above its frames, such as its name and what is doubtful about its masks.
        frames: RGB, all of the clip.
        person: pixels of the person; `None` to show the frames alone.
        object: pixels of the object, if the masks tell one.
    """

    title: str
    frames: UInt8[Tensor, "time 3 height width"]
    person: Bool[Tensor, "time height width"] | None = None
    object: Bool[Tensor, "time height width"] | None = None


def mask_sheet(rows: Sequence[MaskRow], *, columns: int = 6) -> UInt8[Tensor, "3 sheet_height sheet_width"]:
    """A picture of clips below each other, each with some evenly spaced frames and its masks' outlines.

    Args:
        rows: the clips, of any size and length.
        columns: frames of each.

    Raises:
        InputError: if there is no clip, or `columns` is below 1.
        ShapeError: if masks and frames of a clip differ in size.
    """
    require(bool(rows), "rows", "hold a clip", "none", "Give one at least.")
    at_least("columns", columns, 1)
    strips = [_strip(row, columns) for row in rows]
    width = max(strip.shape[1] for strip in strips) + 2 * _GAP_PX
    height = sum(strip.shape[0] + _TITLE_PX + _GAP_PX for strip in strips) + _GAP_PX
    with chart_style():
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=PAPER)
        FigureCanvasAgg(figure)
        top = 0
        for row, strip in zip(rows, strips, strict=True):
            baseline = 1 - (top + _TITLE_PX - 7) / height
            figure.text(_GAP_PX / width, baseline, row.title, color=INK, fontsize=9, va="baseline", parse_math=False)
            top += _TITLE_PX + strip.shape[0]
            figure.figimage(strip, _GAP_PX, height - top, origin="upper")
            top += _GAP_PX
        return to_picture(figure)


def _strip(row: MaskRow, columns: int) -> UInt8[np.ndarray, "height width 3"]:
    """Frames side by side, all of one height."""
    for mask in (row.person, row.object):
        if mask is not None and mask.shape != (len(row.frames), *row.frames.shape[-2:]):
            raise ShapeError(
                f"`rows` must have masks of the size of their frames. Got {tuple(mask.shape)} for {tuple(row.frames.shape)} "
                f"of {row.title}. Give one mask a frame."
            )
    count = len(row.frames)
    chosen = ((np.arange(min(columns, count)) + 0.5) * count / min(columns, count)).astype(int)
    cells = [_outlined(row, frame) for frame in chosen.tolist()]
    padded = [np.pad(cell, ((0, 0), (0, _GAP_PX), (0, 0)), constant_values=255) for cell in cells]
    return np.concatenate(padded, axis=1)


def _outlined(row: MaskRow, frame: int) -> UInt8[np.ndarray, "height width 3"]:
    masks = [None if mask is None else mask[frame] for mask in (row.person, row.object)]
    return outlined_frame(row.frames[frame], *masks, height=_CELL_PX)
