"""Videos with heat, decoded again: the heat is where and when it was, and size, rate and number of frames are kept."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.unit.reports.spots import colourful, grey_clip, hot_spots
from video_tcav.core.errors import InputError, OutputError
from video_tcav.media import VideoSource, probe_video, read_frames
from video_tcav.reports.maps.heat import blend_heat
from video_tcav.reports.maps.overlay import write_overlay

PLACES = [(12, 10), (20, 18), None, (30, 40), (14, 50), (22, 30)]
HEIGHT, WIDTH = 47, 65
ENDINGS = [".mp4", ".gif", ".webp"]


def written(path, *, fps=10.0, signed=False, sign=1.0, places=PLACES):
    frames, heat = grey_clip(len(places), HEIGHT, WIDTH), sign * hot_spots(places, HEIGHT, WIDTH)
    return write_overlay(path, frames, heat, fps=fps, signed=signed)


def animation(path) -> tuple[torch.Tensor, list[int]]:
    """Frames and durations in milliseconds."""
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        frames, durations = [], []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1))
            durations.append(image.info["duration"])
    return torch.stack(frames), durations


def decoded(path) -> torch.Tensor:
    if path.suffix == ".mp4":
        return read_frames(VideoSource(path=path, kind="video"), range(probe_video(path).frame_count))
    return animation(path)[0]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_hottest_pixel_keeps_its_place_in_its_frame(tmp_path, ending):
    back = decoded(written(tmp_path / f"o{ending}"))
    assert len(back) == len(PLACES)
    for frame, place in zip(back, PLACES, strict=True):
        colour = torch.nn.functional.avg_pool2d(colourful(frame)[None].float(), 5, 1, 2)[0]
        if place is None:
            assert colour.max() < 12
        else:
            found = (
                (colour >= 0.8 * colour.max()).nonzero().float().mean(0).tolist()
            )  # the top colour is paler than its rim
            assert np.abs(np.subtract(found, place)).max() <= 2 and colour.max() > 60


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_the_blended_clip(tmp_path, ending):
    back = decoded(written(tmp_path / f"o{ending}"))[..., :HEIGHT, :WIDTH]
    expected = blend_heat(grey_clip(len(PLACES), HEIGHT, WIDTH), hot_spots(PLACES, HEIGHT, WIDTH), signed=False)
    assert (back.float() - expected.float()).abs().mean() < 3


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_sign_is_kept(tmp_path, ending):
    for sign in (1.0, -1.0):
        back = decoded(written(tmp_path / f"o{ending}", signed=True, sign=sign))
        red, _, blue = back[0, :, 12, 10].int()
        assert sign * (red - blue) > 50


def test_a_video_keeps_size_and_rate(tmp_path):
    info = probe_video(written(tmp_path / "o.mp4", fps=29.97))
    assert (info.height, info.width, info.frame_count) == (48, 66, len(PLACES))  # even, by one repeated row and column
    assert info.fps == pytest.approx(29.97, rel=1e-3)


@pytest.mark.parametrize(("ending", "step"), [(".gif", 10), (".webp", 1)])
@pytest.mark.parametrize("fps", [10.0, 12.5, 25.0, 29.97, 30.0, 50.0])
def test_an_animation_keeps_size_and_rate(tmp_path, ending, step, fps):
    places = [(10 + 2 * one, 10 + 3 * one) for one in range(12)]
    frames, durations = animation(written(tmp_path / f"o{ending}", fps=fps, places=places))
    assert frames.shape == (12, 3, HEIGHT, WIDTH)
    starts = np.concatenate([[0], np.cumsum(durations)])
    assert np.abs(starts - np.arange(13) * 1000 / fps).max() <= step / 2
    assert all(duration % step == 0 and duration >= 20 * (ending == ".gif") for duration in durations)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_equal_frames_last_as_long_as_they_should(tmp_path, ending):
    frames, durations = animation(written(tmp_path / f"o{ending}", places=[(10, 10), (10, 10), (10, 10), (30, 30)]))
    assert sum(durations) == 400
    assert len(frames) == len(durations) <= 4


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_frame_is_enough(tmp_path, ending):
    path = written(tmp_path / f"o{ending}", places=[(20, 30)])
    if ending == ".mp4":
        assert probe_video(path).frame_count == 1
    else:
        with Image.open(path) as image:
            assert image.size == (WIDTH, HEIGHT)


def test_a_gif_keeps_the_colours_of_a_small_hot_spot(tmp_path):
    """256 colours are few, and the spot has a hundredth of the pixels of a colourful clip."""
    down, across = torch.meshgrid(torch.arange(120), torch.arange(160), indexing="ij")
    scene = torch.stack([down * 2, across, (down + across) // 2]).to(torch.uint8).expand(4, -1, -1, -1)
    heat = hot_spots([(60, 80)] * 4, 120, 160, radius=4)
    path = write_overlay(tmp_path / "o.gif", scene, heat, fps=10, signed=False)
    hot = heat[0] > 0.5
    expected = blend_heat(scene, heat, signed=False)[0].float()
    found = decoded(path)[0].float()
    assert (found - expected)[:, hot].mean(1).abs().max() < 6
    assert (found - expected).mean((1, 2)).abs().max() < 3


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_clip_gives_the_same_bytes(tmp_path, ending):
    first, second = (written(tmp_path / f"{name}{ending}").read_bytes() for name in "ab")
    assert first == second


def test_the_model_s_part_and_the_strength_are_used(tmp_path):
    frames, heat = grey_clip(4, 32, 32), hot_spots([(16, 16)] * 4, 32, 32)
    seen = torch.zeros(32, 32, dtype=torch.bool)
    seen[:, 8:24] = True
    back = decoded(write_overlay(tmp_path / "o.mp4", frames, heat, fps=10, signed=False, strength=1.0, seen=seen))
    assert back[0, :, 16, :4].float().mean() < 60 and back[0, :, 2, 12:20].float().mean() > 110
    assert colourful(back[0])[16, 16] > 60


@pytest.mark.parametrize(
    ("name", "fps", "message"),
    [
        ("o.avi", 10, r"`path` must end in \.mp4, \.gif or \.webp\. Got o\.avi\. Change it\."),
        ("overlay", 10, r"`path` must end in .*Got overlay"),
        ("o.mp4", 0, r"`fps` must be positive\. Got 0"),
        ("o.gif", float("nan"), r"`fps` must be positive\. Got nan"),
        ("o.gif", 60, r"`fps` must be at most 50 for \.gif, .*Got 60\. Write \.mp4"),
        ("o.webp", 120, r"`fps` must be at most 90 for \.webp, .*Got 120"),
    ],
)
def test_what_a_format_cannot_do_is_refused(tmp_path, name, fps, message):
    with pytest.raises(InputError, match=message):
        written(tmp_path / "new" / name, fps=fps)
    assert not list(tmp_path.iterdir())


def test_heat_that_is_not_finite_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="`heat` must be finite. Got nan"):
        write_overlay(
            tmp_path / "new" / "o.gif", grey_clip(2, 8, 8), torch.full((2, 8, 8), torch.nan), fps=5, signed=False
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
def test_folders_are_made_and_a_failure_leaves_nothing(tmp_path, ending):
    path = written(tmp_path / "new" / f"o{ending.upper()}")
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="must be writable"):
        written(tmp_path / "file" / f"o{ending}")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "new"]
