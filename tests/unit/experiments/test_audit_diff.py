"""Changes of audited shares: McNemar's exact test where the clips are the same, Newcombe's interval elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from tests.unit.auditing.result_by_hand import LABELS, audited
from video_tcav.experiments.audit_diff import changed_shares


def change(first, second, name="original: right"):
    changes = changed_shares({"net": first}, {"net": second}, bootstraps=400, seed=0)
    return next(each for each in changes if each.share == name)


def test_the_same_clips_are_compared_one_by_one():
    before, after = audited({"original": ["swim"] * 9 + LABELS[9:]}), audited({"original": LABELS[:-2] + ["swim"] * 2})
    found = change(before, after)
    assert found.is_paired
    assert found.change == pytest.approx(7 / 40)
    assert found.p_value == pytest.approx(mcnemar([[29, 2], [9, 0]], exact=True).pvalue)
    assert found.low < 7 / 40 < found.high


def test_a_single_clip_that_changes_is_no_change():
    found = change(audited({}), audited({"original": ["swim", *LABELS[1:]]}))
    assert found.p_value == 1
    assert not found.is_changed
    assert change(audited({}), audited({"original": ["swim"] * 6 + LABELS[6:]})).is_changed


def test_groups_are_what_counts():
    groups = [str(number // 4) for number in range(40)]
    other = {"original": ["swim"] * 8 + LABELS[8:]}
    assert change(audited({}, groups=groups), audited(other, groups=groups)).p_value == 0.5


def test_other_clips_are_independent():
    before = replace(audited({"original": ["swim"] * 20 + LABELS[20:]}), provenance={"clips": {"clip 0": "other"}})
    after = audited({"original": ["swim"] * 4 + LABELS[4:]})
    found = change(before, after)
    assert not found.is_paired
    assert np.isnan(found.p_value)
    assert found.is_changed
    # Wilson's intervals of an audit have Student's quantile for so many groups, Newcombe's those of the normal distribution
    low, high = confint_proportions_2indep(36, 40, 20, 40, method="newcomb")
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)
    assert stats.norm.isf(0.025) < stats.t.isf(0.025, 39)
