"""Clips that a person cuts: span and box are what was drawn, the bank gets them as one step of undo."""

from pathlib import Path

import numpy as np
import pytest

from tests.studio.banks import FPS, make_bank, write_source
from video_tcav.concepts import ConceptBank
from video_tcav.core.errors import InputError, MediaError
from video_tcav.media import VideoSource, file_digest, read_frames
from video_tcav.proposals import HandCut, add_by_hand, cut_anew, embed_thumbnails

RED = np.array([200, 60, 50])


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "videos" / "match.mp4"
    write_source(path, 0)  # a red square at x = 4 + 30 t, 24 pixels wide, in 128 x 96
    return path


def drawn(time_s: float) -> tuple[float, tuple[float, float, float, float]]:
    left = 4 + 30 * time_s
    return time_s, (left, 30.0, left + 24, 54.0)


def middle_colour(clip) -> np.ndarray:
    kind = "still" if clip.kind == "still" else "video"
    frames = read_frames(VideoSource(path=clip.path, kind=kind), np.arange(clip.frames)).float()
    height, width = frames.shape[-2:]
    middle = frames[..., height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8]
    return middle.mean((0, 2, 3)).numpy()


def test_a_clip_cut_by_hand_follows_the_boxes_that_were_drawn(tmp_path, video):
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        cut = HandCut(start_s=0.5, end_s=2.0, boxes=(drawn(1.9), drawn(0.5)))
        clips = add_by_hand(bank, video, cut, concept="ball", reviewer="Anna")
        assert [clip.kind for clip in clips] == ["moving", "still", "focus", "scene"]
        moving, still, _, scene = clips
        origin = moving.origin
        assert (moving.verdict, moving.concept, moving.frames, round(moving.fps)) == ("accepted", "ball", 15, FPS)
        assert (origin.start_s, origin.end_s, origin.label) == (0.5, 2.0, "ball")
        for time_s, box in zip(origin.times_s, origin.boxes, strict=True):
            assert box == pytest.approx(drawn(time_s)[1] if time_s <= 1.9 else drawn(1.9)[1], abs=0.01)
        assert np.abs(middle_colour(moving) - RED).max() < 40 and np.abs(middle_colour(still) - RED).max() < 40
        assert np.abs(middle_colour(scene) - RED).max() > 40  # the square is grey there
        assert {review.reviewer for review in bank.reviews([moving.id])} == {"Anna"}
        assert bank.undo() is None and bank.undo(reviewer="Anna") == "4 clips added"
        assert bank.count() == 0 and bank.concepts() == [] and bank.check() == []
        assert not moving.path.exists()


def test_without_a_box_it_is_the_whole_picture(tmp_path, video):
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        moving, still = add_by_hand(bank, video, HandCut(start_s=1, end_s=1.5), concept="")
        assert (moving.width, moving.height, moving.frames, moving.origin.boxes) == (128, 96, 5, ())
        assert (still.kind, still.frames) == ("still", 1)
        assert add_by_hand(bank, video, HandCut(start_s=1, end_s=1.5), concept="") == [moving, still]
        assert bank.undo() == "2 clips added" and bank.undo() is None


def test_a_cut_anew_keeps_id_verdict_and_boxes_and_can_be_taken_back(tmp_path):
    with make_bank(tmp_path / "bank", clips=3) as bank:
        bank.set_verdict([1], "accepted")
        before = bank.clip(1)
        assert cut_anew(bank, 1, HandCut(start_s=0.7, end_s=1.0)) == [1]
        after = bank.clip(1)
        assert (after.id, after.verdict, after.concept, after.tube) == (1, "accepted", before.concept, before.tube)
        assert after.origin.times_s == pytest.approx((0.7, 0.8, 0.9)) and after.frames == 3
        for time_s, box in zip(after.origin.times_s, after.origin.boxes, strict=True):
            assert box == pytest.approx(drawn(time_s)[1], abs=0.02)
        assert after.path.name.startswith(file_digest(after.path)) and after.path != before.path
        assert bank.check() == [] and bank.repair() == [] and 1 not in bank.embedded()
        cut_anew(bank, 1, HandCut(start_s=0.7, end_s=1.0, boxes=((0.7, (0, 0, 40, 40)),)))
        assert set(bank.clip(1).origin.boxes) == {(0.0, 0.0, 40.0, 40.0)}
        assert [bank.undo(), bank.undo()] == ["clip 1 cut anew"] * 2
        assert bank.clip(1) == before and bank.check() == [] and not after.path.exists()


def test_all_versions_of_a_tube_are_cut_anew(tmp_path, video):
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        clips = add_by_hand(
            bank, video, HandCut(start_s=0.5, end_s=2.0, boxes=(drawn(0.5), drawn(2.0))), concept="ball"
        )
        ids = cut_anew(bank, clips[1].id, HandCut(start_s=1.0, end_s=1.5))
        assert sorted(ids) == sorted(clip.id for clip in clips)
        assert {clip.kind: clip.frames for clip in bank.clips()} == {"moving": 5, "still": 1, "focus": 5, "scene": 5}
        assert bank.clip(clips[0].id).origin.boxes[0] == pytest.approx(drawn(1.0)[1], abs=0.01)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"start_s": 2, "end_s": 1}, "`end_s` must be after `start_s`, by 30 s at most. Got 2.00 to 1.00 s"),
        ({"start_s": 0, "end_s": 31}, "by 30 s at most"),
        ({"start_s": 0, "end_s": float("nan")}, "by 30 s at most"),
        ({"start_s": 0, "end_s": 1, "boxes": ((0, (5, 5, 5, 9)),)}, "`boxes` must be left, top, right, bottom"),
    ],
)
def test_a_cut_that_cannot_be(values, words):
    with pytest.raises(InputError, match=words):
        HandCut(**values)


def test_a_cut_outside_of_the_video_is_refused_and_leaves_nothing(tmp_path):
    with make_bank(tmp_path / "bank", clips=1, videos=1) as bank:
        before = bank.clip(1)
        with pytest.raises(MediaError, match="no frame in the segment from 5 s to 6 s: the video ends at 3.00 s"):
            cut_anew(bank, 1, HandCut(start_s=5, end_s=6))
        with pytest.raises(InputError, match="`boxes` must lie in the picture of 128 x 96 pixels"):
            cut_anew(bank, 1, HandCut(start_s=1, end_s=2, boxes=((1, (200, 0, 240, 40)),)))
        Path(before.origin.video).write_bytes(b"another")
        with pytest.raises(MediaError, match="has changed since the clip was cut from it"):
            cut_anew(bank, 1, HandCut(start_s=1, end_s=2))
        assert bank.clip(1) == before and bank.undo() is None and bank.check() == []


def test_thumbnails_make_likeness_without_a_model(tmp_path):
    with make_bank(tmp_path / "bank", clips=12) as bank:
        calls = []
        assert embed_thumbnails(bank, lambda done, total: calls.append((done, total))) == 12
        assert calls[-1] == (12, 12) and embed_thumbnails(bank) == 0
        by_model = bank.similar(1, count=None)
        with bank.database.transaction() as change:
            change.execute("DELETE FROM embeddings WHERE space != 'thumbnails'")
        assert len(bank.similar(1, count=None)) == 11 and by_model[0] == 2  # a model's space came first
