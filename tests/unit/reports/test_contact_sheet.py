"""The sheet, read by its pixels: which frames, with which heat, above which curve."""

import numpy as np
import pytest
import torch

from tests.unit.reports.spots import colourful, grey_clip, hot_spots
from video_tcav.core.errors import InputError
from video_tcav.reports.maps.contact_sheet import sheet_picture
from video_tcav.reports.maps.heat import blend_heat, heat_colours


def shades(count: int) -> torch.Tensor:
    """Frames of one colour each, that nothing else on a sheet has."""
    colours = torch.stack([torch.tensor([40 + one, 200 - one, 20]) for one in range(count)])
    return colours.to(torch.uint8)[:, :, None, None].expand(-1, -1, 36, 48).contiguous()


def where(sheet: torch.Tensor, colour) -> np.ndarray:
    """Rows and columns of all pixels of that colour."""
    wanted = torch.tensor([int(channel) for channel in colour])
    return np.argwhere((sheet == wanted[:, None, None]).all(0).numpy())


def sheet_of(frames: torch.Tensor, heat: torch.Tensor, **options) -> torch.Tensor:
    given = {"times_s": np.arange(len(frames)) / 10, "title": "waving", "signed": False} | options
    return sheet_picture(frames, heat, **given)


def test_frames_are_evenly_spaced_and_stand_in_their_order():
    frames = shades(24)
    sheet = sheet_of(frames, torch.zeros(24, 36, 48), columns=6)
    found = [where(sheet, frame[:, 0, 0]) for frame in frames]
    assert [number for number, pixels in enumerate(found) if len(pixels) > 500] == [2, 6, 10, 14, 18, 22]
    middles = [pixels[:, 1].mean() for pixels in found if len(pixels) > 500]
    assert np.ptp(np.diff(middles)) < 1 and min(np.diff(middles)) > 100


def test_without_heat_the_second_row_is_the_first():
    sheet = sheet_of(shades(4), torch.zeros(4, 36, 48))
    for frame in shades(4):
        rows = np.unique(where(sheet, frame[:, 0, 0])[:, 0])
        first, second = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
        assert len(first) == len(second) == 144  # no frame is enlarged more than four times


def test_heat_has_one_scale_over_the_whole_clip_seen_or_not():
    heat = torch.full((9, 36, 48), 0.5)
    heat[[0, 3]] = 1.0  # frames 0, 4 and 7 are shown: of frames that are equally hot, the first
    sheet = sheet_of(grey_clip(9, 36, 48), heat, columns=3)
    expected = blend_heat(grey_clip(1, 1, 1), torch.full((1, 1, 1), 0.5), signed=False, scale=1)[0, :, 0, 0]
    full = blend_heat(grey_clip(1, 1, 1), torch.ones((1, 1, 1)), signed=False)[0, :, 0, 0]
    assert len(where(sheet, expected)) == 2 * 144 * 192 and len(where(sheet, full)) == 144 * 192


