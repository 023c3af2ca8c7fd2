"""Conversion of decoded frames to upright RGB pictures in square pixels."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import Int, UInt8

from video_tcav.core.errors import MediaError

Picture = UInt8[np.ndarray, "height width 3"]

_EXIF_SIDE_DATA = 31  # AV_FRAME_DATA_EXIF, which PyAV's enumeration lacks: its whole list then cannot be read
_MOST_UNSQUARE = 8.0  # aspect ratios beyond are errors in the file


class PictureMaker:
    """Converts the frames of one file, whose display matrix is read from the first of them.

    Args:
        pixel_aspect: width of a stored pixel in heights; pictures come in square pixels, in the stored height.
    """

    def __init__(self, pixel_aspect: float = 1.0) -> None:
        self._pixel_aspect = pixel_aspect
        self._reformatter = VideoReformatter()
        self._orientation: Int[np.ndarray, "2 2"] | None = None

    def __call__(self, frame: VideoFrame) -> Picture:
        """RGB picture, mirrored and turned as the file asks."""
        if self._orientation is None:
            self._orientation = display_orientation(frame)
        # one thread: starting several for each frame takes longer than the conversion itself
        width = max(1, round(frame.width * self._pixel_aspect))
        picture = self._reformatter.reformat(frame, width=width, format="rgb24", threads=1).to_ndarray()
        return upright(picture, self._orientation)


def display_orientation(frame: VideoFrame) -> Int[np.ndarray, "2 2"]:
    """Display matrix in quarter turns, entries −1, 0 and 1: rows are the new x and y (downwards), columns the old."""
    try:
        side_data = frame.side_data
    except ValueError:
        side_data = _without_exif(frame).side_data
    matrix = side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return np.eye(2, dtype=np.int64)
    # FFmpeg stores it transposed, as fixed-point numbers of which only the signs matter here
    exact = np.frombuffer(matrix, dtype=np.int32).reshape(3, 3)[:2, :2].T.astype(np.int64)
    along_old_y = abs(exact[0, 1]) > abs(exact[0, 0])
    return np.sign(exact) * (np.eye(2, dtype=np.int64)[::-1] if along_old_y else np.eye(2, dtype=np.int64))


def _without_exif(frame: VideoFrame) -> VideoFrame:
    """The same frame without its EXIF, whose orientation FFmpeg has already put into the display matrix."""
    graph = filter_graph(frame, "sidedata", f"mode=delete:type={_EXIF_SIDE_DATA}")
    graph.push(frame)
    stripped = graph.pull()
    assert isinstance(stripped, VideoFrame)
    return stripped


def filter_graph(frame: VideoFrame, name: str, options: str) -> Graph:
    """One of FFmpeg's filters for frames like this one."""
    graph = Graph()
    time_base = frame.time_base or Fraction(1, 25)  # pictures may have none
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    graph.link_nodes(source, graph.add(name, options), graph.add("buffersink"))
    graph.configure()
    return graph


def pixel_aspect(stream: VideoStream, path: Path) -> float:
    """Sample aspect ratio, the width of a pixel in heights; 1 where the file has none."""
    aspect = float(stream.sample_aspect_ratio or 1)
    if not 1 / _MOST_UNSQUARE <= aspect <= _MOST_UNSQUARE:
        raise MediaError(path, f"broken: its pixels are said to be {aspect:g} times as wide as high; convert it anew")
    return aspect


def upright(picture: Picture, orientation: Int[np.ndarray, "2 2"]) -> UInt8[np.ndarray, "new_height new_width 3"]:
    """A picture with its axes swapped and flipped, as a view."""
    (x_by_x, x_by_y), (y_by_x, y_by_y) = orientation
    if x_by_y:  # the new x runs along the old y
        return picture.transpose(1, 0, 2)[:: -1 if y_by_x < 0 else 1, :: -1 if x_by_y < 0 else 1]
    return picture[:: -1 if y_by_y < 0 else 1, :: -1 if x_by_x < 0 else 1]
