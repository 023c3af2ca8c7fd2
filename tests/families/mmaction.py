"""Configs of mmaction2: small ones, with the tensors and the logits that its own modules gave for them."""

import json
from pathlib import Path

import torch
from torch import Tensor

from tests.parity.mmaction_configs import CONFIGS, loaded
from tests.parity.mmaction_reference import REFERENCE, checkpoint, clip_of
from tests.unit.models.networks import pooled_without_overlap
from video_tcav.models import VideoModel

from .family import Family

NAMES = (
    *("TSN", "TSM", "I3D", "SlowOnly", "SlowFast", "Video Swin", "MViTv2", "VideoMAE", "TimeSformer"),
    *("UniFormer", "UniFormerV2", "UniFormerV2, frames halved"),
)
_PUBLISHED = json.loads(REFERENCE.read_text(encoding="utf-8"))


def load(name: str, folder: Path) -> VideoModel:
    """From a config and a checkpoint as mmengine's runner saves it."""
    torch.save(checkpoint(_PUBLISHED[name]), folder / "best.pth")
    return loaded(folder, CONFIGS[name], weights=folder / "best.pth")


def clips(name: str, model: VideoModel) -> Tensor:
    """The clip that mmaction2's own modules were run on; they are not installed here."""
    return model.prepare(clip_of(name, model.clip_spec.frames, model.clip_spec.size[0]))[None]


MMACTION = [
    Family(
        name=f"{name} (mmaction2)",
        load=lambda folder, name=name: load(name, folder),
        original=lambda _folder, _model, _clips, name=name: torch.tensor(_PUBLISHED[name]["logits"])[None],
        clips=lambda model, name=name: clips(name, model),
        in_place=pooled_without_overlap if name.startswith("MViT") else None,
    )
    for name in NAMES
]
