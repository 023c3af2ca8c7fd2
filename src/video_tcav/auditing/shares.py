"""Shapley shares of order, motion, scene, person and object, exact over all coalitions, with intervals by groups."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from video_tcav.auditing.answers import AuditAnswers
from video_tcav.auditing.coalitions import Player, distinct_coalition, players_of
from video_tcav.auditing.figures import Share
from video_tcav.auditing.group_intervals import Estimate, GroupIntervals
from video_tcav.auditing.numbers import class_clips
from video_tcav.auditing.version_makers import coalition_name
from video_tcav.gram.shapley import shapley_values


def shapley_of_clips(answers: AuditAnswers) -> dict[Player, Float[np.ndarray, " clip"]]:
    """The Shapley value of each player at each clip; they add up to the clip's log-odds, less those of a still of one colour.

    Source:
        Shapley 1953. A coalition is worth the log-odds of the clip with everything outside of it removed.
    """
    players = players_of(has_objects=answers.has_objects)

    def worth(team: Sequence[int]) -> Float[np.ndarray, " clip"]:
        return coalition_log_odds(answers, frozenset(players[number] for number in team))

    # 2^4 or 2^5 coalitions: few enough to be summed over exactly
    values, _ = shapley_values(worth, len(players), seed=0)  # so few players are never drawn
    return dict(zip(players, values, strict=True))


def coalition_log_odds(answers: AuditAnswers, team: frozenset[Player]) -> Float[np.ndarray, " clip"]:
    """What a coalition is worth at each clip; an object that no mask tells changes nothing."""
    # order without motion is no other clip: the frames are all the same
    present = distinct_coalition(team)
    log_odds = [
        answers.versions[
            coalition_name(present - (frozenset() if has_object else {"object"}), has_objects=has_object)
        ].log_odds
        for has_object in (False, True)
        if (answers.clip_objects == has_object).any()
    ]
    if len(log_odds) == 1:
        return log_odds[0]
    # clips of which no mask tells an object have the coalition without one: there the object adds nothing, so that its value
    # is 0, and those of the others are as without that player
    return np.where(answers.clip_objects, log_odds[1], log_odds[0])


def shapley_shares(answers: AuditAnswers, intervals: GroupIntervals) -> tuple[Share, ...]:
    """Shares over all classes and of each; NaN where a clip's log-odds are not clearly more than those of a still of one colour.

    Args:
        answers: with all coalitions.
        intervals: over all clips.
    """
    values = shapley_of_clips(answers)
    # efficiency: Shapley values of a clip add up to the worth of the whole coalition less that of nobody
    gained = np.sum(list(values.values()), axis=0)
    shares = []
    for label, chosen in class_clips(answers):
        some = intervals.subset(chosen)
        whole = some.mean(gained[chosen])
        # a ratio to what may as well be 0 would have no interval that means anything
        is_clear = whole.low > 0
        for player, of_player in values.items():
            share = some.ratio(of_player[chosen], gained[chosen]) if is_clear else Estimate(np.nan, np.nan, np.nan)
            shares.append(
                Share(
                    player=player,
                    label=label,
                    share=share.value,
                    low=share.low,
                    high=share.high,
                    log_odds=float(of_player[chosen].mean()),
                    n_clips=int(chosen.sum()),
                )
            )
    return tuple(shares)
