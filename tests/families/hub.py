"""Entries of torch.hub checkouts: those of pytorchvideo and Hiera, small, with random weights."""

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from video_tcav.models import VideoModel, load_model

from .family import CLASSES, Family

CHECKOUT = Path(__file__).parent / "checkout"
ENTRIES = {
    "Slow (pytorchvideo)": "slow_r50",
    "C2D (pytorchvideo)": "c2d_r50",
    "I3D (pytorchvideo)": "i3d_r50",
    "CSN (pytorchvideo)": "csn_r101",
    "R(2+1)D (pytorchvideo)": "r2plus1d_r50",
    "X3D (pytorchvideo)": "x3d_s",
    "SlowFast (pytorchvideo)": "slowfast_r50",
    "Slow on a box (pytorchvideo)": "slow_r50_detection",
    "SlowFast on a box (pytorchvideo)": "slowfast_r50_detection",
    "MViT (pytorchvideo)": "mvit_base_16x4",
    "Hiera": "hiera_base_16x224",
}


BOX = (0.4, 0.0, 1.0, 0.5)
"""Of detection networks, around the square that appears in the clips of the map."""


def original_network(entry: str, seed: int = 0) -> Any:
    """What the entry itself builds, in evaluation mode."""
    spec = importlib.util.spec_from_file_location("checkout_hubconf", CHECKOUT / "hubconf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    width = {"mvit_base_16x4": "head_num_classes", "hiera_base_16x224": "num_classes"}.get(entry, "model_num_class")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return getattr(module, entry)(**{width: len(CLASSES)}).eval()


def load(entry: str, **options: Any) -> VideoModel:
    if entry.endswith("_detection"):
        options.setdefault("at_box", BOX)
    return load_model(f"hub:{CHECKOUT}:{entry}", classes=CLASSES, device="cpu", **options)


def original(entry: str, clips: Tensor) -> Tensor:
    """The outputs of the network as its package is used: SlowFast gets both of its tensors, detection a box a clip."""
    boxes = []
    if entry.endswith("_detection"):
        height, width = clips.shape[-2:]
        left, top, right, bottom = BOX
        rows = [[number, left * width, top * height, right * width, bottom * height] for number in range(len(clips))]
        boxes = [torch.tensor(rows)]
    if not entry.startswith("slowfast"):
        return original_network(entry)(clips, *boxes)
    # PackPathway of the published tutorial
    slow = clips.index_select(2, torch.linspace(0, clips.shape[2] - 1, clips.shape[2] // 4).long())
    return original_network(entry)([slow, clips.clone()], *boxes)


HUB = [
    Family(
        name=name,
        load=lambda _folder, entry=entry: load(entry),
        original=lambda _folder, _model, clips, entry=entry: original(entry, clips),
    )
    for name, entry in ENTRIES.items()
]
