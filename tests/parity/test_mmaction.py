"""Networks built for mmaction2 configs against mmaction2's own modules: names and shapes of tensors, and logits."""

import json

import pytest
import torch

from .mmaction_configs import CONFIGS, loaded
from .mmaction_reference import REFERENCE, checkpoint, clip_of

PUBLISHED = json.loads(REFERENCE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_those_of_mmaction2(name, tmp_path):
    torch.save(checkpoint(PUBLISHED[name]), tmp_path / "best.pth")
    model = loaded(tmp_path, CONFIGS[name], weights=tmp_path / "best.pth")
    clip = model.prepare(clip_of(name, model.clip_spec.frames, model.clip_spec.size[0]))
    with torch.no_grad():
        logits = model.logits(clip[None])[0]
    torch.testing.assert_close(logits, torch.tensor(PUBLISHED[name]["logits"]), rtol=1e-5, atol=1e-5)
