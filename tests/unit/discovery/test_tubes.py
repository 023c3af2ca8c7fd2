"""Tubes: the strongest region of a map, its boxes in the video's pixels, and what stands in the bank."""

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.concepts import ConceptBank
from video_tcav.discovery.tubes import MappedClip, cut_tubes, strongest_region


def moving_square():
    """A square that moves to the right in frames 2 to 5, and a weaker spot elsewhere."""
    values = np.zeros((8, 32, 32))
    for frame in range(2, 6):
        values[frame, 8:14, 4 * frame : 4 * frame + 6] = 2.0
    values[0:7, 28:30, 2:4] = 1.5
    return values


def test_the_region_with_most_presence_is_followed_over_its_frames():
    region = strongest_region(moving_square(), 1.0)
    assert region.first == 2
    assert region.boxes.tolist() == [[4 * frame, 8, 4 * frame + 6, 14] for frame in range(2, 6)]
    assert region.share == pytest.approx(4 * 36 * 2 / (4 * 36 * 2 + 7 * 4 * 1.5))


def test_nothing_above_the_threshold_is_no_region():
    assert strongest_region(moving_square(), 3.0) is None


def test_a_tube_lies_in_the_pixels_of_the_video_with_what_it_is_beside_it(tmp_path):
    # twice as wide as high, of which the model sees the square in the middle
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 255, (16, 3, 64, 128), generator=generator, dtype=torch.uint8)
    path = tmp_path / "clip.mp4"
    vt.write_video(path, frames, fps=8)
    model = vt.load_model("rendered:r2plus1d-object")
    [source] = vt.find_videos(path)
    values = np.zeros((16, 64, 64))
    values[4:10, 16:32, 8:24] = 1.0
    mapped = MappedClip(source=source, window=0, values=values, threshold=0.5)
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        count, skipped = cut_tubes(
            bank, model, "component-3@stages.2", [mapped], {"kind": "motion"}, windows=1, threads=1
        )
        again, _ = cut_tubes(bank, model, "component-3@stages.2", [mapped], {"kind": "motion"}, windows=1, threads=1)
        [clip] = bank.clips(kind="moving")
        assert (count, again, skipped) == (1, 1, ())
        assert bank.count(kind="moving") == 1  # not cut twice
        assert (clip.concept, clip.verdict) == ("component-3@stages.2", "open")
        assert clip.origin.proposer["name"] == "discover"
        assert clip.origin.proposer["kind"] == "motion"
        assert np.allclose(clip.origin.boxes, [32 + 8, 16, 32 + 24, 32], atol=0.6)
        assert clip.origin.start_s == pytest.approx(4 / 8, abs=0.01)
        assert clip.origin.end_s == pytest.approx(10 / 8, abs=0.01)
