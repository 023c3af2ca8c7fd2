"""Numbers of an audit on answers that are written down by hand."""

import math

import numpy as np
import pytest

from tests.unit.auditing.answers_by_hand import answers, version
from video_tcav.auditing import VERSIONS
from video_tcav.auditing.group_intervals import GroupIntervals
from video_tcav.auditing.numbers import audit_figures, version_results

LABELS = ["run", "run", "run", "walk", "walk"]
LENDERS = ["walk", "walk", "swim", "run", None]
ASKED = [VERSIONS[name] for name in ("original", "reversed", "swap", "swap_still")]
# the last clip has no lender, and so no swap
SAID = {
    "original": ["run", "run", "walk", "walk", "walk"],
    "reversed": ["run", "walk", "walk", "walk", "run"],
    "swap": ["walk", "run", "swim", "walk", None],
    "swap_still": ["walk", "walk", "run", "run", None],
}
LOG_ODDS = {
    "original": [3, 2, -1, 2, 4],
    "reversed": [1, 0, -1, 2, -2],
    "swap": [-2, 1, -3, 2, 0],
    "swap_still": [0] * 5,
}


@pytest.fixture(scope="module")
def audited():
    versions = {name: version(said, LABELS, LENDERS, LOG_ODDS[name]) for name, said in SAID.items()}
    return answers(LABELS, versions, lenders=LENDERS)


def rows_of(audited):
    return {
        (r.version, r.label): r for r in version_results(audited, ASKED, GroupIntervals.draw(audited.groups, 200, 0))
    }


def figures_of(audited):
    return {(f.name, f.label): f for f in audit_figures(audited, ASKED, GroupIntervals.draw(audited.groups, 200, 0))}


def test_accuracy_and_what_is_lost_of_it(audited):
    rows = rows_of(audited)
    assert rows["original", None].accuracy == pytest.approx(4 / 5)
    assert rows["reversed", None].accuracy_lost == pytest.approx(4 / 5 - 2 / 5)
    assert rows["reversed", None].log_odds == pytest.approx(0)
    assert rows["reversed", None].log_odds_lost == pytest.approx(np.mean([2, 2, 0, 0, 6]))
    assert rows["reversed", "walk"].accuracy == pytest.approx(1 / 2)
    assert rows["reversed", None].still_right == pytest.approx(2 / 4)
    assert rows["original", "run"].n_clips == 3


def test_clips_without_a_version_do_not_count(audited):
    swap = rows_of(audited)["swap", None]
    assert swap.n_clips == 4
    assert swap.log_odds == pytest.approx(np.mean([-2, 1, -3, 2]))
    assert swap.log_odds_lost == pytest.approx(np.mean([5, 1, 2, 0]))


def test_what_is_said_of_swaps(audited):
    figures = figures_of(audited)
    assert figures["sh_acc", None].value == pytest.approx(2 / 4)
    assert figures["sb_err", None].value == pytest.approx(2 / 4)
    assert figures["sb_err", "run"].value == pytest.approx(2 / 3)
    assert figures["sb_err", None].n_clips == 4
    # right on the swap and wrong on one frame of it: the second and the fourth clip
    assert figures["contrasted_swap", None].value == pytest.approx(2 / 4)
    assert figures["order_reversed", None].value == pytest.approx(2 / 5)
    assert ("order_shuffled", None) not in figures  # not asked for


def test_intervals_hold_their_values_and_are_never_of_no_width(audited):
    for row in rows_of(audited).values():
        if row.label is None and row.n_groups > 1:
            assert row.accuracy_low <= row.accuracy <= row.accuracy_high
            assert row.accuracy_high - row.accuracy_low > 0.2
            assert row.accuracy_lost_high > row.accuracy_lost_low
            assert row.log_odds_lost_low <= row.log_odds_lost <= row.log_odds_lost_high


def test_one_group_gives_no_interval():
    alone = answers(LABELS, {"original": version(LABELS, LABELS)}, groups=["a"] * 5)
    row = version_results(alone, ASKED, GroupIntervals.draw(alone.groups, 200, 0))[0]
    assert row.accuracy == 1
    assert math.isnan(row.accuracy_low) and math.isnan(row.log_odds_low)
