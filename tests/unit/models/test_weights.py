import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from video_tcav.core.errors import WeightsError
from video_tcav.models.weights.loading import fit_weights, read_weights

STATE = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_safetensors_with_metadata(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors", {"frames": "16"})
    weights = read_weights(tmp_path / "w.safetensors")
    assert dict(weights.metadata) == {"frames": "16"}
    assert torch.equal(weights.tensors["weight"], STATE["weight"])


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_checkpoints_are_unwrapped(tmp_path, wrap, prefix):
    torch.save(wrap({prefix + name: tensor for name, tensor in STATE.items()}), tmp_path / "w.pt")
    module = nn.Linear(3, 2)
    fit_weights(module, read_weights(tmp_path / "w.pt"))
    assert torch.equal(module.weight, STATE["weight"])


@pytest.mark.parametrize("save", [torch.save, lambda obj, path: path.write_bytes(pickle.dumps(obj))])
def test_a_pickle_with_code_runs_nothing(tmp_path, save):
    mark = tmp_path / "ran"
    save({"weight": Evil(mark)}, tmp_path / "evil.pt")
    with pytest.raises(WeightsError, match=r"must hold tensors only\. Got .*evil\.pt, a pickle that wants to run code"):
        read_weights(tmp_path / "evil.pt")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_unreadable_files(tmp_path, name):
    with pytest.raises(WeightsError, match=r"must be a file. Got .*which does not exist"):
        read_weights(tmp_path / name)
    (tmp_path / name).write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match=r"must be a readable file"):
        read_weights(tmp_path / name)


def test_a_truncated_file(tmp_path):
    torch.save(STATE, tmp_path / "w.pt")
    (tmp_path / "w.pt").write_bytes((tmp_path / "w.pt").read_bytes()[:300])
    with pytest.raises(WeightsError, match=r"must be a readable file"):
        read_weights(tmp_path / "w.pt")


def test_something_other_than_tensors(tmp_path):
    torch.save({"a": 1}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"must be a state dict"):
        read_weights(tmp_path / "w.pt")


def test_a_misfit_is_named_and_nothing_is_loaded(tmp_path):
    state = {"weight": torch.ones(5, 3), **{f"extra{i}": torch.ones(1) for i in range(4)}}
    save_file(state, tmp_path / "w.safetensors")
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(WeightsError) as caught:
        fit_weights(module, read_weights(tmp_path / "w.safetensors"))
    message = str(caught.value)
    assert "1 of another shape: weight (5, 3) where the model has (2, 3)" in message
    assert "1 missing: bias" in message
    assert "4 unexpected: extra0, extra1, extra2 and 1 more" in message
    assert "\n" not in message
    assert torch.equal(module.weight, before)