@pytest.mark.parametrize("hottest", [0, 11, 23])
@pytest.mark.parametrize("signed", [False, True])
def test_the_hottest_frame_is_always_among_them(hottest, signed):
    frames, heat = shades(24), torch.full((24, 36, 48), 0.01)
    heat[hottest] = -1.0 if signed else 1.0
    sheet = sheet_of(frames, heat, columns=6, signed=signed)
    expected = [2, 6, 10, 14, 18, 22]
    expected[hottest // 4] = hottest
    numbers = [number for number, frame in enumerate(frames) if len(where(sheet, frame[:, 0, 0])) > 500]
    assert numbers == expected


@pytest.mark.parametrize("hot", [0, 1, 3])
def test_heat_stands_under_its_own_frame(hot):
    frames, heat = shades(4), torch.zeros(4, 36, 48)
    heat[hot] = 1.0
    sheet = sheet_of(frames, heat)
    left, middle, *_ = (where(sheet, frame[:, 0, 0])[:, 1].mean() for frame in frames)
    blended = blend_heat(frames[hot : hot + 1], heat[hot : hot + 1], signed=False)[0, :, 0, 0]
    assert where(sheet, blended)[:, 1].mean() == pytest.approx(left + hot * (middle - left), abs=1)


def test_the_curve_has_each_frame_s_share_under_its_column():
    amounts = [0.0, 1.0, 2.0, 4.0]
    frames = shades(4)
    heat = torch.tensor(amounts)[:, None, None].expand(-1, 36, 48) * hot_spots([(18, 24)] * 4, 36, 48)
    sheet = sheet_of(frames, heat)
    curve = where(sheet, heat_colours(False)[150])
    heights = []
    for frame in frames:
        middle = where(sheet, frame[:, 0, 0])[:, 1].mean()
        mark = curve[np.abs(curve[:, 1] - middle) <= 1]
        heights.append(mark[:, 0].mean())
    rises = heights[0] - np.array(heights)
    np.testing.assert_allclose(rises / rises[-1], np.array(amounts) / 4, atol=0.04)


def test_what_is_against_goes_down_in_blue():
    heat = hot_spots([(18, 24)] * 6, 36, 48) * torch.tensor([1.0, 1, 1, -1, -1, -1])[:, None, None]
    sheet = sheet_of(grey_clip(6, 36, 48), heat, signed=True)
    forth, against = (where(sheet[:, :-60, :-110], heat_colours(True)[level]) for level in (208, 48))
    assert len(forth) > 100 and len(against) > 100
    zero = np.median(forth[forth[:, 1] > forth[:, 1].max() - 40, 0])
    assert forth[:, 0].min() < zero - 20 and against[:, 0].max() > zero + 20


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
    height, width = size
    frames = grey_clip(1, height, width).expand(count, -1, -1, -1)
    heat = torch.zeros(1, height, width)
    heat[0, height // 2 :, : width // 2] = 1.0
    sheet = sheet_of(frames, heat.expand(count, -1, -1), title="a title of many words that takes more than a line " * 3)
    assert sheet.dtype == torch.uint8 and sheet.shape[0] == 3
    assert 600 <= sheet.shape[2] <= 1600 and 400 <= sheet.shape[1] <= 1300
    assert (sheet[:, :10].amin() > 250) and (sheet[:, -10:].amin() > 250) and (sheet[..., -10:].amin() > 250)


@pytest.mark.parametrize("columns", [1, 40, 128])
def test_any_number_of_columns_fits(columns):
    sheet = sheet_of(grey_clip(128, 48, 48), torch.ones(128, 48, 48), columns=columns)
    assert sheet.shape[2] <= 1600


def test_the_part_that_the_model_saw_is_marked_in_the_second_row_only():
    seen = torch.zeros(36, 48, dtype=torch.bool)
    seen[:, 12:36] = True
    sheet = sheet_of(grey_clip(2, 36, 48), torch.zeros(2, 36, 48), seen=seen)
    shown, dark = where(sheet, [128] * 3), where(sheet, [45] * 3)
    assert len(dark) == pytest.approx(len(shown) / 3, rel=0.02)
    assert dark[:, 0].min() > shown[:, 0].min() + 144


def test_the_title_is_text_and_nothing_else():
    plain, mathematics = (
        sheet_of(grey_clip(2, 36, 48), torch.zeros(2, 36, 48), title=title) for title in ("", r"$\bad{")
    )
    assert mathematics.shape[1] > plain.shape[1]
    assert mathematics[:, 28:60].amin() < 60


def test_the_colour_bar_tells_signs_apart():
    for signed, colour in ((False, heat_colours(False)[255]), (True, heat_colours(True)[255])):
        sheet = sheet_of(grey_clip(2, 36, 48), torch.zeros(2, 36, 48), signed=signed)
        assert len(where(sheet, colour)) >= 16
    assert (colourful(sheet)[-60:] > 90).any()


def test_the_same_clip_gives_the_same_picture():
    frames, heat, times = shades(5), hot_spots([(10, 10)] * 5, 36, 48), np.arange(5) / 5
    first, second = (sheet_picture(frames, heat, times_s=times, title="t", signed=False) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times_s": [0.0, 1.0]}, r"`times_s` must have one time for each of 3 frames\. Got shape \(2,\)"),
        ({"times_s": [0.0, 1.0, 1.0]}, "`times_s` must be finite and rise from frame to frame"),
        ({"times_s": [0.0, 1.0, float("nan")]}, "`times_s` must be finite and rise"),
        ({"columns": 0}, "`columns` must be at least 1. Got 0"),
        ({"strength": 2.0}, "`strength` must be above 0 and at most 1. Got 2.0"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        sheet_of(grey_clip(3, 8, 8), torch.zeros(3, 8, 8), **options)


def test_fine_heat_is_as_strong_on_a_small_picture_as_in_the_video():
    """Grain of one pixel is averaged away as frames shrink; its place must be seen all the same."""
    frames, heat = grey_clip(8, 240, 320), torch.zeros(8, 240, 320)
    heat[:, 60:120:4, 60:120:4] = 1.0
    assert (colourful(sheet_of(frames, heat))[:300] > 60).sum() > 300
