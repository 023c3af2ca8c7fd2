"""Precision, and that nothing of them is left on the model."""

import copy

import pytest
import torch
from torch import nn

import video_tcav as vt
from video_tcav.core.errors import InputError
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.fast.fast_paths import FastPaths, OptimisedPass, choose_fast_paths
from video_tcav.recording.fast.precision import Precision, agrees_in_bfloat16, choose_precision, fast_bfloat16


class Net(nn.Module):
    clip_spec = {"frames": 4, "stride": 1, "size": 8, "mean": 0.5, "std": 0.5}

    def __init__(self, offset: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.offset = offset
        self.stem = nn.Sequential(nn.Conv3d(3, 8, 3, padding=1), nn.ReLU())
        self.stages = nn.ModuleList([nn.Sequential(nn.Conv3d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(2)])
        self.head = nn.Linear(8, 3)

    def forward(self, clip):
        found = self.stem(clip)
        for stage in self.stages:
            found = stage(found)
        return self.head(((found + self.offset) - self.offset).mean((2, 3, 4)))


@pytest.fixture
def model() -> vt.VideoModel:
    return vt.load_model(Net(), device="cpu")


def test_float32_is_the_models_own_type_and_auto_depends_on_the_hardware(model):
    assert choose_precision(model, "float32") == "float32"
    assert choose_precision(model, "bfloat16") == "bfloat16"
    expected = "bfloat16" if fast_bfloat16(torch.device("cpu")) else "float32"
    assert choose_precision(model, "auto") == expected


def test_auto_leaves_a_model_alone_that_needs_more_digits():
    needing = vt.load_model(Net(offset=3e4), device="cpu")  # bfloat16 has eight bits
    assert agrees_in_bfloat16(vt.load_model(Net(), device="cpu"))
    assert not agrees_in_bfloat16(needing)
    assert choose_precision(needing, "auto") == "float32"


def test_bfloat16_is_refused_where_it_would_do_nothing():
    double = vt.load_model(Net().double(), device="cpu")
    assert choose_precision(double, "auto") == "float32"
    with pytest.raises(InputError, match="`precision` must be float32 for a model of another type"):
        choose_precision(double, "bfloat16")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_passes_agree_and_leave_the_model_as_it_came(model, precision: Precision):
    clips = [torch.randn(3, 4, 8, 8) for _ in range(3)]
    layers, target = ["stages.0", "stages.1"], lambda logits: logits[:, 0] - logits[:, 1:].logsumexp(1)
    exact = record_gradients(model, layers, torch.stack(clips), target)
    before = copy.deepcopy(model.module.state_dict())
    passing = OptimisedPass(model, choose_fast_paths(model, clips[0][None]), precision=precision)
    batch = passing.batch(clips)
    with passing.running():
        found = record_gradients(model, layers, batch, target)
        activations = record_activations(model, layers, batch, last="stages.1")
    tolerance = 1e-5 if precision == "float32" else 0.1  # where a ReLU is close to 0, a rounding turns it on or off
    assert found.logits.dtype == torch.float32
    for layer in layers:
        for mine, exactly in ((found.layers, exact.layers), (activations, exact.activations)):
            assert (mine[layer].float() - exactly[layer]).norm() <= tolerance * exactly[layer].norm()
    assert not torch.is_autocast_enabled("cpu")
    assert not any("forward" in vars(part) for part in model.module.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())


def test_a_model_that_is_no_convolution_takes_no_faster_way():
    class Flat(Net):
        def forward(self, clip):
            return self.head(clip.mean((2, 3, 4)).repeat(1, 3)[:, :8])

    flat = Flat()
    del flat.stem, flat.stages
    flat.clip_spec = {**Net.clip_spec, "layout": "channels_first"}
    assert choose_fast_paths(vt.load_model(flat, device="cpu"), torch.randn(1, 3, 4, 8, 8)) == FastPaths()


def test_the_ways_do_not_depend_on_which_clip_was_traced_before():
    model = vt.load_model(Net(), device="cpu")
    first, second = torch.randn(2, 3, 4, 8, 8)
    runner = BatchRunner(model, ("stages.0",))
    assert runner.batch_size(first)
    assert runner.passing(second).paths == choose_fast_paths(model, second[None])
    assert choose_fast_paths(model, second[None]).channels_last
