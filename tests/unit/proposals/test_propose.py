"""The whole run: what comes into the bank, that it can be stopped and go on, and what is said about bad videos."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from video_tcav.concepts import KINDS, ConceptBank, as_sources
from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import VideoSource, read_frames, write_video
from video_tcav.models import load_model
from video_tcav.proposals import propose
from video_tcav.proposals.bank_writer import concept_of
from video_tcav.proposals.run import readable_videos
from video_tcav.proposals.settings import Tally

from .videos import FPS, Squares, write_squares

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def videos(tmp_path):
    for number in range(3):
        write_squares(tmp_path / "videos" / f"{number}.mp4", seed=number)
    return tmp_path / "videos"


def _rows(bank):
    with ConceptBank.open(bank) as opened:
        assert opened.check() == []
        return sorted((c.concept, c.kind, c.tube, c.digest, c.origin.video_digest) for c in opened.clips())


def test_every_tube_comes_in_all_versions_with_its_origin(videos, tmp_path):
    found = propose(videos, tmp_path / "bank", detector=Squares())
    assert [(one.concept, one.tubes, one.clips, one.videos) for one in found.counts] == [("red", 3, 12, 3)]
    assert found.to_frame().columns.tolist() == ["concept", "tubes", "clips", "videos"]
    assert (found.videos, found.skipped, found.limited) == (3, (), False)
    assert found.detector_frames == 3 * 12  # 0 to 2.16 s, every 0.2 s
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert {clip.kind for clip in bank.clips()} == set(KINDS)
        clip = bank.clips(kind="moving")[0]
        assert clip.verdict == "open" and 0 < clip.quality <= 1 and clip.fps == pytest.approx(FPS)
        origin = clip.origin
        assert origin.label == "red" and Path(origin.video).is_absolute()
        assert origin.score == pytest.approx(0.9)
        assert origin.proposer["detectors"] == [["squares", {"version": 1}]]
        assert (origin.start_s, origin.end_s) == pytest.approx((0, 55 / FPS), abs=1e-3)
        boxes = np.array(origin.boxes)
        np.testing.assert_allclose(boxes[:, 0], 10 + np.arange(55), atol=2)
        crop = read_frames(VideoSource(path=clip.path, kind="video"), [27])[0].float()
        middle = crop[:, 20:50, 20:50].mean((1, 2))
        assert middle[0] > 200 and middle[1] < 60
        still = next(one for one in bank.clips(kind="still") if one.tube == clip.tube)
        assert len(still.origin.times_s) == len(still.origin.boxes) == 1 and still.path.suffix == ".png"


def test_what_is_done_is_not_done_again(videos, tmp_path):
    detector = Squares()
    propose(videos, tmp_path / "bank", detector=detector)
    before, seen = _rows(tmp_path / "bank"), detector.frames
    again = propose(videos, tmp_path / "bank", detector=detector)
    assert (again.videos, again.done_before, again.clips, detector.frames) == (0, 3, 0, seen)
    write_squares(videos / "new.mp4", seed=9)
    more = propose(videos, tmp_path / "bank", detector=detector)
    assert (more.videos, more.done_before, more.clips) == (1, 3, 4)
    assert set(before) < set(_rows(tmp_path / "bank"))


def test_what_a_person_decided_and_moved_stays(videos, tmp_path):
    propose(videos, tmp_path / "bank", detector=Squares())
    with ConceptBank.open(tmp_path / "bank") as bank:
        ids = [clip.id for clip in bank.clips()]
        bank.move(ids[:5], "mine")
        bank.set_verdict(ids[:7], "rejected")
    for ledger in (tmp_path / "bank" / "proposed").iterdir():
        ledger.unlink()  # as if it had been killed before the end of each video
    found = propose(videos, tmp_path / "bank", detector=Squares())
    assert found.clips == 0
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert bank.count() == 12
        assert bank.count(concept="mine") == 5 and bank.count(verdict="rejected") == 7


def test_a_killed_run_loses_nothing_and_goes_on(tmp_path):
    for number in range(5):
        write_squares(tmp_path / "videos" / f"{number:02d}.mp4", seed=number)
    code = (
        "import sys; from tests.unit.proposals.videos import Squares; from video_tcav.proposals import propose;"
        "propose(sys.argv[1], sys.argv[2], detector=Squares())"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "videos", tmp_path / "bank"], cwd=ROOT, env={**os.environ}
    )
    clips = tmp_path / "bank" / "clips"
    until = time.monotonic() + 60
    while len(list(clips.rglob("*.mp4"))) < 5 and time.monotonic() < until and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    with ConceptBank.open(tmp_path / "bank") as bank:
        bank.repair()  # what was being written; nothing that was confirmed
    kept = _rows(tmp_path / "bank")
    assert 0 < len(kept) < 20
    propose(tmp_path / "videos", tmp_path / "bank", detector=Squares())
    propose(tmp_path / "videos", tmp_path / "straight", detector=Squares())
    assert set(kept) <= set(_rows(tmp_path / "bank"))
    assert _rows(tmp_path / "bank") == _rows(tmp_path / "straight")


def test_a_cut_ends_a_tube_and_long_ones_are_cut_into_pieces(tmp_path):
    whole = [write_squares(tmp_path / f"{at}.mp4", frames=100, seed=at, speed=0.5) for at in range(2)]
    joined = torch.cat([read_frames(VideoSource(path=path, kind="video"), range(100)) for path in whole])
    (tmp_path / "joined").mkdir()
    write_video(tmp_path / "joined" / "v.mp4", joined, fps=FPS)
    propose(tmp_path / "joined", tmp_path / "bank", detector=Squares(), kinds=("moving",))
    with ConceptBank.open(tmp_path / "bank") as bank:
        spans = sorted((clip.origin.start_s, clip.origin.end_s) for clip in bank.clips())
    np.testing.assert_allclose(spans, [(0, 2), (2, 4), (4, 6), (6, 8)], atol=0.25)
    assert spans[1][1] <= 4 + 1e-3 and spans[2][0] >= 4 - 1e-3


def test_negatives_show_none_of_the_label(videos, tmp_path):
    found = propose(videos, tmp_path / "bank", detector=Squares(), negatives=True, kinds=("moving",))
    assert {one.concept for one in found.counts} <= {"red", "not red"}
    write_squares(tmp_path / "slow" / "v.mp4", speed=0.2)
    propose(tmp_path / "slow", tmp_path / "bank", detector=Squares(), negatives=True, kinds=("moving",))
    with ConceptBank.open(tmp_path / "bank") as bank:
        negatives = bank.clips(concept="not red")
        assert negatives
        for clip in negatives:
            frames = read_frames(VideoSource(path=clip.path, kind="video"), range(clip.frames)).int()
            assert ((frames[:, 0] - frames[:, 1:].amax(1)) > 90).float().mean() < 0.03  # the padding may touch it


def test_the_same_thing_twice_is_one_clip(tmp_path):
    write_squares(tmp_path / "v" / "still.mp4", frames=200, speed=0.001)
    found = propose(tmp_path / "v", tmp_path / "bank", detector=Squares(), kinds=("moving",))
    assert (found.clips, found.duplicates) == (1, 3)


def test_a_share_of_the_room_goes_to_every_video(tmp_path):
    for number in range(2):
        write_squares(tmp_path / "v" / f"{number}.mp4", frames=100, seed=number, speed=0.6)
    found = propose(tmp_path / "v", tmp_path / "bank", detector=Squares(), kinds=("moving",), max_clips=2)
    assert found.limited
    assert [(one.clips, one.videos) for one in found.counts] == [(2, 2)]
    again = propose(tmp_path / "v", tmp_path / "bank", detector=Squares(), kinds=("moving",), max_clips=2)
    assert (again.done_before, again.limited) == (2, True)
    more = propose(tmp_path / "v", tmp_path / "bank", detector=Squares(), kinds=("moving",), max_clips=100)
    assert (more.clips, more.done_before, more.limited) == (2, 0, False)


def test_motion_adds_what_has_no_name_and_only_that(videos, tmp_path):
    both = propose(videos, tmp_path / "both", detector=Squares(), motion=True, kinds=("moving",))
    assert [one.concept for one in both.counts] == ["red"]
    alone = propose(videos, tmp_path / "alone", detector="motion", kinds=("moving",))
    assert [(one.concept, one.videos) for one in alone.counts] == [("motion", 3)]


def test_clips_that_a_model_sees_alike_get_a_concept(tmp_path):
    for number in range(5):
        write_squares(tmp_path / "v" / f"l{number}.mp4", seed=number, frames=30, speed=-2.5, colour="green")
        write_squares(tmp_path / "v" / f"r{number}.mp4", seed=number, frames=30, speed=2.5)
    model = load_model("rendered:r2plus1d-motion", device="cpu")
    found = propose(
        tmp_path / "v", tmp_path / "bank", detector=Squares(), embed=model, group="kmeans", kinds=("moving", "still")
    )
    assert found.groups and all(name.startswith(("red", "green")) for name in found.groups)
    with ConceptBank.open(tmp_path / "bank") as bank:
        ids, vectors = bank.embeddings()
        assert len(ids) == bank.count(kind="moving") and len(vectors) == len(ids)
        for name, tubes in found.groups.items():
            assert bank.count(concept=name, kind="moving") == bank.count(concept=name, kind="still") == tubes
    assert propose(tmp_path / "v", tmp_path / "bank", detector=Squares(), embed=model, group="none").clips >= 0


def test_a_model_that_comes_later_sees_the_clips_that_are_there(videos, tmp_path):
    settings = {"detector": Squares(), "kinds": ("moving",)}
    propose(videos, tmp_path / "bank", **settings)
    later = propose(videos, tmp_path / "bank", **settings, embed=load_model("rendered:r2plus1d-motion", device="cpu"))
    assert (later.clips, later.done_before) == (0, 0)
    with ConceptBank.open(tmp_path / "bank") as bank:
        ids = [clip.id for clip in bank.clips(order="added")]
        assert bank.embeddings()[0] == ids
        assert set(bank.similar(ids[0])) == set(ids[1:])


def test_a_label_names_its_concept_as_the_bank_spells_it(tmp_path):
    label = "Schla\u0308ger / \u202eball"
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        bank.add_concept(concept_of(label))
        assert [concept.name for concept in bank.concepts()] == [concept_of(label)] == ["Schl\u00e4ger - ball"]


def test_unreadable_videos_are_listed_and_the_others_done(videos, tmp_path):
    (videos / "broken.mp4").write_bytes((videos / "0.mp4").read_bytes()[:700])
    (videos / "text.avi").write_text("no video")
    found = propose(videos, tmp_path / "bank", detector=Squares())
    assert found.videos == 3
    assert {Path(one.path).name for one in found.skipped} == {"broken.mp4", "text.avi"}
    assert all(one.reason for one in found.skipped)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every_s": 0}, r"`every_s` must be positive\. Got 0"),
        ({"max_clips": 0}, r"`max_clips` must be at least 1"),
        ({"group": "dbscan"}, r"`group` must be one of"),
        ({"kinds": ("moving", "loud")}, r"`kinds` must be of moving, still, focus, scene"),
        ({"start_score": 1.5}, r"`start_score` must be between 0 and 1"),
        ({"piece_s": -1}, r"`piece_s`, .* must be seconds"),
        ({"side_px": 2}, r"`side_px` must be at least 16"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_made(videos, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        propose(videos, tmp_path / "bank", detector=Squares(), **settings)
    assert not (tmp_path / "bank").exists()


def test_no_video_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"must lead to a video"):
        propose(tmp_path / "empty", tmp_path / "bank", detector=Squares())


def test_segments_are_refused_since_proposals_cut_the_whole_video(videos, tmp_path):
    part = VideoSource(path=videos / "0.mp4", kind="video", start_s=0, end_s=1)
    with pytest.raises(InputError, match="`videos` must be whole videos. Got a segment"):
        propose([part], tmp_path / "bank", detector="motion")
    assert not (tmp_path / "bank").exists()


def test_thousands_of_videos_are_listed_in_linear_time(videos, tmp_path):
    """Each is looked at once: eight thousand take about four times as long as two thousand."""
    (tmp_path / "many").mkdir()
    for number in range(8000):
        os.link(videos / "0.mp4", tmp_path / "many" / f"{number}.mp4")
    sources = as_sources(tmp_path / "many")
    seconds = {}
    for count in (2000, 8000):
        started = time.process_time()
        assert len(readable_videos(sources[:count], Tally())) == 1
        seconds[count] = time.process_time() - started
    print(f"{seconds[2000]:.2f} s, {seconds[8000]:.2f} s")
    assert seconds[8000] < 8 * seconds[2000]
