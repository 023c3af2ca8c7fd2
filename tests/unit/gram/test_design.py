"""Groups, label permutations, folds and bootstrap draws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video_tcav.core.errors import InputError
from video_tcav.gram.design import Design, bootstrap_weights, check_design, numbering


def design(labels: str, groups: str, units: str | None = None) -> Design:
    """A design written as strings: `c` and `r` for labels, one character a group and unit."""
    units = units or "".join(chr(65 + index) for index in range(len(labels)))
    group_numbers, unit_numbers = numbering(list(groups)), numbering(list(units))
    return Design(
        labels=np.array([label == "c" for label in labels]),
        units=np.array([unit_numbers[unit] for unit in units]),
        groups=np.array([group_numbers[group] for group in groups]),
        n_units=len(unit_numbers),
        n_groups_total=len(group_numbers),
    )


def all_labels(one: Design, draws: int = 600, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(one.label_permutations(draws, seed)))


def test_whole_groups_exchange_labels():
    one = design("ccccrrrr", "aabbccdd")
    for labels in all_labels(one):
        assert all(len(set(labels[one.groups == group])) == 1 for group in range(4))
        assert labels.sum() == 4


def test_groups_with_both_kinds_exchange_labels_inside():
    one = design("crrcrr", "aaabbb")
    labels = all_labels(one)
    assert (labels[:, :3].sum(1) == 1).all()
    assert (labels[:, 3:].sum(1) == 1).all()
    assert len(np.unique(labels, axis=0)) == 9


def test_windows_of_one_video_stay_together():
    one = design("ccrrrr", "aaaaaa", "vvwwxx")
    labels = all_labels(one)
    assert (labels[:, 0] == labels[:, 1]).all()
    assert len(np.unique(labels, axis=0)) == 3


def test_label_permutations_are_uniform():
    one = design("ccrr", "abcd")
    _, counts = np.unique(all_labels(one, draws=6000), axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 880
    assert counts.max() < 1120


def test_folds_travel_with_labels():
    one = design("cccccrrrrr", "abcdefghij")
    own = sorted(zip(one.labels.tolist(), one.folds(0).tolist(), strict=True))
    for chunk in one.permuted_experiments(50, 0):
        for labels, folds in zip(chunk.labels, chunk.folds, strict=True):
            assert sorted(zip(labels.tolist(), folds.tolist(), strict=True)) == own


def test_folds_keep_groups_whole_and_spread_concepts():
    one = design("c" * 20 + "r" * 20, "".join(chr(65 + i // 2) for i in range(40)))
    folds = one.folds(3)
    assert all(len(set(folds[one.groups == group].tolist())) == 1 for group in range(20))
    assert np.bincount(folds[one.labels]).tolist() == [4] * 5


@given(concept=st.integers(1, 12), random=st.integers(1, 12))
def test_smallest_p_counts_distinct_label_permutations(concept, random):
    one = design("c" * concept + "r" * random, "".join(chr(65 + i) for i in range(concept + random)))
    opposite = 2 if concept == random else 1  # the opposite labelling is as extreme
    assert one.smallest_p() == pytest.approx(min(1, opposite / math.comb(concept + random, concept)))


def test_smallest_p_of_thousands_of_groups_is_no_overflow():
    names = "".join(chr(1000 + index) for index in range(4000))
    assert design("c" * 2000 + "r" * 2000, names, names).smallest_p() < 1e-300


def test_smallest_p_within_mixed_groups():
    assert design("crrcrr", "aaabbb").smallest_p() == pytest.approx(1 / 9)


def test_groups_that_allow_no_exchange_have_a_smallest_p_of_one():
    assert design("ccc", "abc").smallest_p() == 1


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_same_seed_gives_the_same_label_permutations(seed):
    one = design("ccccrrrr", "abcdefgh")
    np.testing.assert_array_equal(all_labels(one, 20, seed), all_labels(one, 20, seed))


def test_comparisons_share_their_random_numbers():
    """Two concepts against one random pool: a random clip that counts as concept in one tends to in the other."""
    names = numbering([*"abcd", *"wxyz", *"ABCDEFGHIJKL"])
    first, second = (
        Design(
            labels=np.array([True] * 4 + [False] * 12),
            units=np.array([names[unit] for unit in concept + "ABCDEFGHIJKL"]),
            groups=np.array([names[unit] for unit in concept + "ABCDEFGHIJKL"]),
            n_units=len(names),
            n_groups_total=len(names),
        )
        for concept in ("abcd", "wxyz")
    )
    one, other = all_labels(first, 2000)[:, 4:], all_labels(second, 2000)[:, 4:]
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.5


def test_bootstrap_weighs_whole_groups():
    one = design("ccccrrrrrr", "aabbccddee")
    weights = np.concatenate(list(one.bootstrap(300, 0)))
    np.testing.assert_allclose(weights.mean(1), 1)
    assert (weights > 0).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert weights.std() == pytest.approx(0.9, abs=0.15)


def test_a_group_has_its_own_random_stream():
    """Whatever the others are, and however many draws are asked for."""
    all_groups = np.concatenate(list(bootstrap_weights(np.arange(6), 600, 3, 4)))
    two_groups = np.concatenate(list(bootstrap_weights(np.array([4, 1]), 300, 3, 4)))
    np.testing.assert_array_equal(all_groups[:256, [4, 1]], two_groups[:256])
    assert np.abs(np.corrcoef(all_groups.T) - np.eye(6)).max() < 0.2


def test_bootstrap_of_a_mixed_group_brings_all_of_it():
    one = design("crcrcr", "aabbcc")
    counts = np.concatenate(list(one.bootstrap(50, 0)))
    assert (counts[:, 0::2] == counts[:, 1::2]).all()


def test_too_few_clips_are_refused():
    with pytest.raises(InputError, match="concept racket` must have at least 3 clips that can be used. Got 2"):
        check_design(design("ccrrr", "abcde"), "racket", "random clips")


def test_too_few_groups_are_refused():
    with pytest.raises(InputError, match="at least 3 independent groups. Got 4 clips in 1"):
        check_design(design("ccccrrr", "aaaabcd"), "racket", "random clips")


def test_too_few_random_clips_are_refused():
    with pytest.raises(InputError, match="`random clips` must have at least 3 clips"):
        check_design(design("cccr", "abcd"), "racket", "random clips")


@pytest.mark.parametrize("groups", ["abcdefghij", "aabbccddee", "aaabcdddgg", "aaaaaaabcd"])
def test_labels_alone_are_those_that_come_with_folds(groups):
    one = design("cccccrrrrr", groups, "abcdefghij")
    with_folds = np.concatenate([chunk.labels for chunk in one.permuted_experiments(300, 4)])
    assert np.array_equal(all_labels(one, 300, 4), with_folds)
