"""Maps on their videos: the right frames, the right place, the right rate; and the files."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import video_tcav as vt
from video_tcav.core.errors import InputError, OutputError
from video_tcav.explanation import Explanation, Explanations
from video_tcav.media import VideoSource, find_videos, probe_video, read_frames
from video_tcav.reports import check_formats, on_video, write_explanations


@pytest.fixture
def video(tmp_path):
    """30 frames of 40 x 60 pixels at 10 frames a second, each as bright as its number."""
    frames = torch.arange(30, dtype=torch.uint8).mul(8).reshape(30, 1, 1, 1).expand(30, 3, 40, 60).contiguous()
    vt.write_video(tmp_path / "clip.mp4", frames, fps=10)
    [source] = find_videos(tmp_path / "clip.mp4")
    return source


def explanation(source: VideoSource, **changes) -> Explanation:
    """Every third frame from 6 on; the middle square is seen; hot at the left top of the square in the second frame."""
    values = torch.zeros(4, 8, 8)
    values[1, :2, :2] = 2.0
    values[3, 6:, 6:] = -1.0
    plain = Explanation(
        source=source,
        window=0,
        method="gradcam",
        concept="",
        layer="stages.3",
        target="swing",
        against="log_odds",
        value=1.5,
        probability=0.8,
        part="whole",
        motion_share=float("nan"),
        deletion=0.2,
        deletion_elsewhere=0.5,
        deletion_other_clips=0.4,
        peak_s=0.9,
        values=values,
        seen=(0.0, 10.0, 40.0, 50.0),
        frame_indices=(6, 9, 12, 15),
    )
    return replace(plain, **changes)


def several(*explanations):
    return Explanations(explanations=explanations, skipped=(), provenance={})


def test_every_frame_of_the_stretch_is_shown_at_its_own_size_and_time(video):
    shown = on_video(explanation(video))
    assert shown.frames.shape == (10, 3, 40, 60)
    assert torch.equal(shown.frames, read_frames(video, range(6, 16)))
    assert shown.fps == pytest.approx(10)
    assert shown.times_s == pytest.approx(np.arange(6, 16) / 10)


def test_the_map_lies_where_the_model_saw_it(video):
    shown = on_video(explanation(video))
    assert bool(shown.seen[:, 10:50].all()) and not bool(shown.seen[:, :10].any() or shown.seen[:, 50:].any())
    assert not bool(shown.heat[:, ~shown.seen].any())
    assert float(shown.heat[3, 2, 12]) == pytest.approx(2.0)  # frame 9 is the second that was sampled
    assert not bool(shown.heat[3, 15:, :].any())
    assert float(shown.heat[9, 38, 48]) == pytest.approx(-1.0)


def test_between_sampled_frames_it_is_linear(video):
    shown = on_video(explanation(video))
    assert shown.heat[:5, 2, 12].tolist() == pytest.approx([0, 2 / 3, 4 / 3, 2, 4 / 3])


def test_a_still_is_shown_as_often_as_the_model_saw_it(tmp_path):
    from video_tcav.media import write_picture

    write_picture(tmp_path / "one.png", torch.full((3, 40, 60), 90, dtype=torch.uint8))
    [source] = find_videos(tmp_path / "one.png")
    shown = on_video(explanation(source, frame_indices=(0, 0, 0, 0)))
    assert shown.frames.shape[0] == 4 and shown.fps == pytest.approx(25)
    assert float(shown.heat[1].max()) == 2.0 and float(shown.heat[0].max()) == 0.0
    assert np.diff(shown.times_s) == pytest.approx([1 / 25] * 3)


@pytest.mark.parametrize("ending", ["mp4", "gif", "webp"])
def test_videos_keep_size_and_rate(video, tmp_path, ending):
    written = write_explanations(several(explanation(video)), tmp_path / "out", formats=[ending])
    assert [path.name for path in written.files] == [f"clip-gradcam-stages.3.{ending}"]
    if ending != "webp":  # FFmpeg does not read animated WebP
        info = probe_video(written.files[0])
        assert (info.height, info.width) == (40, 60)
        assert info.duration_s == pytest.approx(1.0, abs=0.02)
        assert info.fps == pytest.approx(10, rel=0.02)


def test_pictures_and_numbers(video, tmp_path):
    written = write_explanations(several(explanation(video)), tmp_path / "out", formats=["png", "npz"])
    assert {path.name for path in written.files} == {
        "clip-gradcam-stages.3.png",
        "clip-gradcam-stages.3-tube.png",
        "clip-gradcam-stages.3.npz",
    }
    with np.load(tmp_path / "out" / "clip-gradcam-stages.3.npz") as content:  # unpickles nothing by default
        assert np.array_equal(content["values"], explanation(video).values.numpy())
        assert content["frame_indices"].tolist() == [6, 9, 12, 15]
        facts = json.loads(str(content["facts"]))
    assert facts["target"] == "swing" and facts["motion_share"] is None and facts["path"] == str(video.path)


def test_what_lowers_is_shown_on_demand_and_for_concepts(video, tmp_path):
    one = explanation(video)
    plain = write_explanations(several(one), tmp_path / "a").files[0]
    signed = write_explanations(several(one), tmp_path / "b", signed=True).files[0]
    concept = write_explanations(several(replace(one, method="concept", concept="swing")), tmp_path / "c").files[0]
    assert concept.name == "clip-concept-swing-stages.3.mp4"
    assert plain.read_bytes() != signed.read_bytes() == concept.read_bytes()


def test_what_raises_nothing_is_no_picture(video, tmp_path):
    one = explanation(video, values=-explanation(video).values.abs())
    parts = [one, replace(one, part="static", values=one.values / 2), replace(one, part="motion")]
    written = write_explanations(several(*parts, explanation(video, window=1)), tmp_path, formats=["mp4", "npz"])
    assert {path.name for path in written.files} == {
        *(f"clip-gradcam-stages.3{part}.npz" for part in ("", "-static", "-motion")),
        "clip-gradcam-stages.3-window-1.mp4",
        "clip-gradcam-stages.3-window-1.npz",
    }
    assert [one.path for one in written.skipped] == [video.key]
    assert "found nothing at stages.3 that raises swing" in written.skipped[0].reason
    assert "--signed" in written.skipped[0].reason


def test_parts_are_shown_on_the_scale_of_the_whole(video, tmp_path):
    whole = explanation(video)
    parts = [whole, replace(whole, part="static", values=whole.values / 4), replace(whole, part="motion")]
    files = write_explanations(several(*parts), tmp_path / "out").files
    assert [path.name for path in files] == [
        "clip-gradcam-stages.3.mp4",
        "clip-gradcam-stages.3-static.mp4",
        "clip-gradcam-stages.3-motion.mp4",
    ]
    alone = write_explanations(several(replace(whole, values=whole.values / 4)), tmp_path / "alone").files[0]
    assert alone.read_bytes() == files[0].read_bytes() == files[2].read_bytes() != files[1].read_bytes()


def test_names_tell_maps_apart(video, tmp_path):
    one = explanation(video)
    many = [one, replace(one, layer="stages.1"), replace(one, window=1), replace(one, method="ig", layer="input"), one]
    files = write_explanations(several(*many), tmp_path, formats=["npz"]).files
    assert [path.stem for path in files] == [
        "clip-gradcam-stages.3",
        "clip-gradcam-stages.1",
        "clip-gradcam-stages.3-window-1",
        "clip-ig",
        "clip-gradcam-stages.3-2",
    ]


def test_no_file_is_written_over(video, tmp_path):
    one = explanation(video, method="concept", concept="x", layer="input")
    files = write_explanations(several(one, one, replace(one, concept="x 2")), tmp_path, formats=["npz"]).files
    assert [path.stem for path in files] == ["clip-concept-x", "clip-concept-x-2", "clip-concept-x-2-2"]


def test_of_a_fast_video_animations_show_some_frames(tmp_path):
    frames = torch.arange(0, 240, 8, dtype=torch.uint8).reshape(30, 1, 1, 1).expand(30, 3, 40, 60)
    vt.write_video(tmp_path / "fast.mp4", frames, fps=60)
    one = explanation(find_videos(tmp_path / "fast.mp4")[0])
    files = write_explanations(several(one), tmp_path / "out", formats=["mp4", "gif", "webp"]).files
    shown = {path.suffix: probe_video(path).frame_count for path in files if path.suffix != ".webp"}
    assert shown == {".mp4": 10, ".gif": 5}
    with Image.open(tmp_path / "out" / "fast-gradcam-stages.3.webp") as animation:
        assert animation.n_frames == 10  # type: ignore[attr-defined]
    assert probe_video(tmp_path / "out" / "fast-gradcam-stages.3.gif").duration_s == pytest.approx(1 / 6, abs=0.02)


def test_a_frame_that_was_taken_several_times_has_the_average(video):
    values = torch.tensor([1.0, 2.0, 6.0, 4.0])[:, None, None].expand(4, 8, 8)
    shown = on_video(explanation(video, values=values, frame_indices=(6, 7, 7, 9)))
    assert shown.heat[:, 20, 30].tolist() == [1.0, 4.0, 4.0, 4.0]
    values = torch.tensor([1.0, 2.0, 6.0, 8.0])[:, None, None].expand(4, 8, 8)
    assert on_video(explanation(video, values=values, frame_indices=(6, 6, 6, 8))).heat[:, 20, 30].tolist() == [
        3,
        5.5,
        8,
    ]


def test_a_video_that_has_gone_is_listed_and_the_others_are_written(video, tmp_path):
    gone = VideoSource(path=tmp_path / "gone.mp4", kind="video")
    written = write_explanations(several(explanation(gone), explanation(video)), tmp_path / "out")
    assert [path.name for path in written.files] == ["clip-gradcam-stages.3.mp4"]
    numbers = write_explanations(several(explanation(gone)), tmp_path / "again", formats=["npz", "mp4"])
    assert list(numbers.files) == list((tmp_path / "again").iterdir()) and len(numbers.skipped) == 1
    assert "gone.mp4" in written.skipped[0].path


def test_what_cannot_be_written(video, tmp_path):
    with pytest.raises(InputError, match="`format` must be one of mp4, gif, webp, png, npz. Got 'avi'"):
        write_explanations(several(explanation(video)), tmp_path, formats=["avi"])  # type: ignore[list-item]
    assert check_formats(["png", "mp4", "png"]) == ["mp4", "png"]
    (tmp_path / "file").write_text("")
    for ending in ("mp4", "png", "npz"):
        with pytest.raises(OutputError, match="must be writable"):
            write_explanations(several(explanation(video)), tmp_path / "file", formats=[ending])


def test_uneven_times_keep_their_pace(video):
    shown = on_video(explanation(video))
    uneven = replace(shown, times_s=np.array([0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]))
    assert uneven.steady.tolist() == [0, 1, 2, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9]
    assert shown.steady.tolist() == list(range(10))


def test_a_map_that_was_handed_on_cannot_be_written_again(video, tmp_path):
    with pytest.raises(InputError, match="`explanation` must hold its map. Got one of clip.mp4 without"):
        write_explanations(several(explanation(video, values=None)), tmp_path)
