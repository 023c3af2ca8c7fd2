"""Tiny networks in double precision with known weights, and the target of each written out."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.unit.models.networks import Convolutions
from video_tcav.models import Target, VideoModel, load_model

FRAMES, HEIGHT, WIDTH = 5, 8, 12  # no two alike, so that swapped axes cannot hide
SHAPE = (FRAMES, HEIGHT, WIDTH)
TARGET = Target(class_index=1)


def network(build: Callable[[], nn.Module]) -> nn.Module:
    """Built from seed 0; the global random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build().double()


def convolutions(wrap: Callable[[Tensor], object] = lambda logits: logits) -> VideoModel:
    """Three stages of convolutions, strong enough that the target moves."""

    def build() -> nn.Module:
        built = Convolutions(wrap=wrap)
        for parameter in built.parameters():
            parameter.data *= 2
        return built

    return load_model(network(build), frames=FRAMES, size=(HEIGHT, WIDTH), classes=["a", "b", "c"])


class TimeFirst(nn.Module):
    """The same network for clips that have time before the colour."""

    clip_spec = {"layout": "time_first"}

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.stages, self.head = inner.stages, inner.head

    def forward(self, clip: Tensor) -> Tensor:
        return self.head(self.stages(clip.transpose(1, 2)).mean((2, 3, 4)))


def time_first() -> VideoModel:
    """`convolutions` with the other layout."""
    inner = convolutions().module
    return load_model(TimeFirst(inner), frames=FRAMES, size=(HEIGHT, WIDTH), classes=["a", "b", "c"])


class Brightness(nn.Module):
    """Its logit is the brightness inside one place and time; it must be bright there at once, so it is not linear."""

    def __init__(self, place: tuple[slice, slice, slice], gain: float = 4.0) -> None:
        super().__init__()
        self.look = nn.Conv3d(3, 2, 1)
        with torch.no_grad():
            self.look.weight.copy_(torch.tensor([[1 / 3], [-1 / 3]]).expand(2, 3)[..., None, None, None])
            self.look.bias.copy_(torch.tensor([0.0, 1.0]))
        self.place, self.gain = place, gain

    def forward(self, clip: Tensor) -> Tensor:
        bright = self.look(clip)[:, 0][(slice(None), *self.place)].clamp(min=0).mean((1, 2, 3))
        return torch.stack([self.gain * bright.square(), torch.zeros_like(bright)], 1)


PLACE = (slice(2, 4), slice(4, 8), slice(0, 4))


def brightness() -> tuple[VideoModel, Tensor]:
    """The network, and a clip that is bright everywhere."""
    model = load_model(Brightness(PLACE).double(), frames=FRAMES, size=(HEIGHT, WIDTH), classes=["bright", "dark"])
    clip = 1 + 0.1 * torch.rand(1, 3, *SHAPE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return model, clip


def inside(found: Tensor) -> bool:
    """Whether the largest value of each map is where the network reads."""
    there = torch.zeros(SHAPE, dtype=torch.bool)
    there[PLACE] = True
    return all(bool(there[one == one.max()].all()) for one in found)


def noise_clips(count: int = 2, *, seed: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, *SHAPE, generator=generator, dtype=torch.float64)


def value(model: VideoModel, clips: Tensor, target: Target = TARGET) -> Tensor:
    """The log-odds, written out."""
    with torch.no_grad():
        logits = model.module(clips)
        logits = logits if isinstance(logits, Tensor) else logits[0]
    k = target.class_index
    others = [c for c in range(logits.shape[1]) if c != k]
    return logits[:, k] - logits[:, others].exp().sum(1).log()
