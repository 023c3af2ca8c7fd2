"""The script for a GPU: its logic with the CPU on both sides, and what it says where there is no GPU."""

import math
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu

TINY = gpu.Sizes(
    compared_clips=(3, 6, 3),
    map_clips=2,
    timed_clips=(3, 3, 3),
    rounds=1,
    statistics={"permutations": 19, "random_sets": 2, "bootstraps": 2},
)


def test_the_cpu_differs_from_itself_in_nothing():
    networks = [network for network in gpu.NETWORKS if "transformer" not in network.name]
    differences = gpu.compare_devices("cpu", TINY, networks)
    assert {row.network for row in differences} == {"rendered:r2plus1d-scene", "CNN+LSTM"}
    assert len(differences) == 4 * len(networks)
    assert all(row.relative == 0 for row in differences)
    assert gpu.difference_table(differences).count("| yes |") == len(differences)


def test_other_weights_on_a_device_are_above_the_limit(tmp_path):
    """Each quantity is compared: a network that differs shows in all of them."""
    classes = list(gpu.rule_of("scene").labels)
    networks = iter(
        [gpu.load_recurrent("cpu"), gpu.vt.load_model(gpu.ConvolutionsThenLSTM(len(classes)), classes=classes)]
    )
    network = gpu.Network(name="two", load=lambda _device: next(networks), layers=("lstm",), map_layer="frames.2")
    sets = gpu.write_scenes(tmp_path, TINY.compared_clips)
    effects, _, *maps = gpu.compare_network(network, "cpu", sets, TINY)
    assert all(row.relative > 0.01 for row in (effects, *maps))
    assert "| NO |" in gpu.difference_table([effects])


def test_three_kinds_of_work_are_timed_against_plain_pytorch():
    model = gpu.vt.load_model("rendered:r2plus1d-motion", device="cpu")
    timings = gpu.time_against_plain(model, ("stages.1", "stages.2"), TINY)
    assert [row.work.split(" ")[0] for row in timings] == ["passes", "whole", "Grad-CAM"]
    assert all(row.ours_s > 0 and row.plain_s > 0 for row in timings)
    head, rule, *rows = gpu.timing_table(timings).splitlines()
    assert {line.count("|") for line in (head, rule, *rows)} == {5}


def test_plain_grad_cam_is_grad_cam():
    model = gpu.load_recurrent("cpu")
    clips = torch.randn(2, 3, 16, 64, 64, generator=torch.Generator().manual_seed(0))
    maps = gpu.GradCAM(layers=("frames.2",))(model, clips, target=0).values()
    plain = gpu.plain_grad_cam(model, clips, "frames.2")
    corners = (..., slice(None, None, 63), slice(None, None, 63))  # inside, it spreads cells over equal shares
    assert plain.shape == maps.shape
    assert torch.allclose(plain[corners], maps[corners], rtol=1e-3, atol=1e-9)


def test_nan_is_above_the_limit():
    assert "| NO |" in gpu.difference_table([gpu.Difference(network="n", quantity="q", relative=math.nan)])


def test_tf32_is_off_inside_and_as_before_outside():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with gpu.full_float32():
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here: run benchmarks/gpu.py itself")
def test_without_a_gpu_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(Path(gpu.__file__))])
    gpu.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("No GPU here")
