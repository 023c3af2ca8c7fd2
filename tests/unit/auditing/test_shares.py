"""Shapley shares against their definition, the mean over all orders in which players can join."""

from itertools import permutations

import numpy as np
import pytest

from tests.unit.auditing.answers_by_hand import answers, version
from video_tcav.auditing import PLAYERS, players_of
from video_tcav.auditing.group_intervals import GroupIntervals
from video_tcav.auditing.shares import shapley_of_clips, shapley_shares
from video_tcav.auditing.version_makers import coalition_name, coalitions_of

LABELS = ["run", "walk", "run", "walk", "run", "walk"]


def drawn_answers(*, objects, seed=0, labels=LABELS, gain=10.0):
    """Random log-odds of each coalition; the whole one is much surer than the empty one."""
    generator = np.random.default_rng(seed)
    versions = {}
    for has_object in {False, True} if any(objects) and not all(objects) else {any(objects)}:
        for team in coalitions_of(has_objects=has_object):
            name = coalition_name(team, has_objects=has_object)
            if name not in versions:
                values = generator.normal(size=len(labels)) + gain * (name == "original")
                versions[name] = version(labels, labels, log_odds=values)
    return answers(labels, versions, objects=objects)


def slow_shapley(audited, player, clip):
    """What the player adds to those before it, over all orders, written out."""
    players = players_of(has_objects=audited.has_objects)
    has_object = bool(audited.clip_objects[clip])

    def worth(team):
        present = set(team) - ({"order"} if "motion" not in team else set()) - (set() if has_object else {"object"})
        return audited.versions[coalition_name(frozenset(present), has_objects=has_object)].log_odds[clip]

    added = []
    for order in permutations(players):
        place = order.index(player)
        added.append(worth(order[: place + 1]) - worth(order[:place]))
    return np.mean(added)


@pytest.mark.parametrize("objects", [[True] * 6, [False] * 6, [True, False, True, True, False, False]])
def test_values_are_the_mean_over_all_orders(objects):
    audited = drawn_answers(objects=objects)
    values = shapley_of_clips(audited)
    assert set(values) == set(players_of(has_objects=any(objects)))
    for player in values:
        for clip in (0, 1):
            assert values[player][clip] == pytest.approx(slow_shapley(audited, player, clip))


def test_shares_add_up_to_one_over_all_and_in_each_class():
    audited = drawn_answers(objects=[True] * 6)
    shares = shapley_shares(audited, GroupIntervals.draw(audited.groups, 200, 0))
    for label in (None, "run", "walk"):
        of_label = [share for share in shares if share.label == label]
        assert [share.player for share in of_label] == list(PLAYERS)
        assert sum(share.share for share in of_label) == pytest.approx(1)
        gained = audited.versions["original"].log_odds - audited.versions["only nothing"].log_odds
        chosen = np.asarray([label in (None, each) for each in audited.labels])
        assert sum(share.log_odds for share in of_label) == pytest.approx(gained[chosen].mean())
        assert all(share.low <= share.share <= share.high for share in of_label)


def test_a_player_that_changes_nothing_has_no_share():
    audited = drawn_answers(objects=[False] * 6)
    assert "object" not in shapley_of_clips(audited)
    mixed = drawn_answers(objects=[True, False] * 3)
    assert shapley_of_clips(mixed)["object"][1::2] == pytest.approx(0)


def test_there_is_nothing_to_share_out_where_the_model_knows_no_more_of_a_clip_than_of_one_colour():
    audited = drawn_answers(objects=[True] * 6, gain=0.0)
    shares = shapley_shares(audited, GroupIntervals.draw(audited.groups, 200, 0))
    assert all(np.isnan(share.share) for share in shares if share.label is None)


def test_there_are_24_coalitions_with_objects_and_12_without():
    assert [len(coalitions_of(has_objects=has)) for has in (True, False)] == [24, 12]
    assert coalition_name(frozenset(PLAYERS), has_objects=True) == "original"
    assert coalition_name(frozenset(PLAYERS) - {"object"}, has_objects=True) == "only order+motion+scene+person"
    assert coalition_name(frozenset(PLAYERS) - {"object"}, has_objects=False) == "original"
    assert coalition_name(frozenset(), has_objects=True) == "only nothing"
