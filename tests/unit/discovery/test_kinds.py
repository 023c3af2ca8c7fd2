"""Kinds by twins: what stays, what goes, and where noise decides."""

import numpy as np
import pytest

from video_tcav.discovery.kinds import NOT_MEASURED, Retained, kind_of, retained

STRONG = np.arange(40) < 15


def coordinates(stays, *, noise=0.1, seed=0):
    generator = np.random.default_rng(seed)
    clips = 2.0 * STRONG + noise * generator.standard_normal(40)
    # what the twin does to every clip cancels in the difference
    twins = 5.0 + stays * 2.0 * STRONG + noise * generator.standard_normal(40)
    return clips, twins


@pytest.mark.parametrize("stays", [1.0, 0.0, -1.0, 0.3])
def test_the_planted_share_is_inside_a_narrow_interval(stays):
    share = retained(*coordinates(stays), STRONG, np.arange(40), 0)
    clips, twins = coordinates(stays)
    slow = (twins[STRONG].mean() - twins[~STRONG].mean()) / (clips[STRONG].mean() - clips[~STRONG].mean())
    assert share.share == pytest.approx(slow)
    assert share.low <= stays <= share.high
    assert share.high - share.low < 0.2


def test_groups_widen_the_interval():
    clips, twins = coordinates(0.5)
    twins = twins + np.repeat(np.random.default_rng(1).standard_normal(8), 5)
    alone = retained(clips, twins, STRONG, np.arange(40), 0)
    grouped = retained(clips, twins, STRONG, np.repeat(np.arange(8), 5), 0)
    assert grouped.high - grouped.low > alone.high - alone.low


def test_a_component_that_is_not_there_has_no_share():
    generator = np.random.default_rng(2)
    clips, twins = generator.standard_normal((2, 40))
    assert np.isnan(retained(clips, twins, STRONG, np.arange(40), 0).share)


def share(low, high):
    return Retained(share=(low + high) / 2, low=low, high=high)


STAYS, GOES, UNSURE = share(0.8, 1.1), share(-0.1, 0.2), share(0.3, 0.8)


@pytest.mark.parametrize(
    ("frozen", "reversed_", "kind"),
    [
        (STAYS, STAYS, "appearance"),
        (GOES, STAYS, "motion"),
        (GOES, GOES, "order"),
        (GOES, share(-1.2, -0.8), "order"),
        (UNSURE, STAYS, "unclear"),
        (GOES, UNSURE, "unclear"),
        (GOES, NOT_MEASURED, "motion"),
        (NOT_MEASURED, NOT_MEASURED, "unclear"),
    ],
)
def test_the_kind_follows_from_what_surely_stays_or_goes(frozen, reversed_, kind):
    assert kind_of({"frozen": frozen, "reversed": reversed_}) == kind
