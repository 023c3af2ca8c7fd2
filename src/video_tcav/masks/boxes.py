"""Persons as boxes of a detector: prompts of SAM 2, and masks where nothing better is at hand."""

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from video_tcav.masks.mask_source import ClipMasks, MaskSource, checked_masks
from video_tcav.media import LoadedClips
from video_tcav.proposals import Detector, parse_detector
from video_tcav.proposals.detector_spec import find_loader

_LEAST_SCORE = 0.4  # what tubes of proposals start with
_PERSON, _ALL = ("person",), None


class BoxMasks(MaskSource):
    """Every pixel in a box of a person: some of the scene moves along, so that numbers about the person are too large."""

    is_boxes = True

    def __init__(self, detector: Detector) -> None:
        self.name, self.settings = f"boxes:{detector.name}", detector.settings
        self._detector = detector

    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        """The boxes in each frame; see `MaskSource.masks`."""
        assert loaded.clips is not None
        windows = [
            ClipMasks(person=_filled(person_boxes(self._detector, clip), clip), how=f"boxes of {self._detector.name}")
            for clip in loaded.clips
        ]
        return checked_masks(loaded, windows)


def box_masks(spec: str, *, threads: int, device: str | torch.device) -> BoxMasks:
    """Boxes of persons by the detector of that spec; see `proposals.parse_detector`."""
    return BoxMasks(person_detector(spec, threads=threads, device=device))


def person_detector(spec: str, *, threads: int, device: str | torch.device) -> Detector:
    """The detector of a spec, asked for persons; that of motion finds whatever moves."""
    loader, _ = find_loader(spec)
    labels = _ALL if loader.name == "motion" else _PERSON
    return parse_detector(spec, labels, threads=threads, device=device)


def person_boxes(detector: Detector, clip: UInt8[Tensor, "time 3 height width"]) -> list[Float[np.ndarray, "box 4"]]:
    """Boxes of persons in each frame (left, top, right, bottom), the surest first."""
    return [
        detections.boxes[np.argsort(-detections.scores, kind="stable")][
            : int((detections.scores >= _LEAST_SCORE).sum())
        ]
        for detections in detector.detect(clip)
    ]


def _filled(
    boxes: list[Float[np.ndarray, "box 4"]], clip: UInt8[Tensor, "time 3 height width"]
) -> Bool[Tensor, "time height width"]:
    masks = torch.zeros((len(clip), *clip.shape[-2:]), dtype=torch.bool)
    for mask, frame_boxes in zip(masks, boxes, strict=True):
        for left, top, right, bottom in frame_boxes.tolist():
            mask[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
    return masks
