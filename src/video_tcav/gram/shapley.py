"""Shapley values: what each player adds to a team, on average over all orders in which the team could be made up."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float

from video_tcav.core import random_streams

MOST_EXACT = 8
"""Players: 256 teams. Beyond, orders are drawn."""
ORDER_PAIRS = 16
"""Orders that are drawn, each with its reverse, which cancels most of what depends on a player's place."""

Worth = Callable[[Sequence[int]], Float[np.ndarray, " draw"]]


def shapley_values(
    worth: Worth, players: int, *, seed: int
) -> tuple[Float[np.ndarray, "player draw"], Float[np.ndarray, " player"]]:
    """Values that add up to the worth of the whole team, less that of nobody.

    Args:
        worth: of a team, given as the sorted numbers of its players; in several draws, of which the first is the estimate.
        players: how many there are.
        seed: of the orders, where they are drawn.

    Returns:
        The values in each draw, and the standard error of the first draw's that is due to drawing orders; 0 where all teams
        were looked at, which are up to eight players'.

    Source:
        Shapley 1953; antithetic orders: Mitchell et al. 2022, arXiv:2104.12199.
    """
    teams: dict[tuple[int, ...], np.ndarray] = {}

    def worth_of(team: Sequence[int]) -> np.ndarray:
        key = tuple(sorted(team))
        if key not in teams:
            teams[key] = worth(key)
        return teams[key]

    if players <= MOST_EXACT:
        return np.stack([_exact(worth_of, player, players) for player in range(players)]), np.zeros(players)
    generator = np.random.default_rng([seed, random_streams.CONCEPT_ORDERS])
    orders = [generator.permutation(players) for _ in range(ORDER_PAIRS)]
    pairs = np.stack([(_added(worth_of, order) + _added(worth_of, order[::-1])) / 2 for order in orders])
    return pairs.mean(0), pairs[:, :, 0].std(0, ddof=1) / math.sqrt(len(pairs))


def _exact(worth_of: Worth, player: int, players: int) -> Float[np.ndarray, " draw"]:
    teammates = [mate for mate in range(players) if mate != player]
    # of all orders, the share in which just this team comes before the player
    weighted = [
        (worth_of((*team, player)) - worth_of(team)) / (players * math.comb(len(teammates), size))
        for size in range(players)
        for team in combinations(teammates, size)
    ]
    return np.sum(weighted, axis=0)


def _added(worth_of: Worth, order: np.ndarray) -> Float[np.ndarray, "player draw"]:
    """What each player adds to those before it."""
    along = np.stack([worth_of(order[:size].tolist()) for size in range(len(order) + 1)])
    added = np.empty((len(order), along.shape[1]))
    added[order] = np.diff(along, axis=0)
    return added
