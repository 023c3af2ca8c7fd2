"""How many groups a test needs: against simulated tests, against the normal limit, and at the edges."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from video_tcav.core.errors import InputError
from video_tcav.gram import groups_needed, permutation_p
from video_tcav.gram.design import Design

TESTS, PERMUTATIONS = 800, 399


def share_found(effect: float, concept: int, random: int, *, level: float) -> float:
    """Share of permutation tests on normal responses, one a group, that find the effect."""
    generator = np.random.default_rng([concept, random])
    count = concept + random
    order = np.argsort(generator.random((PERMUTATIONS, count)), axis=1)
    weights = np.where(order < concept, 1 / concept, -1 / random)
    found = 0
    for _ in range(TESTS):
        responses = generator.standard_normal(count)
        responses[:concept] += effect
        observed = responses[:concept].mean() - responses[concept:].mean()
        found += permutation_p(float(observed), weights @ responses) <= level
    return found / TESTS


@pytest.mark.parametrize(
    ("effect", "negatives", "level", "power"),
    [(1.0, None, 0.05, 0.8), (1.0, 20, 0.05, 0.8), (0.6, 60, 0.05, 0.9), (1.5, 12, 0.01, 0.8), (-1.0, 30, 0.05, 0.5)],
)
def test_simulated_permutation_tests_reach_the_power(effect, negatives, level, power):
    groups = groups_needed(effect, level=level, power=power, negatives=negatives)
    others = negatives or 400  # so many are as good as unlimited
    reached = share_found(effect, groups, others, level=level)
    noise = 3 * math.sqrt(power * (1 - power) / TESTS)
    assert abs(reached - power) <= 0.02 + noise  # 0.02: whole groups overshoot a little
    assert share_found(effect, groups // 2, others, level=level) < power - noise


@pytest.mark.parametrize("effect", [0.05, 0.2, 0.5, 1.0])
def test_with_unlimited_negatives_it_is_the_normal_formula(effect):
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert groups_needed(effect) == math.ceil((z / effect) ** 2)


def test_as_many_negatives_as_the_textbook_asks_for():
    """Cohen: 64 a sample for half a standard deviation, 26 for 0.8."""
    assert groups_needed(0.5, negatives=64) == 64
    assert groups_needed(0.8, negatives=26) == 26


@pytest.mark.parametrize("negatives", [3, 4, 5, 6, 20, None])
@pytest.mark.parametrize("level", [0.05, 0.01, 0.001])
def test_a_large_effect_still_needs_groups_that_can_reach_the_level(negatives, level):
    groups = groups_needed(50.0, level=level, negatives=negatives)
    others = negatives or 30

    def smallest_p(concept: int) -> float:
        labels = np.arange(concept + others) < concept
        each = np.arange(concept + others)
        return Design(labels=labels, units=each, groups=each, n_units=len(each), n_groups_total=len(each)).smallest_p()

    assert groups >= 3 and smallest_p(groups) <= level
    assert groups == 3 or negatives is None or smallest_p(groups - 1) > level


@given(
    effect=st.floats(0.4, 4), more=st.floats(1, 2), negatives=st.integers(20, 200), power=st.sampled_from([0.5, 0.8])
)
@settings(max_examples=60, deadline=None)
def test_larger_effects_and_more_negatives_never_need_more(effect, more, negatives, power):
    try:
        needed = groups_needed(effect, power=power, negatives=negatives)
    except InputError:
        return
    assert groups_needed(effect * more, power=power, negatives=negatives) <= needed
    assert groups_needed(effect, power=power) <= groups_needed(effect, power=power, negatives=2 * negatives) <= needed
    assert groups_needed(-effect, power=power, negatives=negatives) == needed


def test_negatives_that_can_never_suffice_are_refused():
    with pytest.raises(InputError, match="`negatives` must be enough .* Got 5 groups, .* Add random clips"):
        groups_needed(1.0, negatives=5)
    assert groups_needed(1.0, negatives=8) > 100  # the edge: eight just suffice


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"effect": 0.0}, "`effect` must be a number other than 0"),
        ({"effect": math.nan}, "`effect` must be a number"),
        ({"effect": 1e-4}, "`effect` must be one that 1,000,000 groups can find"),
        ({"effect": 1.0, "level": 0.0}, "`level` must be between 0 and 1"),
        ({"effect": 1.0, "power": 1.0}, "`power` must be between the level"),
        ({"effect": 1.0, "power": 0.05}, "`power` must be between the level"),
        ({"effect": 1.0, "negatives": 2}, "`negatives` must be 3 or more"),
    ],
)
def test_values_that_make_no_sense(values, words):
    with pytest.raises(InputError, match=words):
        groups_needed(**values)


def test_the_table_in_the_documentation():
    page = (Path(__file__).parents[3] / "docs/concept-bank.md").read_text()
    rows = re.findall(r"^\| (\d[\d.]*) \| (.+) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert len(rows) == 4
    for effect, *cells in rows:
        for negatives, cell in zip((None, 30, 20), cells, strict=True):
            if cell.startswith("not"):
                with pytest.raises(InputError, match="`negatives` must be enough"):
                    groups_needed(float(effect), negatives=negatives)
            else:
                assert groups_needed(float(effect), negatives=negatives) == int(cell)
