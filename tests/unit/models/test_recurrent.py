"""Recurrent layers with gradients in evaluation mode: they alone leave cuDNN, and all is as before afterwards."""

import pytest
import torch
from torch import nn

from video_tcav.attribution import GradCAM, InputXGradient
from video_tcav.models import load_model, record_activations, record_gradients
from video_tcav.models.recurrent import without_cudnn
from video_tcav.models.targets import Target

KINDS = (nn.LSTM, nn.GRU, nn.RNN)
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Noting(nn.Module):
    """Hands on what it gets, and notes whether cuDNN was enabled meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.enabled: list[bool] = []

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.enabled.append(torch.backends.cudnn.enabled)
        return values


class NotingGRU(nn.GRU):
    """A user's own recurrent layer that notes the same."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes, batch_first=True)
        self.enabled: list[bool] = []

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.enabled.append(torch.backends.cudnn.enabled)
        return super().forward(values)


class ConvThenRecurrent(nn.Module):
    clip_spec = {"frames": 4, "stride": 1, "size": 8, "mean": 0.0, "std": 1.0}

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 6, 3, padding=1)
        self.noting = Noting()
        self.recurrent = recurrent
        self.head = nn.Linear(5, 3)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        frames = self.noting(self.conv(clip).relu().mean((3, 4))).transpose(1, 2)
        return self.head(self.recurrent(frames)[0][:, -1])


def model_of(recurrent: nn.Module, device: str = "cpu"):
    return load_model(ConvThenRecurrent(recurrent), classes=["a", "b", "c"], device=device)


@pytest.fixture
def clips():
    return torch.randn(3, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))


def test_only_a_recurrent_layer_with_a_graph_leaves_cudnn(clips):
    model = model_of(NotingGRU(6, 5))
    convolutions, recurrent = model.layer("noting").enabled, model.layer("recurrent").enabled
    for notes in (convolutions, recurrent):
        notes.clear()  # of the passes that loading made
    record_gradients(model, ("conv",), clips, Target(class_index=0))
    record_activations(model, ("recurrent",), clips)
    record_gradients(model, ("recurrent",), clips, Target(class_index=0))  # the graph starts behind it
    assert convolutions == [True, True, True]
    assert recurrent == [False, True, True]


@pytest.mark.parametrize("method", [GradCAM(layers=("conv",)), InputXGradient()])
def test_methods_of_attribution_pass_through_the_same_place(clips, method):
    model = model_of(NotingGRU(6, 5))
    method(model, clips, target=0)
    assert False in model.layer("recurrent").enabled
    assert all(model.layer("noting").enabled)


@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_layers_are_as_before_afterwards_also_after_an_error(clips, kind):
    model = model_of(kind(6, 5, num_layers=2, dropout=0.5, batch_first=True))
    attributes = set(vars(model.layer("recurrent")))
    gradients = [record_gradients(model, ("conv",), clips, Target(class_index=0)).layers["conv"] for _ in range(2)]
    assert torch.equal(*gradients)  # no dropout: evaluation mode is kept
    with pytest.raises(RuntimeError, match="expected input"):
        record_gradients(model, ("conv",), clips[:, :2], Target(class_index=0))
    assert set(vars(model.layer("recurrent"))) == attributes
    assert torch.backends.cudnn.enabled


def test_without_cudnn_leaves_every_other_flag_alone():
    cudnn = torch.backends.cudnn
    with cudnn.flags(enabled=True, benchmark=True, deterministic=True, allow_tf32=False):
        with without_cudnn():
            assert not cudnn.enabled
            assert (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == (True, True, False)
        assert cudnn.enabled


@on_a_gpu
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_on_a_gpu_are_those_of_the_cpu(clips, kind):
    network = ConvThenRecurrent(kind(6, 5, num_layers=2, dropout=0.5, batch_first=True)).eval()
    maps = []
    for device in ("cpu", "cuda"):
        model = load_model(network, classes=["a", "b", "c"], frames=4, size=8, device=device)
        maps.append(InputXGradient()(model, clips, target=0).values())
    assert torch.allclose(*maps, rtol=1e-3, atol=1e-5)
