"""Detectors of torchvision, trained on COCO."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from video_tcav.core.checks import require
from video_tcav.core.errors import MissingExtraError
from video_tcav.models.devices import pick_device
from video_tcav.models.hooks import untouched
from video_tcav.models.loaders.torchvision_zoo import published_entry, read_entry
from video_tcav.models.video_model import state_digest
from video_tcav.models.weights.loading import fit_weights
from video_tcav.proposals.detector import LEAST_SCORE, Detections, Detector, check_labels, clipped

try:
    from torchvision.models import detection as detection_models
    from torchvision.models import get_model, get_model_weights, list_models
except ImportError as error:
    raise MissingExtraError("torchvision", "A detector of torchvision") from error

_BATCH = 4  # frames in one pass


class TorchvisionDetector(Detector):
    """One of torchvision's detectors."""

    def __init__(
        self,
        architecture: str,
        *,
        weights: str | None = None,
        labels: Sequence[str] | None = None,
        device: str | torch.device = "auto",
    ) -> None:
        """Build it and load its weights.

        Args:
            architecture: as torchvision calls it.
            weights: name of published weights (`COCO_V1`), or a file of tensors; the published ones if not given.
            labels: which classes to find; all if not given.
            device: where it runs; `auto` takes the first GPU that there is.

        Raises:
            InputError: if there is no such detector, or a label is not its own.
            WeightsError: if the weights cannot be read or do not fit; nothing is ever unpickled.
        """
        # those that give boxes of COCO's classes: keypoint detectors know persons only
        architectures = [name for name in list_models(module=detection_models) if not name.startswith("keypoint")]
        rule = f"be torchvision: and one of {', '.join(architectures)}"
        require(architecture in architectures, "detector", rule, architecture, "Correct the name.")
        self.name = f"torchvision:{architecture}"
        published = get_model_weights(architecture)
        self._names = tuple(next(iter(published)).meta["categories"])
        names = [name for name in self._names if name not in ("__background__", "N/A")]
        self._wanted = set(check_labels(labels, names, self.name))  # before a long download
        self._device = pick_device(device)
        chosen = weights or "DEFAULT"
        entry = published_entry(published, chosen)
        content = read_entry(entry, chosen, instead="write torchvision:NAME?weights=FILE")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self._module = get_model(architecture, weights=None, weights_backbone=None, num_classes=len(self._names))
        fit_weights(self._module, content)
        self.side_px = _side_px(self._module)
        self.settings = {
            "weights": Path(chosen).name,
            "weights_digest": state_digest(self._module),  # another training may have the same name
        }
        self._module.eval().to(self._device)

    def detect(self, frames: UInt8[Tensor, "frame 3 height width"]) -> list[Detections]:
        """Some frames at a time; the detector brings them to its own size."""
        return [self._read(answer, frames.shape[-2:]) for answer in self.answers(frames)]

    def answers(self, frames: UInt8[Tensor, "frame 3 height width"]) -> Iterator[dict[str, Tensor]]:
        """What the network says of each frame: `boxes`, `labels` and `scores`, and `masks` where it makes some."""
        for batch in frames.split(_BATCH):
            with untouched(self._module), torch.no_grad():
                answers = self._module(list(batch.to(self._device).float() / 255))
            yield from answers

    def label_of(self, number: int) -> str:
        """Name of a class by its number in `labels`."""
        return self._names[number]

    def _read(self, answer: dict[str, Tensor], frame_size: torch.Size) -> Detections:
        names = [self._names[at] for at in answer["labels"].tolist()]
        scores = answer["scores"].cpu().numpy()
        chosen = [at for at, name in enumerate(names) if name in self._wanted and scores[at] >= LEAST_SCORE]
        boxes = answer["boxes"].cpu().numpy()[chosen]
        return clipped(boxes, scores[chosen], [names[at] for at in chosen], (frame_size[0], frame_size[1]))


def _side_px(module: nn.Module) -> int | None:
    """Shorter side to which torchvision brings pictures at most, so that smaller ones do as well."""
    transform = getattr(module, "transform", None)
    sides = [*getattr(transform, "min_size", ()), *(getattr(transform, "fixed_size", None) or ())]
    return max(sides, default=None)
