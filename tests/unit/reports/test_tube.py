"""The space-time view, read by its pixels: heat is where it was in the picture and in time, and nowhere else."""

import numpy as np
import pytest
import torch

from tests.unit.reports.spots import colourful, grey_clip, hot_spots
from video_tcav.core.errors import InputError
from video_tcav.reports.maps.tube import tube_picture

BAR_PX = 60
HEIGHT, WIDTH = 60, 80


def tube_of(heat: torch.Tensor, **options) -> torch.Tensor:
    """The picture without its colour bar, where the colours are explained."""
    given = {"times_s": np.arange(len(heat)) / 10, "title": "", "signed": False} | options
    return tube_picture(grey_clip(len(heat), *heat.shape[1:]), heat, **given)[:, :-BAR_PX]


def hot_columns(picture: torch.Tensor) -> np.ndarray:
    # Without heat, pixels of a grey clip are below 25; at the edge of a slice, hot ones are at 45.
    return np.flatnonzero((colourful(picture) > 35).any(0).numpy())


def test_a_region_that_stays_hot_is_one_tube_from_the_first_frame_to_the_last():
    picture = tube_of(hot_spots([(30, 40)] * 9, HEIGHT, WIDTH, radius=6))
    columns = hot_columns(picture)
    assert (np.diff(columns) == 1).all()
    assert len(columns) > 0.75 * picture.shape[2]


def test_heat_is_in_its_time():
    places = [(30, 40)] * 4
    early, late = (
        hot_columns(tube_of(hot_spots(one, HEIGHT, WIDTH, radius=6)))
        for one in (places + [None] * 8, [None] * 8 + places)
    )
    width = tube_of(torch.zeros(12, HEIGHT, WIDTH)).shape[2]
    assert early.max() < 0.55 * width < late.min()


def test_frames_stand_at_their_own_times():
    heat = hot_spots([None, (30, 40), None], HEIGHT, WIDTH, radius=6)
    usual, late = (hot_columns(tube_of(heat, times_s=times)).mean() for times in ([0, 0.5, 1], [0, 0.9, 1]))
    assert late > usual + 50


def test_heat_is_in_its_place():
    high, low, left, right = (
        np.argwhere((colourful(tube_of(hot_spots([place] * 5, HEIGHT, WIDTH))) > 60).numpy()).mean(0)
        for place in ((10, 40), (50, 40), (30, 10), (30, 70))
    )
    assert low[0] > high[0] + 100 and abs(low[1] - high[1]) < 5
    assert right[1] > left[1] + 80 and right[0] > left[0]  # slices are seen aslant: their right edge is nearer


def test_what_is_cold_stays_faint_and_as_it_is_without_any_heat():
    cold, hot = tube_of(torch.zeros(6, HEIGHT, WIDTH)), tube_of(hot_spots([(10, 40)] * 6, HEIGHT, WIDTH))
    assert colourful(cold).max() < 40 and cold.float().mean() > 200
    changed = (cold != hot).any(0)
    assert 0.01 < changed.float().mean() < 0.3
    faint = tube_of(hot_spots([(10, 40)] * 6, HEIGHT, WIDTH) + 0.2)
    assert (colourful(faint) > 60).float().mean() < 2 * (colourful(hot) > 60).float().mean()


def test_for_and_against_have_colours_of_their_own():
    signs = torch.tensor([1.0] * 5 + [-1.0] * 5)[:, None, None]
    picture = tube_of(hot_spots([(30, 40)] * 10, HEIGHT, WIDTH, radius=6) * signs, signed=True).int()
    warm, cool = (np.argwhere((sign * (picture[0] - picture[2]) > 60).numpy())[:, 1] for sign in (1, -1))
    assert len(warm) > 500 and len(cool) > 500
    assert np.median(warm) < np.median(cool) - 200


def test_what_the_model_did_not_see_is_darker():
    seen = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    seen[:, 20:60] = True
    plain, part = (tube_of(torch.zeros(4, HEIGHT, WIDTH), seen=one) for one in (None, seen))
    darker = (part.int() < plain.int() - 10).any(0)
    assert 0.02 < darker.float().mean() < 0.5 and not (part.int() > plain.int() + 10).any()


@pytest.mark.parametrize(
    ("count", "size"),
    [
        (1, (64, 64)),
        (2, (64, 64)),
        (128, (64, 64)),
        (2, (1080, 1920)),
        (16, (1080, 1920)),
        (1, (320, 180)),
        (128, (320, 180)),
    ],
)
def test_any_clip_fits(count, size):
    heat = hot_spots([(size[0] // 2, size[1] // 2)], *size, radius=size[0] / 10)
    frames = grey_clip(1, *size).expand(count, -1, -1, -1)
    picture = tube_picture(
        frames, heat.expand(count, -1, -1), times_s=np.arange(count) / 25 + 3, title="one line", signed=False
    )
    assert picture.dtype == torch.uint8 and 600 <= picture.shape[2] <= 1600 and 250 <= picture.shape[1] <= 900
    edges = (picture[:, :10], picture[:, -10:], picture[..., :10], picture[..., -10:])
    assert all(edge.amin() > 250 for edge in edges)
    assert len(hot_columns(picture[:, :-BAR_PX])) > 10


def test_the_same_clip_gives_the_same_picture():
    frames, heat = grey_clip(4, HEIGHT, WIDTH), hot_spots([(30, 40)] * 4, HEIGHT, WIDTH)
    given = {"times_s": np.arange(4) / 5, "title": "t", "signed": False}
    assert torch.equal(tube_picture(frames, heat, **given), tube_picture(frames, heat, **given))


def test_what_does_not_fit_is_refused():
    frames, heat = grey_clip(2, 8, 8), torch.zeros(2, 8, 8)
    with pytest.raises(InputError, match="`times_s` must be finite and rise"):
        tube_picture(frames, heat, times_s=[1, 0], title="t", signed=False)
    with pytest.raises(InputError, match="`heat` must not be negative without `signed`"):
        tube_picture(frames, heat - 1, times_s=[0, 1], title="t", signed=False)
