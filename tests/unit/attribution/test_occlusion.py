import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from video_tcav.attribution.occlusion import Occlusion, place_windows
from video_tcav.core.errors import InputError

from . import tiny


def slow_occlusion(model, clip, instead, window, stride):
    """Hide one window after the other; every position gets the mean of what its windows cost."""
    whole = tiny.value(model, clip)
    total, covered = torch.zeros(tiny.SHAPE, dtype=torch.float64), torch.zeros(tiny.SHAPE)
    starts = []
    for width, step, size in zip(window, stride, tiny.SHAPE, strict=True):
        axis = [0]
        while axis[-1] + width < size:
            axis.append(axis[-1] + step)
        starts.append(axis)
    for time in starts[0]:
        for row in starts[1]:
            for column in starts[2]:
                hidden = clip.clone()
                place = (slice(time, time + window[0]), slice(row, row + window[1]), slice(column, column + window[2]))
                hidden[(0, slice(None), *place)] = instead[(0, slice(None), *place)]
                total[place] += whole - tiny.value(model, hidden)
                covered[place] += 1
    return total / covered


@pytest.mark.parametrize(
    ("window", "stride"), [((2, 4, 4), (1, 2, 4)), ((2, 3, 5), (2, 2, 3)), ((5, 8, 12), (1, 1, 1))]
)
@pytest.mark.parametrize("baseline", ["grey", "frozen"])
def test_it_is_the_definition(window, stride, baseline):
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    found = Occlusion(window=window, stride=stride, baseline=baseline)(model, clips, target=tiny.TARGET).layers["input"]
    instead = torch.zeros_like(clips) if baseline == "grey" else clips[:, :, 2:3].expand_as(clips)
    for number, one in enumerate(found):
        rows = slice(number, number + 1)
        assert torch.allclose(one, slow_occlusion(model, clips[rows], instead[rows], window, stride))


def test_fractions_are_of_the_clip():
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    whole = Occlusion(window=(2, 4, 3), stride=(1, 2, 3))(model, clips, target=0)
    assert torch.equal(
        whole.values(), Occlusion(window=(0.4, 0.5, 0.25), stride=(0.2, 0.25, 0.25))(model, clips, target=0).values()
    )
    alone = Occlusion(window=(1, 1.0, 1.0), stride=(1, 1.0, 1.0))(model, clips, target=tiny.TARGET).layers["input"]
    for time in range(tiny.FRAMES):
        hidden = clips.clone()
        hidden[:, :, time] = 0
        lost = tiny.value(model, clips) - tiny.value(model, hidden)
        assert torch.allclose(alone[0, time], lost.expand(8, 12))


@settings(deadline=None)
@given(st.data(), st.tuples(*[st.integers(1, 9)] * 3))
def test_windows_cover_every_position(data, shape):
    window = tuple(data.draw(st.integers(1, size)) for size in shape)
    stride = tuple(data.draw(st.integers(1, width)) for width in window)
    covered = torch.zeros(shape)
    for one in place_windows(window, stride, shape):
        assert covered[one].numel()
        covered[one] += 1
    assert covered.all()


def test_the_maximum_is_where_the_network_reads():
    model, clip = tiny.brightness()
    assert tiny.inside(Occlusion(window=(2, 4, 4), stride=(2, 4, 4))(model, clip, target="bright").values())


def test_settings_that_do_not_fit():
    with pytest.raises(InputError, match=r"`window` must be three numbers, .* Got \(0, 4, 4\). Give frames and pixels"):
        Occlusion(window=(0, 4, 4))
    with pytest.raises(InputError, match="`stride` must be three numbers, for time, height and width"):
        Occlusion(stride=(0.5, 1.5, 0.5))
    with pytest.raises(InputError, match="`window` must be three numbers"):
        Occlusion(window=(2, 4))
    with pytest.raises(InputError, match="`baseline` must be one of"):
        Occlusion(baseline="white")
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    with pytest.raises(InputError, match=r"`window` must fit into a clip of \(5, 8, 12\). Got \(6, 2, 3\)."):
        Occlusion(window=(6, 0.25, 0.25))(model, clips, target=0)
    with pytest.raises(InputError, match=r"`stride` must not exceed the window \(1, 2, 3\). Got \(2, 1, 2\)."):
        Occlusion(stride=(2, 0.125, 0.125))(model, clips, target=0)
