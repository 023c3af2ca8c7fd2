"""From a decoded frame to an upright RGB picture."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from jaxtyping import Int, UInt8

Picture = UInt8[np.ndarray, "height width 3"]

_QUARTER_DEG = 90


class PictureMaker:
    """Makes pictures of the frames of one file, whose display matrix is read from the first of them."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._orientation: Int[np.ndarray, "2 2"] | None = None

    def __call__(self, frame: VideoFrame) -> Picture:
        """RGB picture, mirrored and turned as the file asks."""
        if self._orientation is None:
            self._orientation = display_orientation(frame)
        # one thread: starting several for each frame takes longer than the conversion itself
        picture = self._reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        return upright(picture, self._orientation)


def display_orientation(frame: VideoFrame) -> Int[np.ndarray, "2 2"]:
    """Where the picture's axes go, of −1, 0 and 1: rows are the new x and y (downwards), columns the old."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV refuses the whole list where FFmpeg has a newer kind (EXIF), but it tells the turn
        quarters = round(frame.rotation / _QUARTER_DEG) % 4
        return np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), quarters)
    if matrix is None:
        return np.eye(2, dtype=np.int64)
    exact = np.frombuffer(matrix, dtype=np.int32).reshape(3, 3)[:2, :2].T.astype(np.int64)
    along_old_y = abs(exact[0, 1]) > abs(exact[0, 0])
    return np.sign(exact) * (np.eye(2, dtype=np.int64)[::-1] if along_old_y else np.eye(2, dtype=np.int64))


def upright(picture: Picture, orientation: Int[np.ndarray, "2 2"]) -> UInt8[np.ndarray, "new_height new_width 3"]:
    """A picture with its axes moved, as a view."""
    (x_by_x, x_by_y), (y_by_x, y_by_y) = orientation
    if x_by_y:  # the new x runs along the old y
        return picture.transpose(1, 0, 2)[:: -1 if y_by_x < 0 else 1, :: -1 if x_by_y < 0 else 1]
    return picture[:: -1 if y_by_y < 0 else 1, :: -1 if x_by_x < 0 else 1]
