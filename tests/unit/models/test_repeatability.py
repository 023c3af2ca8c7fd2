import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from video_tcav.core.errors import ModelError
from video_tcav.models.load import load_model

from .networks import Stream


class Network(nn.Module):
    """A small network with something in the middle."""

    clip_spec = {"frames": 4, "size": 8, "mean": 0.45, "std": 0.225}

    def __init__(self, middle=lambda x: x, classes=3):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.middle, self.head = nn.Conv3d(3, 6, 3, padding=1), middle, nn.Linear(6, classes)

    def forward(self, clips):
        return self.head(self.middle(self.body(clips).relu()).mean((2, 3, 4)))


class AlwaysOn(nn.Dropout):
    def train(self, mode=True):
        return super().train(True)


class TrainingNorm(nn.BatchNorm3d):
    def train(self, mode=True):
        return super().train(True)


class LastClip(nn.Module):
    """Adds what it saw the last time, as a streaming network does."""

    def __init__(self):
        super().__init__()
        self.memory = None

    def forward(self, features):
        before, self.memory = self.memory, features[-1:].clone()
        return features if before is None else features + 0.5 * before


class RunningMean(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, features):
        self.mean.mul_(0.9).add_(0.1 * features.mean((0, 2, 3, 4)))
        return features - self.mean[:, None, None, None]


class SlowDrift(nn.Module):
    """Grows by a ten-thousandth with each pass."""

    def __init__(self):
        super().__init__()
        self.passes = 0

    def forward(self, features):
        self.passes += 1
        return features * (1 + 1e-4 * self.passes)


def numpy_noise(features):
    return features * float(np.random.rand())  # noqa: NPY002


RANDOM = "draws random numbers in evaluation mode"
STATE = "keeps state from one clip to the next"
IMPURE = [
    (lambda x: F.dropout(x, 0.5), RANDOM),
    (lambda x: F.dropout3d(x, 0.2, training=True), RANDOM),
    (lambda x: x + 0.1 * torch.randn_like(x), RANDOM),
    (lambda x: x + 1e-3 * torch.randn_like(x), RANDOM),
    (lambda x: x[:, :, torch.randperm(x.shape[2])[:2]], RANDOM),
    (lambda x: x if torch.rand(()) < 0.7 else 0 * x, RANDOM),
    (numpy_noise, RANDOM),
    (lambda x: x if random.random() < 0.7 else 0 * x, RANDOM),
    (AlwaysOn(0.5), r"dropout stays in training mode \(middle\)"),
    (nn.BatchNorm3d(6, track_running_stats=False), r"BatchNorm without running statistics \(middle\)"),
    (TrainingNorm(6), r"normalisation stays in training mode \(middle\)"),
    (lambda x: F.batch_norm(x, None, None, training=True), "depend on the other clips in the batch"),
    (lambda x: x - x.mean(0, keepdim=True), "depend on the other clips in the batch"),
    (lambda x: x.softmax(0), "depend on the other clips in the batch"),
    (lambda x: x / x.norm(), "depend on the other clips in the batch"),
    (lambda x: x.flip(0), "depend on the other clips in the batch"),
    (LastClip(), STATE),
    (RunningMean(), STATE),
    (SlowDrift(), STATE),
]


@pytest.mark.parametrize(("middle", "cause"), IMPURE)
def test_a_network_that_does_not_repeat_itself_is_refused_unless_allowed(middle, cause):
    with pytest.raises(ModelError, match=rf"`model` must give one clip the same outputs .*{cause}.*--allow-impure"):
        load_model(Network(middle))
    model = load_model(Network(middle), allow_impure=True)
    assert len([note for note in model.remarks() if "does not repeat itself, which was allowed" in note]) == 1


def test_state_that_cannot_take_another_batch_is_refused():
    with pytest.raises(ModelError, match="must take any number of clips.* after other clips were passed"):
        load_model(Network(Stream()), allow_impure=True)


PURE = [
    nn.Dropout(0.5),
    nn.BatchNorm3d(6),
    nn.InstanceNorm3d(6),
    nn.GroupNorm(2, 6),
    lambda x: F.dropout(x, 0.5, training=False),
    lambda x: x + torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(1)),
    lambda x: torch.zeros_like(x),
]


@pytest.mark.parametrize("middle", PURE)
@pytest.mark.parametrize("classes", [1, 3])
def test_a_network_that_repeats_itself_is_taken_without_a_note(middle, classes):
    state = torch.get_rng_state()
    model = load_model(Network(middle, classes))
    assert not any("repeat" in note for note in model.notes)
    torch.set_rng_state(state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_rounding_by_the_size_of_the_batch_is_no_impurity(dtype):
    assert load_model(Network().to(dtype)).notes == ()
    with pytest.raises(ModelError, match=RANDOM):
        load_model(Network(lambda x: F.dropout(x, 0.5)).to(dtype))


def test_loading_leaves_the_global_random_state():
    torch.manual_seed(5)
    network, state = Network(lambda x: F.dropout(x, 0.5)), torch.get_rng_state()
    with pytest.raises(ModelError, match=RANDOM):
        load_model(network)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_recipe_of_an_allowed_network_loads_it_again(tmp_path):
    (tmp_path / "model.py").write_text(
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
        "class Net(nn.Module):\n    clip_spec = {'frames': 4, 'size': 8}\n"
        "    def __init__(self):\n        super().__init__()\n        self.head = nn.Linear(3, 2)\n"
        "    def forward(self, clip):\n        return self.head(F.dropout(clip).mean((2, 3, 4)))\n",
        encoding="utf-8",
    )
    spec = f"file:{tmp_path}/model.py:Net"
    with pytest.raises(ModelError, match=RANDOM):
        load_model(spec)
    model = load_model(spec, allow_impure=True)
    assert model.recipe is not None
    assert load_model(**model.recipe, device="cpu").notes[-1].startswith("The model does not repeat itself")
