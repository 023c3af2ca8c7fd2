"""Masks by a segmenter in an ONNX file: one channel of persons, or one channel a class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.masks.mask_source import require_masks
from video_tcav.masks.segments import PERSON, Segment, SegmentMasks
from video_tcav.media import file_digest
from video_tcav.models.error_lines import first_line
from video_tcav.proposals.detector_spec import split_option

try:
    import onnxruntime
except ImportError:  # the extra `onnx`
    onnxruntime = None

_FREE_SIZE = 512  # pixels, of an export that takes any
_MEAN, _STD = (
    np.array([0.485, 0.456, 0.406]),
    np.array([0.229, 0.224, 0.225]),
)  # of ImageNet, which most are trained with


class OnnxMasks(SegmentMasks):
    """A segmenter that takes `(1, 3, height, width)`, normalised as on ImageNet, and returns `(1, class, height, width)`."""

    tells_objects = False

    def __init__(self, source: str, *, threads: int = 2) -> None:
        """Open the file, and try it.

        Args:
            source: an ONNX file, with `?person=NUMBER` behind it where there is a channel for each class: 15 for those of
                Pascal VOC, which torchvision's segmenters have.
            threads: of onnxruntime.

        Raises:
            InputError: if the file cannot be used, or the number is missing, too large, or one too many.
            MissingExtraError: without onnxruntime.
        """
        if onnxruntime is None:
            raise MissingExtraError("onnx", "An ONNX segmenter")
        file, number = split_option("onnx", source, "person", value="NUMBER", argument="masks")
        path = Path(file)
        require_masks(path.is_file(), "be an ONNX file that exists", path, "Check the path.")
        self.name, self.settings = f"onnx:{path.name}", {"digest": file_digest(path), "person": number or ""}
        try:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            first = self._session.get_inputs()[0]
            self._input = first.name
            self._size = [side if isinstance(side, int) else _FREE_SIZE for side in first.shape[2:]]
            # from dark to bright: what only gives values in [0, 1] for it gives probabilities
            shades = np.linspace(-2, 2, int(np.prod(self._size)), dtype=np.float32).reshape(1, 1, *self._size)
            trial = self._run(np.repeat(shades, 3, axis=1))
        except Exception as reason:  # onnxruntime has a type for each kind of damage, in a private module
            raise InputError(
                f"`masks` must be an ONNX segmenter that takes pictures (1, 3, height, width). Got {path}: "
                f"{first_line(reason)}. Export it so."
            ) from None
        cure = "Export a segmenter of one channel, or of one a class."
        is_map = trial.ndim == 4 and len(trial) == 1
        require_masks(is_map, "return (1, class, height, width)", f"{trial.shape} of {path}", cure)
        self._person = _person_channel(number, trial.shape[1], path)
        self._even = 0.5 if trial.min() >= 0 and trial.max() <= 1 else 0.0  # where it is as likely a person as not

    def segments(self, frames: UInt8[Tensor, "frame 3 height width"]) -> Sequence[Sequence[Segment]]:
        """One frame after the other."""
        return [[Segment(label=PERSON, mask=self._mask(frame))] for frame in frames]

    def _mask(self, frame: UInt8[Tensor, "3 height width"]) -> Tensor:
        height, width = frame.shape[-2:]
        picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
        small = cv2.resize(picture, (self._size[1], self._size[0]), interpolation=cv2.INTER_LINEAR)
        prepared = ((small / 255 - _MEAN) / _STD).astype(np.float32).transpose(2, 0, 1)[None]
        margin = self._margin(self._run(prepared)[0])
        enlarged = cv2.resize(margin.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        return torch.from_numpy(enlarged > 0)

    def _margin(self, output: Float[np.ndarray, "class height width"]) -> Float[np.ndarray, "height width"]:
        """Positive where it is a person: above all other classes, or beyond even odds of one channel."""
        if self._person is None:
            return output[0] - self._even
        return output[self._person] - np.delete(output, self._person, axis=0).max(0)

    def _run(self, pictures: Float[np.ndarray, "1 3 height width"]) -> np.ndarray:
        return np.asarray(self._session.run(None, {self._input: pictures})[0])


def _person_channel(number: str | None, channels: int, path: Path) -> int | None:
    """The channel of persons; `None` where there is one channel only."""
    if channels == 1:
        require_masks(number is None, f"have no ?person= for the one channel of {path}", number, "Leave it out.")
        return None
    rule = f"have ?person=NUMBER, from 0 to {channels - 1}, for the {channels} channels of {path}"
    fits = number is not None and number.isdecimal() and int(number) < channels
    require_masks(fits, rule, number or "none", "Person is 15 of Pascal VOC, with the background as 0.")
    assert number is not None
    return int(number)
