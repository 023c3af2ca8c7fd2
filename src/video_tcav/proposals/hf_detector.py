"""Zero-shot detectors of Hugging Face, which find what a text names: Grounding DINO, OWL-ViT and OWLv2."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.models.devices import pick_device
from video_tcav.models.hooks import untouched
from video_tcav.models.loaders.hf_config import transformers
from video_tcav.models.loaders.hf_preprocess import quiet
from video_tcav.models.loaders.hf_pretrained import checked_family, load_processor_part, load_whole_model
from video_tcav.models.video_model import state_digest
from video_tcav.proposals.detector import LEAST_SCORE, MOST_OVERLAP, Detections, Detector, clipped

try:
    from torchvision.ops import batched_nms
except ImportError as error:
    raise MissingExtraError("hf", "A detector of Hugging Face") from error

FAMILIES = ("grounding-dino", "owlv2", "owlvit")


class HuggingFaceDetector(Detector):
    """A detector that takes its labels as free text."""

    side_px = 1024  # more than any of the families' processors keep

    def __init__(self, source: str, *, labels: Sequence[str] | None, device: str | torch.device = "auto") -> None:
        """Load the model and its processor; never runs code that comes with them.

        Args:
            source: hub id, or folder with config.json.
            labels: what to find, each in a few words.
            device: where it runs; `auto` takes the first GPU that there is.

        Raises:
            MissingExtraError: without transformers.
            InputError: without a label.
            ModelError: if the source is no such detector.
            WeightsError: if its weights cannot be read safely.
        """
        if transformers is None:
            raise MissingExtraError("hf", f"hf:{source}")
        self.labels = tuple(" ".join(label.lower().split()) for label in labels or ())
        if not self.labels or any(not label or "." in label for label in self.labels):
            raise InputError(
                f"`label` must say in words what hf:{source} is to find, without a full stop. Got {list(labels or ())}."
                " Write, for example, --label 'tennis racket'."
            )
        self.name = f"hf:{source if not Path(source).exists() else Path(source).resolve().name}"
        self._device = pick_device(device)
        with quiet():
            self.family = checked_family(
                source, FAMILIES, argument="detector", cure="Choose a detector that takes text."
            )
            self._processor = load_processor_part(transformers.AutoProcessor, source, "processor", argument="detector")
            auto: Any = transformers.AutoModelForZeroShotObjectDetection
            self._module = load_whole_model(auto, source, argument="detector")
        self.settings = {"family": self.family, "weights_digest": state_digest(self._module)}
        self._module.eval().to(self._device)

    def detect(self, frames: UInt8[Tensor, "frame 3 height width"]) -> list[Detections]:
        """One frame after the other."""
        with untouched(self._module), torch.no_grad(), quiet():
            return [self._detect(frame) for frame in frames]

    def _detect(self, frame: UInt8[Tensor, "3 height width"]) -> Detections:
        height, width = frame.shape[-2:]
        picture = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
        grounded = self.family == "grounding-dino"  # takes one text of all labels, the others a list of texts
        text: Any = " ".join(f"{label}." for label in self.labels) if grounded else [list(self.labels)]
        inputs = self._processor(images=picture, text=text, return_tensors="pt").to(self._device)
        outputs = self._module(**inputs)
        if grounded:
            full_stop = int(self._processor.tokenizer.convert_tokens_to_ids("."))
            scores = _scores_by_label(outputs.logits[0], inputs["input_ids"][0], full_stop, len(self.labels))
            middle, size = outputs.pred_boxes[0, :, :2], outputs.pred_boxes[0, :, 2:]
            boxes = torch.cat([middle - size / 2, middle + size / 2], 1) * torch.tensor([width, height] * 2).to(middle)
            best, numbers = scores.max(1)
        else:
            answer = self._processor.post_process_grounded_object_detection(
                outputs, threshold=LEAST_SCORE, target_sizes=[(height, width)]
            )[0]
            boxes, best, numbers = answer["boxes"], answer["scores"], answer["labels"]
        good = best >= LEAST_SCORE
        boxes, best, numbers = boxes[good].float(), best[good].float(), numbers[good]
        chosen = batched_nms(boxes, best, numbers, MOST_OVERLAP)
        names = [self.labels[at] for at in numbers[chosen].tolist()]
        return clipped(boxes[chosen].cpu().numpy(), best[chosen].cpu().numpy(), names, (height, width))


def _scores_by_label(logits: Tensor, tokens: Tensor, full_stop: int, labels: int) -> Tensor:
    """Score of each query for each label: that of the label's strongest token."""
    scores = logits.float().sigmoid()
    ends = (tokens == full_stop).nonzero().ravel().tolist()[:labels]
    starts = [1, *(end + 1 for end in ends[:-1])]  # token 0 is the start token
    nothing = scores.new_zeros(len(scores), 1)  # of a label without a token, such as one of control characters
    parts = [torch.cat([scores[:, start:end], nothing], 1) for start, end in zip(starts, ends, strict=True)]
    return torch.stack([part.amax(1) for part in parts], dim=1)
