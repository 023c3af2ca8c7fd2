"""Small videos of moving squares, and a detector that knows where these are."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from video_tcav.media import write_video
from video_tcav.proposals import Detections, Detector

FPS = 25


class Squares(Detector):
    """Finds red squares (`red`) and green ones (`green`), and counts the frames that it saw."""

    def __init__(self) -> None:
        self.name, self.settings, self.frames = "squares", {"version": 1}, 0

    def detect(self, frames):
        self.frames += len(frames)
        return [self._one(frame.int()) for frame in frames]

    def _one(self, frame):
        boxes, labels = [], []
        for label, channel in (("red", 0), ("green", 1)):
            others = [other for other in range(3) if other != channel]
            rows, columns = torch.nonzero(frame[channel] - frame[others].amax(0) > 90, as_tuple=True)
            if len(rows):
                boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                labels.append(label)
        return Detections(
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            scores=np.full(len(boxes), 0.9, np.float32),
            labels=tuple(labels),
        )


def write_squares(path: Path, *, frames: int = 55, seed: int = 0, colour: str = "red", speed: float = 1.0) -> Path:
    """A square of 30 pixels that goes to the right, or to the left with a negative speed, before a scene of its own."""
    generator = np.random.default_rng(seed)
    scene = np.kron(generator.integers(60, 160, (15, 20, 1), np.uint8), np.ones((8, 8, 3), np.uint8))
    pictures = np.repeat(scene[None], frames, 0)
    for at, picture in enumerate(pictures):
        left = round((10 if speed > 0 else 120) + speed * at)
        picture[50:80, left : left + 30] = (240, 20, 20) if colour == "red" else (20, 240, 20)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, torch.from_numpy(pictures).permute(0, 3, 1, 2), fps=FPS)
    return path


def write_timed(path: Path, pictures: np.ndarray, times_s: np.ndarray, *, pixel_aspect: Fraction | None = None) -> Path:
    """Pictures `(frame, height, width, 3)`, each on display from its own time on, with pixels of any aspect."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "8"})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        for picture, time_s in zip(pictures, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(1000 * time_s), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
