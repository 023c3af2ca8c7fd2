"""Writes mmaction_reference.json: names and shapes of tensors, and logits, of mmaction2's own modules for the small configs.

    python -m tests.parity.mmaction_reference

It needs mmaction2 1.2.0, mmengine 0.10.7 and mmcv-lite 2.1.0, which are no dependency of the tests. The wheel of mmaction2 1.2.0
lacks models/localizers/drn (an empty class DRN in drn.py will do), and its models/multimodal does not import beside
transformers 5 (empty its __init__.py).
"""

import importlib
import json
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .mmaction_configs import CONFIGS

REFERENCE = Path(__file__).with_suffix(".json")


def tensor_of(name: str, shape: Sequence[int]) -> torch.Tensor:
    """Numbers that a tensor's name decides: of a size with which activations neither vanish nor grow."""
    numbers = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    kind = name.rpartition(".")[2]
    if kind == "running_var":
        numbers = 1 + 0.2 * np.abs(numbers)
    elif kind == "weight" and len(shape) == 1:
        numbers = 1 + 0.2 * numbers
    elif len(shape) > 1:
        numbers = numbers / np.sqrt(np.prod(shape[1:]))
    else:
        numbers = 0.2 * numbers
    return torch.tensor(numbers, dtype=torch.float32)


def checkpoint(published: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint as mmengine's runner saves it, of the names and shapes in `mmaction_reference.json`."""
    state = {key: tensor_of(key, shape) for key, shape in published["shapes"].items()}
    state |= {key: torch.tensor(value) for key, value in published["integers"].items()}
    return {"meta": {"epoch": 3, "mmengine_version": "0.10.7"}, "state_dict": state, "message_hub": {}}


def clip_of(name: str, frames: int, size: int) -> torch.Tensor:
    """Noise of `(time, 3, height, width)`, uint8."""
    numbers = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (frames, 3, size, size), dtype=np.uint8)
    return torch.tensor(numbers)


def reference(name: str, folder: Path) -> dict[str, Any]:
    """What mmaction2 builds of a config, and its logits for a clip."""
    importlib.import_module("mmaction.models.data_preprocessors")
    models = importlib.import_module("mmaction.registry").MODELS
    importlib.import_module("mmengine.registry").DefaultScope.get_instance("reference", scope_name="mmaction")
    path = folder / "config.py"
    path.write_text(CONFIGS[name], encoding="utf-8")
    config = importlib.import_module("mmengine.config").Config.fromfile(path)
    config.model.backbone.pretrained = None
    parts = {part: models.build(config.model[part]) for part in ("backbone", "cls_head")}
    for module in parts.values():
        module.eval()  # of which some return nothing
    state = {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}
    integers = {key: value.tolist() for key, value in state.items() if not value.is_floating_point()}
    shapes = {key: list(value.shape) for key, value in state.items() if value.is_floating_point()}
    for part, module in parts.items():
        names = {key: f"{part}.{key}" for key in module.state_dict()}
        filled = {key: tensor_of(name, shapes[name]) for key, name in names.items() if name in shapes}
        module.load_state_dict(filled, strict=False)
    sample, crop = config.val_pipeline[1], config.val_pipeline[4].crop_size
    frames = sample.get("num_clips", 1) if config.model.type == "Recognizer2D" else sample.clip_len
    clip = clip_of(name, frames, crop)
    inputs = clip if config.model.type == "Recognizer2D" else clip.transpose(0, 1)
    inputs, _ = models.build(config.model.data_preprocessor).preprocess([inputs], [])
    with torch.no_grad():
        if config.model.type == "Recognizer2D":
            logits = parts["cls_head"](parts["backbone"](inputs.flatten(0, 1)), num_segs=frames)
        else:
            logits = parts["cls_head"](parts["backbone"](inputs))
    return {"shapes": shapes, "integers": integers, "logits": logits[0].tolist()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        content = {name: reference(name, Path(temporary)) for name in CONFIGS}
    REFERENCE.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
