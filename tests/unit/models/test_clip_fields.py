import pytest

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import WeightsError
from video_tcav.models.clip_fields import merge_clip_spec, merge_fields, parse_clip_fields


def test_numbers_and_their_text_mean_the_same():
    typed = {"frames": 16, "stride": 2, "size": (112, 112), "mean": [0.1, 0.2, 0.3], "std": 0.2, "layout": "time_first"}
    text = {
        "frames": "16",
        "stride": "2",
        "size": "112",
        "mean": "[0.1, 0.2, 0.3]",
        "std": "0.2",
        "layout": "time_first",
    }
    fields = parse_clip_fields(typed, source="x")
    assert fields == parse_clip_fields(text, source="x")
    assert fields["size"] == (112, 112)
    assert fields["std"] == (0.2, 0.2, 0.2)
    assert parse_clip_fields({"size": "96x128", "test_accuracy": "0.85", "mean": None}, source="x") == {
        "size": (96, 128)
    }
    assert parse_clip_fields({"size": "native"}, source="x") == {"size": None}


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("frames", "many", "a whole number"),
        ("frames", 1.5, "a whole number"),
        ("stride", True, "a whole number"),
        ("size", "large", "pixels, (height, width), or native"),
        ("size", (1, 2, 3), "pixels, (height, width), or native"),
        ("mean", (0.1, 0.2), "one number or three"),
        ("layout", "sideways", "channels_first or time_first"),
    ],
)
def test_what_cannot_be_read_is_named(name, value, rule):
    with pytest.raises(WeightsError) as caught:
        parse_clip_fields({name: value}, source="file.safetensors", error=WeightsError)
    assert str(caught.value).startswith(f"`{name}` of file.safetensors must be {rule}. Got {value!r}.")


def test_a_new_size_or_stride_turns_off_what_belonged_to_the_old():
    spec = ClipSpec(fps=15.0, size=(112, 112), resize=(128, 171))
    assert merge_clip_spec(spec, {"size": (96, 96)}).resize is None
    assert merge_clip_spec(spec, {"stride": 4}).fps is None
    assert merge_clip_spec(spec, {"frames": 8}) == ClipSpec(frames=8, fps=15.0, resize=(128, 171))


def test_of_several_sources_a_later_size_drops_the_resize_that_belonged_to_an_earlier_one():
    metadata, options = (
        {"size": (112, 112), "resize": 128, "fps": 15.0, "std": (1.0, 1.0, 1.0)},
        {"size": (96, 96), "stride": 2},
    )
    assert merge_fields(metadata, options) == {"size": (96, 96), "std": (1.0, 1.0, 1.0), "stride": 2}
    assert merge_fields(options, metadata) == {**options, **metadata}
