"""A small network with two layers, sets of clips for it, and what whole forwards say when a layer's output is replaced."""

import torch
from torch import nn

import video_tcav as vt

TARGET, CLASSES = "b", ("a", "b", "c")
LAYERS = ("first", "second")
SPACES = {"flatten": (), "space": (3, 4), "time": (2,), "spacetime": (2, 3, 4)}


class Network(nn.Module):
    """Two curved layers over (clip, channel, time, height, width), and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Sequential(nn.Conv3d(3, 4, (2, 3, 3), stride=(1, 4, 4)), nn.Tanh())
        self.second = nn.Sequential(nn.Conv3d(4, 6, (2, 2, 2)), nn.GELU())
        self.head = nn.Linear(6, 3)

    def forward(self, clips):
        hidden = self.second(self.first(clips)).mean((3, 4))
        return 4 * self.head((hidden[:, :, 0] - 0.5 * hidden[:, :, -1]).tanh())


def clips(count, name, *, shift=0.0, drift=0.0):
    """Random clips, brighter at the left by `shift`, and by `drift` more with each frame."""
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    noise = torch.randint(0, 120, (count, 4, 3, 16, 16), generator=generator).float()
    noise[..., :8] += shift + drift * torch.arange(4)[None, :, None, None, None]
    return [(f"{name}-{number}", clip.to(torch.uint8)) for number, clip in enumerate(noise)]


def load_network(network=None, outputs="logits"):
    """The network in float64, or another one of the same clips and classes."""
    spec = {"frames": 4, "size": (16, 16), "mean": (0.4, 0.4, 0.4), "std": (0.3, 0.3, 0.3)}
    return vt.load_model(network or Network().double(), classes=CLASSES, outputs=outputs, device="cpu", **spec)


SETS = {
    "clips": clips(9, "class", shift=60, drift=15),
    "concepts": {"left": clips(10, "left", shift=100), "drift": clips(10, "drift", drift=30)},
    "random": clips(16, "random"),
}


def prepared(model, sources, frozen=False):
    stacked = torch.stack([model.prepare(clip) for _, clip in sources]).double()
    middle = stacked.shape[2] // 2
    return stacked[:, :, [middle] * stacked.shape[2]] if frozen else stacked


def outputs(model, layer, inputs):
    kept = []
    handle = model.layer(layer).register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    with torch.no_grad():
        model.module(inputs)
    handle.remove()
    return kept[0]


def log_odds(model, layer, inputs, output):
    handle = model.layer(layer).register_forward_hook(lambda _module, _inputs, _output: output)
    with torch.no_grad():
        logits = model.module(inputs)
    handle.remove()
    return logits[:, 1] - torch.logsumexp(logits[:, [0, 2]], 1)


def pooled(values, space):
    return values.mean(SPACES[space], keepdim=True) if SPACES[space] else values


def along(values, unit):
    return (values * unit).flatten(1).sum(1)[:, None, None, None, None]
