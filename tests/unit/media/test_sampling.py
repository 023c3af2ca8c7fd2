"""Frames are chosen by time: laws, and the definition written out slowly."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, MediaError
from video_tcav.media import clip_times
from video_tcav.media.sampling import check_sampling

counts = st.integers(16, 400)
strides = st.integers(1, 12)
windows = st.integers(1, 6)
rates = st.sampled_from([5.0, 24.0, 25.0, 30000 / 1001, 60.0, 120.0])
gaps_s = st.lists(st.floats(0.005, 0.4), min_size=20, max_size=80)


def constant(count: int, fps: float, *, whole_ms: bool = False) -> np.ndarray:
    times_s = np.arange(count) / fps
    return np.round(times_s, 3) if whole_ms else times_s


@given(counts, strides, rates, windows, st.booleans())
def test_constant_rate_takes_exactly_every_stride_th_frame(count, stride, fps, windows, whole_ms):
    spec = ClipSpec(frames=16, stride=stride)
    chosen = clip_times(constant(count, fps, whole_ms=whole_ms), spec, windows=windows)
    fitting = min(stride, (count - 1) // 15)  # the largest that fits
    assert len(chosen) == windows
    for window in chosen:
        assert np.diff(window).tolist() == [fitting] * 15
    span = 15 * fitting + 1
    if windows == 1:
        assert chosen[0][0] == (count - span) // 2
    else:
        assert [chosen[0][0], chosen[-1][-1]] == [0, count - 1]
        starts = [window[0] for window in chosen]
        assert max(np.diff(starts)) - min(np.diff(starts)) <= 1


@given(counts, rates, windows)
def test_uniform_takes_the_middle_of_equal_parts(count, fps, windows):
    chosen = clip_times(constant(count, fps), ClipSpec(frames=16), windows=windows, sampling="uniform")
    for number, window in enumerate(chosen):
        places = (np.arange(16) + (number + 0.5) / windows) * count / 16
        assert window.tolist() == np.floor(places + 1e-6).tolist()


@given(gaps_s, strides, windows, st.sampled_from(["dense", "uniform"]), st.floats(0, 100))
def test_any_rate_stays_inside_goes_forward_and_forgets_when_the_video_began(gaps, stride, windows, sampling, start_s):
    times_s = np.concatenate([[0.0], np.cumsum(gaps)])
    spec = ClipSpec(frames=16, stride=stride)
    chosen = np.stack(clip_times(times_s, spec, windows=windows, sampling=sampling))
    assert chosen.shape == (windows, 16)
    assert (chosen >= 0).all()
    assert (chosen < len(times_s)).all()
    assert (np.diff(chosen, axis=1) >= 0).all()
    assert (np.diff(chosen[:, 0]) >= 0).all()
    rounded = np.round(times_s, 6)  # shifted times differ by rounding alone
    moved = np.stack(clip_times(rounded + np.round(start_s, 3), spec, windows=windows, sampling=sampling))
    assume(np.array_equal(np.stack(clip_times(rounded, spec, windows=windows, sampling=sampling)), chosen))
    assert np.abs(moved - chosen).max() <= 1


@given(gaps_s, st.sampled_from([2.0, 5.0, 12.5]))
def test_variable_rate_shows_what_is_on_display_every_step(gaps, fps):
    times_s = np.concatenate([[0.0], np.cumsum(gaps)])
    mean_s = times_s[-1] / len(gaps)
    assume(np.abs(times_s - mean_s * np.arange(len(times_s))).max() > 0.3 * mean_s)
    chosen = clip_times(times_s, ClipSpec(frames=8, fps=fps))[0]
    step_s = min(1 / fps, times_s[-1] / 7)
    for position, index in enumerate(chosen):
        wanted_s = times_s[chosen[0]] + step_s * position
        early_s = 0.1 * np.median(gaps) + 0.001
        assert times_s[index] <= wanted_s + early_s
        assert index == len(times_s) - 1 or times_s[index + 1] > wanted_s - 0.001


def test_rate_of_the_model_skips_and_repeats_frames():
    assert clip_times(constant(60, 30), ClipSpec(frames=4, fps=10.0))[0].tolist() == [25, 28, 31, 34]
    assert clip_times(constant(20, 5), ClipSpec(frames=6, fps=10.0))[0].tolist() == [8, 8, 9, 9, 10, 10]
    shrunk = clip_times(constant(10, 30), ClipSpec(frames=4, fps=1.0))[0]
    assert shrunk.tolist() == [0, 3, 6, 9]


def test_dropped_frame_does_not_shift_the_rest():
    times_s = np.delete(np.round(np.arange(60) * 1001 / 30000, 3), 30)  # whole milliseconds, one frame lost
    chosen = clip_times(times_s, ClipSpec(frames=16, stride=2))[0]
    on_display = np.round(times_s[chosen] * 30000 / 1001).astype(int)
    assert np.isin(np.diff(on_display), (1, 2, 3)).all()
    assert on_display[-1] - on_display[0] == 30


@pytest.mark.parametrize("count", [31, 32, 46, 47])
def test_stride_two_or_one_where_the_video_is_shorter_than_the_span(count):
    step = np.diff(clip_times(constant(count, 25), ClipSpec(frames=16, stride=3))[0])
    assert set(step) == {3 if count >= 46 else 2}
    assert set(np.diff(clip_times(constant(30, 25), ClipSpec(frames=16, stride=2))[0])) == {1}


def test_too_few_frames_are_refused_with_both_numbers(tmp_path):
    with pytest.raises(MediaError, match=r"a\.mp4: too short: 9 frames, the model takes 16$"):
        clip_times(constant(9, 25), ClipSpec(frames=16), path=tmp_path / "a.mp4")


def test_one_frame_for_a_model_that_takes_one():
    assert [window.tolist() for window in clip_times(np.array([3.0]), ClipSpec(frames=1), windows=2)] == [[0], [0]]
    assert clip_times(constant(11, 25), ClipSpec(frames=1))[0].tolist() == [5]


def test_impossible_settings_are_refused():
    with pytest.raises(InputError, match="`windows` must be at least 1"):
        clip_times(constant(30, 25), ClipSpec(frames=16), windows=0)
    with pytest.raises(InputError, match=r"`sampling` must be one of dense, uniform. Got 'random'"):
        check_sampling(ClipSpec(), 1, "random")


@pytest.mark.parametrize(("short", "expected"), [("pad", [0, 1, 2, 2, 2, 2, 2, 2]), ("loop", [0, 1, 2, 0, 1, 2, 0, 1])])
@pytest.mark.parametrize("sampling", ["dense", "uniform"])
def test_a_short_video_is_padded_or_looped_where_asked(short, expected, sampling):
    spec = ClipSpec(frames=8, short=short, sampling=sampling)
    for window in clip_times(constant(3, 25.0), spec, windows=2):
        assert window.tolist() == expected


def test_the_spec_asks_for_uniform_sampling():
    (window,) = clip_times(constant(45, 12.0), ClipSpec(frames=16, stride=4, sampling="uniform"))
    assert window.tolist() == [int(45 / 16 / 2 + 45 / 16 * step) for step in range(16)]


@pytest.mark.parametrize("fields", [{"sampling": "sparse"}, {"short": "stretch"}])
def test_other_words_are_refused(fields):
    with pytest.raises(InputError, match=r"must be one of"):
        ClipSpec(**fields)
