"""What maps are worth over several videos: groups, intervals, and the words; and which videos stand beside which."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.unit.reports.test_explanations import explanation
from video_tcav.explanation import map_verdicts
from video_tcav.explanation.clips import LayerMap
from video_tcav.explanation.other_videos import VideoMaps, with_other_videos
from video_tcav.media import VideoSource


def source(name, group=None):
    return VideoSource(path=Path(f"{name}.mp4"), kind="video", group=group)


def maps(elsewhere, other_clips, *, groups=None):
    """One map a video, with deletion 0.2 and so much more for each opponent."""
    groups = groups or [None] * len(elsewhere)
    return [
        explanation(
            source(number, group), deletion=0.2, deletion_elsewhere=0.2 + moved, deletion_other_clips=0.2 + other
        )
        for number, (moved, other, group) in enumerate(zip(elsewhere, other_clips, groups, strict=True))
    ]


NONE = float("nan")
GOOD, ZERO = [0.3, 0.35, 0.4, 0.38], [-0.1, 0.1, -0.05, 0.02]


def test_a_map_that_beats_both_is_said_to():
    [verdict] = map_verdicts(maps(GOOD, GOOD))
    assert verdict.is_better and verdict.sentence.endswith("The map is better than either.")
    assert verdict.sentence.startswith(
        "gradcam at stages.3, 4 videos: deletion is lower than for the same map elsewhere by 0.36"
    )
    low, high = stats.t.interval(0.95, 3, np.mean(GOOD), np.std(GOOD, ddof=1) / 2)
    assert (verdict.elsewhere.low, verdict.elsewhere.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("elsewhere", "other_clips", "words"),
    [
        (ZERO, GOOD, "The map is no better than the same map elsewhere: do not read the picture."),
        (GOOD, ZERO, "The map is no better than the map of another video: it shows where the class usually is"),
        ([0.3, 0.4, -0.2, 0.1], GOOD, "The map is not shown to be better than the same map elsewhere"),
        (GOOD, [NONE] * 4, "explain several videos at once"),
        ([0.3], [NONE], "explain several videos at once"),
        ([0.04], [NONE], "The map is no better than the same map elsewhere"),
        ([0.3, 0.3], [0.0, 0.04], "The map is no better than the map of another video"),
    ],
)
def test_a_map_that_is_no_better_is_said_to_be(elsewhere, other_clips, words):
    [verdict] = map_verdicts(maps(elsewhere, other_clips))
    assert words in verdict.sentence
    assert verdict.is_better == ("at once" in words)
    assert "nan" not in verdict.sentence


def test_clips_of_one_group_count_once():
    [verdict] = map_verdicts(maps([0.1, 0.3, 0.4], [0.1, 0.3, 0.4], groups=["a", "a", "b"]))
    assert verdict.elsewhere.videos == 2 and verdict.elsewhere.gain == pytest.approx(0.3)
    assert math.isnan(verdict.elsewhere.low)


def test_each_method_and_layer_has_its_verdict_and_what_was_not_measured_has_none():
    one = source(0)
    found = [explanation(one), explanation(one, layer="stages.1"), explanation(one, part="motion")]
    found += [explanation(one, method="concept", concept="swing"), explanation(one, method="ig", deletion=NONE)]
    verdicts = map_verdicts(found)
    assert [(one.method, one.concept, one.layer) for one in verdicts] == [
        ("gradcam", "", "stages.3"),
        ("gradcam", "", "stages.1"),
        ("concept", "swing", "stages.3"),
    ]
    assert verdicts[2].sentence.startswith("concept swing at stages.3, 1 video:")
    assert map_verdicts([explanation(one, deletion=NONE)]) == ()


def test_a_map_alone_names_what_it_is_no_better_than():
    one = source(0)
    assert explanation(one, deletion=0.2, deletion_elsewhere=0.5, deletion_other_clips=0.22).no_better_than == (
        "other clips",
    )
    assert explanation(one, deletion=0.6, deletion_elsewhere=0.5, deletion_other_clips=NONE).no_better_than == (
        "elsewhere",
    )


def video(name, *, group=None, maps=True):
    layer_map = LayerMap(
        clip=None,
        method_number=0,
        method="m",
        concept="",
        layer="l",
        components={},
        motion_share=NONE,  # type: ignore[arg-type]
    )
    return VideoMaps(source=source(name, group), outcomes=(layer_map,) if maps else ())


def names(videos, count):
    found = with_other_videos(videos, count)
    return {one.source.path.stem: "".join(other.source.path.stem for other in others) for one, others in found}


def test_the_next_videos_stand_beside_each_and_preceding_ones_at_the_end():
    assert names([video(name) for name in "abcde"], 2) == {"a": "bc", "b": "cd", "c": "de", "d": "ec", "e": "dc"}
    assert names([video(name) for name in "ab"], 2) == {"a": "b", "b": "a"}
    assert names([video("a")], 2) == {"a": ""}
    assert names([video(name) for name in "abc"], 0) == {"a": "", "b": "", "c": ""}


def test_videos_without_maps_and_of_the_same_group_are_passed_over():
    videos = [video("a"), video("b", maps=False), video("c", group="g"), video("d", group="g"), video("e")]
    assert names(videos, 2) == {"a": "cd", "b": "cd", "c": "ea", "d": "ea", "e": "da"}


def test_videos_come_as_soon_as_the_next_ones_are_there():
    taken = []

    def endless():
        for number in range(1000):
            taken.append(number)
            yield video(str(number), group="same" if number < 500 else None)

    stream = with_other_videos(endless(), 2)
    next(stream)
    assert len(taken) <= 10  # one long file in many segments does not fill the memory
