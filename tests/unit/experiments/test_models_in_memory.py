"""Networks in memory in place of those of an experiment file: the same numbers, and nothing of them is changed."""

import pytest
import torch
from torch import nn

import video_tcav as vt
from tests.unit.experiments.files import SMALL, write
from video_tcav.core.errors import ExperimentError, InputError
from video_tcav.experiments import check_experiment, run_experiment

FEW = SMALL.replace("permutations: 499, bootstraps: 200, random_sets: 20", "permutations: 19, bootstraps: 20")
FEW = FEW.replace("count: 8,", "count: 3,").replace("count: 10,", "count: 4,").replace("count: 24,", "count: 8,")
FEW = FEW.replace("shown: 1", "shown: 0")
NOT_THERE = "{spec: 'file:not_there.py:build', classes: names.txt, size: 64, mean: 0.45, std: 0.25}"
ABSENT = FEW.replace("rendered:r2plus1d-motion", NOT_THERE)
TWO = FEW.replace(
    "model: rendered:r2plus1d-motion", f"models: {{before: 'rendered:r2plus1d-motion', now: {NOT_THERE}}}"
)


@pytest.fixture
def network() -> nn.Module:
    """The rendered world's network as it stands in a training loop: two parts of it in unlike modes, one frozen."""
    module = vt.load_model("rendered:r2plus1d-motion", device="cpu").module.train()
    next(module.children()).eval()
    next(module.parameters()).requires_grad_(False)
    return module


@pytest.fixture
def absent(tmp_path):
    """An experiment whose own model is not there."""
    model = vt.load_model("rendered:r2plus1d-motion", device="cpu")
    (tmp_path / "names.txt").write_text("\n".join(model.classes))
    return write(tmp_path, ABSENT)


def test_a_network_in_memory_gives_the_numbers_of_the_model_by_its_name(absent, network, tmp_path):
    (tmp_path / "named").mkdir()
    by_name = run_experiment(write(tmp_path / "named", FEW), out=tmp_path / "by-name")
    in_memory = run_experiment(absent, models=network, out=tmp_path / "in-memory")
    assert [one.effect for one in in_memory.outcomes] == [one.effect for one in by_name.outcomes]
    assert any("in place of file:not_there.py:build" in text for text in in_memory.warnings())
    assert in_memory.record["model_digests"] == {
        "file:not_there.py:build": by_name.record["model_digests"]["rendered:r2plus1d-motion"]
    }


def test_modes_flags_and_random_numbers_are_as_before(absent, network, tmp_path):
    modes = [module.training for module in network.modules()]
    flags = [parameter.requires_grad for parameter in network.parameters()]
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    check_experiment(absent, models=network)
    assert torch.equal(torch.rand(4), expected)
    assert [module.training for module in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()] == flags


def test_several_models_go_by_their_names(absent, network, tmp_path):
    two = write(tmp_path, TWO.replace("target: playing tennis}", "target: playing tennis}\n    model: now"))
    assert set(check_experiment(two, models={"now": network}).all_models()) == {"before", "now"}
    with pytest.raises(InputError, match="`models` must be named where the experiment has several. Got .*before, now"):
        check_experiment(two, models=network)
    with pytest.raises(InputError, match="`models` must be one of before, now. Got 'later'"):
        check_experiment(two, models={"later": network})


def test_a_loaded_model_keeps_its_own_classes(absent, tmp_path):
    model = vt.load_model(
        "rendered:r2plus1d-motion",
        device="cpu",
        classes=[f"class {n}" for n in range(len(vt.load_model("rendered:r2plus1d-motion").classes))],
    )
    with pytest.raises(ExperimentError, match="small.yaml:4: `target` must be one of the model's .* classes"):
        check_experiment(absent, models=model)
