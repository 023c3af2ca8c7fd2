import torch

from video_tcav.attribution.input_gradients import InputXGradient
from video_tcav.models import load_model

from . import tiny


def test_it_is_the_definition():
    model, clips = tiny.convolutions(), tiny.noise_clips(3)
    found = InputXGradient()(model, clips, target=tiny.TARGET).layers["input"]
    step = 1e-6
    for clip, one in zip(clips, found, strict=True):
        for time, row, column in ((0, 0, 0), (2, 5, 9), (4, 7, 11)):
            slow = 0.0
            for colour in range(3):
                moved = clip[None].repeat(2, 1, 1, 1, 1)
                moved[0, colour, time, row, column] += step
                moved[1, colour, time, row, column] -= step
                up, down = tiny.value(model, moved)
                slow += float((up - down) / (2 * step) * clip[colour, time, row, column])
            assert abs(float(one[time, row, column]) - slow) < 1e-6


class Weighted(torch.nn.Module):
    """Linear, without a bias."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(2, 3, *tiny.SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        self.weight = torch.nn.Parameter(weight)

    def forward(self, clip):
        return torch.einsum("ncthw,kcthw->nk", clip, self.weight)


def test_a_linear_network_is_explained_in_full():
    model = load_model(Weighted(), frames=tiny.FRAMES, size=tiny.SHAPE[1:], classes=["a", "b"])
    clips = tiny.noise_clips(2)
    found = InputXGradient()(model, clips, target="a", against="logit")
    assert torch.allclose(found.layers["input"], (clips * model.module.weight[0]).sum(1))
    assert torch.allclose(found.layers["input"].sum((1, 2, 3)), found.target)


def test_the_maximum_is_where_the_network_reads():
    model, clip = tiny.brightness()
    assert tiny.inside(InputXGradient()(model, clip, target="bright").values())
