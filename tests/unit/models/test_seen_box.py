"""The part of a picture that a model sees, against what its preparation really does to a picture of coordinates."""

import pytest
import torch

import video_tcav as vt
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.models.preprocess import prepare_clip, seen_box


def coordinates(height, width):
    """A clip whose red tells the row and whose green the column, in 255ths of the picture."""
    rows = ((torch.arange(height) + 0.5) / height * 255).round()[:, None].expand(height, width)
    columns = ((torch.arange(width) + 0.5) / width * 255).round().expand(height, width)
    return torch.stack([rows, columns, torch.zeros(height, width)]).to(torch.uint8)[None]


def seen(prepared, spec, height, width):
    """Top, left, bottom, right by a straight line through the coordinates that the model sees."""
    frame = (prepared[:, 0] if spec.layout == "channels_first" else prepared[0]).double()
    plain = frame * torch.tensor(spec.std)[:, None, None] + torch.tensor(spec.mean)[:, None, None]
    edges = []
    for channel, dim, size in ((0, 1, height), (1, 0, width)):
        line = plain[channel].mean(dim) * size  # where each row or column comes from, in pixels
        ends = 2  # the picture's edge is repeated where a pixel's place lies outside
        slope = (line[-1 - ends] - line[ends]) / (len(line) - 1 - 2 * ends)
        first = line[ends] - ends * slope
        edges.append((float(first - slope / 2), float(first + (len(line) - 0.5) * slope)))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right


@pytest.mark.parametrize("native", [(120, 160), (160, 120), (100, 100), (90, 320)])
@pytest.mark.parametrize(
    "spec",
    [
        ClipSpec(frames=1, size=(64, 64)),
        ClipSpec(frames=1, size=(56, 80)),
        ClipSpec(frames=1, size=(56, 56), resize=64),
        ClipSpec(frames=1, size=(56, 56), resize=(64, 86), layout="time_first"),
        ClipSpec(frames=1, size=None),
    ],
)
def test_it_is_what_preparing_does(spec, native):
    found = seen(prepare_clip(coordinates(*native), spec), spec, *native)
    expected = seen_box(native, spec)
    assert found == pytest.approx(expected, abs=0.012 * max(native))


@pytest.mark.parametrize("name", ["r3d_18", "swin3d_t"])
def test_so_it_is_with_published_preparation(name):
    model = vt.load_model(f"torchvision:{name}")
    frames = coordinates(240, 320).expand(model.clip_spec.frames, -1, -1, -1)
    found = seen(model.prepare(frames), model.clip_spec, 240, 320)
    assert found == pytest.approx(seen_box((240, 320), model.clip_spec), abs=4)
