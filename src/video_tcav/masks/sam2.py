"""Masks by SAM 2, which follows the persons that a detector's boxes point at through the clip."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from video_tcav.masks.boxes import person_boxes, person_detector
from video_tcav.masks.mask_source import ClipMasks, MaskSource, checked_masks, no_person
from video_tcav.media import LoadedClips
from video_tcav.models.devices import pick_device
from video_tcav.models.hooks import untouched
from video_tcav.models.loaders.hf_config import transformers
from video_tcav.models.loaders.hf_preprocess import quiet
from video_tcav.models.loaders.hf_pretrained import load_processor_part, load_whole_model
from video_tcav.models.video_model import state_digest


class Sam2Masks(MaskSource):
    """Persons followed from the frame with most boxes, forwards and backwards; objects are not told.

    Source: Ravi et al. 2024, arXiv:2408.00714.
    """

    def __init__(self, source: str, detector: str, *, threads: int, device: str | torch.device = "auto") -> None:
        """Load the model, its processor and the detector; never runs code that comes with them.

        Args:
            source: hub id, or folder with config.json, of a video model of SAM 2.
            detector: spec of the detector that finds persons, see `proposals.parse_detector`.
            threads: of the detector, on the CPU.
            device: where both run; `auto` takes the first GPU that there is.

        Raises:
            InputError: for a detector that is not known.
            ModelError: if the source is no such model.
            WeightsError: if its weights cannot be read safely.
        """
        self._detector = person_detector(detector, threads=threads, device=device)
        self.name = f"hf:{Path(source).name}?boxes={self._detector.name}"
        self._device = pick_device(device)
        with quiet():
            auto: Any = transformers.AutoProcessor
            self._processor = load_processor_part(auto, source, "video processor", argument="masks")
            self._module = load_whole_model(transformers.Sam2VideoModel, source, argument="masks")
        self.settings = {"weights_digest": state_digest(self._module), "detector": dict(self._detector.settings)}
        self._module.eval().to(self._device)

    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        """The persons of each window; see `MaskSource.masks`."""
        assert loaded.clips is not None
        windows = []
        for clip in loaded.clips:
            boxes = person_boxes(self._detector, clip)
            # the frame with the most persons, of these the one nearest to the middle: tracks drift with time
            prompted = max(range(len(clip)), key=lambda frame: (len(boxes[frame]), -abs(frame - len(clip) // 2)))
            if not len(boxes[prompted]):
                raise no_person(loaded.source)
            with untouched(self._module), torch.no_grad(), quiet():
                person = self._followed(clip, prompted, boxes[prompted].tolist())
            windows.append(ClipMasks(person=person, how=f"SAM 2 from boxes of {self._detector.name}"))
        return checked_masks(loaded, windows)

    def _followed(
        self, clip: UInt8[Tensor, "time 3 height width"], prompted: int, boxes: list[list[float]]
    ) -> Bool[Tensor, "time height width"]:
        """The union of all persons that are in boxes of one frame."""
        size = [clip.shape[-2], clip.shape[-1]]
        pictures = [frame.permute(1, 2, 0).contiguous().numpy() for frame in clip]
        session = self._processor.init_video_session(video=pictures, inference_device=self._device)
        persons = list(range(1, len(boxes) + 1))
        self._processor.add_inputs_to_inference_session(
            inference_session=session, frame_idx=prompted, obj_ids=persons, input_boxes=[boxes]
        )
        masks = torch.zeros((len(clip), *size), dtype=torch.bool)
        self._module(inference_session=session, frame_idx=prompted)
        for reverse in (False, True):
            for output in self._module.propagate_in_video_iterator(session, start_frame_idx=prompted, reverse=reverse):
                (of_persons,) = self._processor.post_process_masks([output.pred_masks], original_sizes=[size])
                masks[output.frame_idx] |= of_persons.cpu().bool().any(0)[0]
        return masks
