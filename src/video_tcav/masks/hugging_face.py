"""Masks by segmenters of Hugging Face: Mask2Former, MaskFormer and EoMT frame by frame, or SAM 2 over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.masks.mask_source import MaskSource, require_masks
from video_tcav.masks.segments import LEAST_SCORE, PERSON, Segment, SegmentMasks
from video_tcav.models.devices import pick_device
from video_tcav.models.hooks import untouched
from video_tcav.models.loaders.hf_config import transformers
from video_tcav.models.loaders.hf_preprocess import quiet
from video_tcav.models.loaders.hf_pretrained import checked_family, load_processor_part, load_whole_model
from video_tcav.models.video_model import state_digest
from video_tcav.proposals.detector_spec import split_option

SEGMENTERS = ("mask2former", "maskformer", "eomt")
TRACKER = "sam2_video"


class HuggingFaceMasks(SegmentMasks):
    """A segmenter of single frames that names its segments, one of which must be called person."""

    def __init__(self, source: str, *, device: str | torch.device = "auto") -> None:
        """Load the model and its processor; never runs code that comes with them.

        Args:
            source: hub id, or folder with config.json.
            device: where it runs; `auto` takes the first GPU that there is.

        Raises:
            InputError: if no class is called person.
            ModelError: if the source is no such segmenter.
            WeightsError: if its weights cannot be read safely.
        """
        self.name = f"hf:{short_name(source)}"
        self._device = pick_device(device)
        with quiet():
            auto: Any = transformers.AutoImageProcessor
            self._processor = load_processor_part(auto, source, "image processor", argument="masks")
            self._module = load_whole_model(transformers.AutoModelForUniversalSegmentation, source, argument="masks")
        self._names = {int(number): str(name).lower() for number, name in self._module.config.id2label.items()}
        names = set(self._names.values())
        rule = f"have a class called person, which hf:{source} does not"
        require_masks(PERSON in names, rule, ", ".join(sorted(names)[:6]), "Choose a segmenter of COCO or ADE20K.")
        self.tells_objects = len(names) > 1
        self.settings = {"weights_digest": state_digest(self._module)}
        self._module.eval().to(self._device)

    def segments(self, frames: UInt8[Tensor, "frame 3 height width"]) -> Sequence[Sequence[Segment]]:
        """One frame after the other."""
        with untouched(self._module), torch.no_grad(), quiet():
            return [self._segments(frame) for frame in frames]

    def _segments(self, frame: UInt8[Tensor, "3 height width"]) -> list[Segment]:
        picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
        inputs = self._processor(images=picture, return_tensors="pt").to(self._device)
        outputs = self._module(**inputs)
        size = (frame.shape[-2], frame.shape[-1])
        (answer,) = self._processor.post_process_instance_segmentation(
            outputs, threshold=LEAST_SCORE, target_sizes=[size]
        )
        numbers = answer["segmentation"].cpu()  # of the segment that each pixel belongs to
        return [
            Segment(label=self._names[info["label_id"]], mask=numbers == info["id"]) for info in answer["segments_info"]
        ]


def hugging_face_masks(source: str, *, threads: int, device: str | torch.device) -> MaskSource:
    """The segmenter of a folder or hub id; `?boxes=DETECTOR` behind it says who finds the persons that SAM 2 follows.

    Raises:
        InputError: if SAM 2 has no detector, or another segmenter has one.
        MissingExtraError: without transformers.
        ModelError: if it is of a family that is not known.
    """
    if transformers is None:
        raise MissingExtraError("hf", f"hf:{source}")
    folder, separator, detector = source.partition("?boxes=")  # a detector's spec may have options of its own
    if not separator:
        folder, _ = split_option("hf", source, "", argument="masks")
    cure = "Choose a segmenter of one of these families."
    with quiet():
        family = checked_family(folder, (*SEGMENTERS, TRACKER), argument="masks", cure=cure)
    if (family == TRACKER) != bool(detector):
        rule = "have ?boxes=DETECTOR behind hf:FOLDER for SAM 2, and for no other segmenter"
        raise InputError(f"`masks` must {rule}. Got hf:{source}. Write, for example, hf:sam2?boxes=motion.")
    if family != TRACKER:
        return HuggingFaceMasks(folder, device=device)
    from video_tcav.masks.sam2 import Sam2Masks  # noqa: PLC0415 - it needs transformers

    return Sam2Masks(folder, detector, threads=threads, device=device)


def short_name(source: str) -> str:
    """The hub id, or the name of the folder."""
    return source if not Path(source).exists() else Path(source).resolve().name
