"""Donors of scenes: of other classes and groups, drawn by seed."""

import numpy as np
import pytest

from video_tcav.core.errors import InputError, ShapeError
from video_tcav.masks import draw_donors

LABELS = ["run", "run", "run", "walk", "walk", "jump", "jump", "jump", "jump"]


@pytest.mark.parametrize("seed", range(5))
def test_donors_are_of_other_classes_and_every_class_gets_all_others(seed):
    donors = draw_donors(LABELS, seed=seed)
    assert all(LABELS[donor] != label for donor, label in zip(donors, LABELS, strict=True))
    assert np.array_equal(donors, draw_donors(LABELS, seed=seed))
    for name in ("run", "jump"):
        of_class = {LABELS[donor] for donor, label in zip(donors, LABELS, strict=True) if label == name}
        assert of_class == set(LABELS) - {name}
    assert not np.array_equal(donors, draw_donors(LABELS, seed=seed + 100))


def test_donors_are_of_other_groups():
    groups = ["a", "b", "c", "a", "b", "a", "b", "c", "d"]
    for seed in range(20):
        donors = draw_donors(LABELS, seed=seed, groups=groups)
        assert all(groups[donor] != group for donor, group in zip(donors, groups, strict=True))
        assert all(LABELS[donor] != label for donor, label in zip(donors, LABELS, strict=True))


def test_swaps_need_two_classes_and_a_group_for_each_clip():
    with pytest.raises(InputError, match=r"`clips` must be of two classes or more to be swapped. Got \['run'\]"):
        draw_donors(["run", "run"])
    with pytest.raises(InputError, match="`clips` must be of two classes or more outside of each group"):
        draw_donors(["run", "walk"], groups=["a", "a"])
    with pytest.raises(ShapeError, match="`groups` must be one for each clip. Got 1 for 2"):
        draw_donors(["run", "walk"], groups=["a"])
