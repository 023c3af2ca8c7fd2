"""Tests in the half that confirms: which clips count as strong, and the p-value of presence under its null and beside it."""

import numpy as np
import pytest

from video_tcav.discovery.confirmation import presence_p_values, strong_clips
from video_tcav.gram.arrays import make_design
from video_tcav.gram.corrections import adjust


def test_strong_clips_are_a_third_of_each_set_so_that_the_class_cancels():
    generator = np.random.default_rng(0)
    of_class = np.arange(90) < 30
    # class clips have far more of it: without matching, all strong clips would be class clips
    presences = generator.standard_normal(90) + 10 * of_class
    chosen = strong_clips(presences, of_class, np.arange(90), np.arange(90))
    labels = dict(zip(chosen.clips.tolist(), chosen.strong.tolist(), strict=True))
    assert len(labels) == 90
    for stratum in (of_class, ~of_class):
        numbers = np.flatnonzero(stratum)
        ranked = numbers[np.argsort(-presences[numbers])]
        assert {n for n in numbers.tolist() if labels[n]} == set(ranked[: len(numbers) // 3].tolist())


def test_few_clips_that_have_any_of_it_stand_against_twice_as_many():
    of_class = np.arange(60) < 30
    presences = np.zeros(60)
    presences[[0, 1, 2, 40, 41, 42, 43]] = [1, 2, 3, 1, 2, 3, 4]
    chosen = strong_clips(presences, of_class, np.arange(60), np.arange(60))
    assert set(chosen.clips[chosen.strong].tolist()) == {0, 1, 2, 40, 41, 42, 43}
    assert (of_class[chosen.clips] & ~chosen.strong).sum() == 6
    assert (~of_class[chosen.clips] & ~chosen.strong).sum() == 8


def test_windows_of_a_video_carry_one_label():
    units = np.repeat(np.arange(12), 2)
    presences = np.tile([0.0, 1.0], 12) + np.repeat(np.arange(12) % 6, 2)
    chosen = strong_clips(presences, np.arange(24) < 12, units, np.arange(24))
    for unit in np.unique(units[chosen.clips]):
        assert len(set(chosen.strong[units[chosen.clips] == unit].tolist())) == 1


def test_a_planted_difference_of_presence_is_seen_and_one_of_none_is_not():
    generator = np.random.default_rng(1)
    labels = np.arange(60) < 20
    presences = generator.standard_normal((60, 2))
    presences[labels, 0] += 2
    p_values = presence_p_values(presences, make_design(labels), permutations=999, seed=0)
    assert p_values[0] == 1 / 1000
    assert p_values[1] > 0.05


@pytest.mark.parametrize("clips_a_group", [1, 4])
def test_the_family_keeps_its_level_where_clips_come_in_groups(clips_a_group):
    """Type I error of `any of ten components`, whose presences go together and are alike within groups."""
    generator = np.random.default_rng(5)
    groups = np.repeat(np.arange(24), clips_a_group)
    labels = groups < 8
    design = make_design(labels, groups=groups.tolist())
    alarms = 0
    for draw in range(200):
        of_groups = generator.standard_normal((24, 3)) @ generator.standard_normal((3, 10))
        presences = of_groups[groups] + 0.3 * generator.standard_normal((len(groups), 10))
        p_values = presence_p_values(presences, design, permutations=199, seed=draw)
        alarms += min(adjust(p_values.tolist(), "holm")) <= 0.05
    assert alarms <= 18  # 5 % of 200 and two standard errors of it
