"""Agreement of predicted with true changes: rank correlation and share of right signs, with intervals over groups and edits.

Two things vary: which clips were edited, and which edits were made. Groups of clips are resampled, truth and prediction
together. The few edits are taken as a sample, too: each draw's share of right signs is drawn again from a beta distribution
(Jeffreys' prior), and its rank correlation from a normal one on Fisher's scale. Without that, 6 of 8 right signs that no
resampling of clips can change would have no interval at all.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from video_tcav.core import random_streams
from video_tcav.gram.design import bootstrap_weights
from video_tcav.gram.resampling import few_groups, percentile_interval

_RANK_VARIANCE = 1.06
"""Of Spearman's correlation on Fisher's scale, times n − 3 (Fieller, Hartley & Pearson 1957)."""
_LARGEST_RANK = 1 - 1e-9  # a perfect rank has no finite place on Fisher's scale
CHANCE_SIGNS, CHANCE_RANK = 0.5, 0.0


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far predictions agree with truths.

    Attributes:
        right: edits whose sign was predicted, among those of a truth beyond the threshold.
        counted: how many these are.
        signs_low: lower end of the 95 % interval of the share of right signs.
        signs_high: upper end.
        rank: Spearman's correlation over all edits; 0 where truths or predictions are all alike.
        rank_low: lower end of its 95 % interval.
        rank_high: upper end.
    """

    right: int
    counted: int
    signs_low: float
    signs_high: float
    rank: float
    rank_low: float
    rank_high: float

    @property
    def is_above_chance(self) -> bool:
        """Whether both intervals lie above what guessing gives: half of the signs, and no correlation.

        Signs alone would praise a guess: most edits lower a class that the model is right about, and "lowers" is then right
        each time. Ranks alone would not see a wrong sign.
        """
        return self.counted > 0 and self.signs_low > CHANCE_SIGNS and self.rank_low > CHANCE_RANK

    @property
    def looks_like_chance(self) -> bool:
        """Whether the figures themselves, not only their intervals, are as guessing gives them."""
        return self.counted == 0 or self.right <= CHANCE_SIGNS * self.counted or self.rank <= CHANCE_RANK


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupedClips:
    """Weights of clips in bootstrap draws of their groups, of which there must be 2 or more; each draw's weights add up to 1.

    Attributes:
        group_of: number of each clip's group.
        weights: of each clip in each draw.
    """

    group_of: Int[np.ndarray, " clip"]
    weights: Float[np.ndarray, "draw clip"]

    @classmethod
    def draw(
        cls,
        group_of: Int[np.ndarray, " clip"],
        draws: int,
        seed: int,
        *,
        stream: int = random_streams.EDITED_BOOTSTRAP,
    ) -> "GroupedClips":
        """Draws for clips of these groups; a group has the same weights in every set of clips that it is part of."""
        numbers, positions = np.unique(group_of, return_inverse=True)
        chunks = bootstrap_weights(numbers, draws, seed, stream)
        return cls(group_of=group_of, weights=_normalised(np.concatenate(list(chunks))[:, positions]))

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(np.unique(self.group_of))

    def first(self, clips: int) -> "GroupedClips":
        """The same draws for the first clips alone."""
        return GroupedClips(group_of=self.group_of[:clips], weights=_normalised(self.weights[:, :clips]))

    def subset(self, clips: Bool[np.ndarray, " clip"]) -> "GroupedClips":
        """The same draws for some clips alone."""
        return GroupedClips(group_of=self.group_of[clips], weights=_normalised(self.weights[:, clips]))

    def means(self, values: Float[np.ndarray, "clip edit"]) -> Float[np.ndarray, "draw edit"]:
        """Mean of the clips' values in each draw."""
        return self.weights @ values


def spread(
    values: Float[np.ndarray, " edit"], draws: Float[np.ndarray, "draw edit"], groups: int
) -> Float[np.ndarray, "draw edit"]:
    """Draws around values, spread as far as these vary with so few groups."""
    return values + (draws - values) * few_groups(groups)


def spread_around(value: float, draws: Float[np.ndarray, " draw"], groups: int) -> Float[np.ndarray, " draw"]:
    """`spread` of a single number."""
    return spread(np.asarray([value]), draws[:, None], groups)[:, 0]


def _normalised(weights: Float[np.ndarray, "draw clip"]) -> Float[np.ndarray, "draw clip"]:
    return weights / weights.sum(1, keepdims=True)


def agreement(
    truth: Float[np.ndarray, " edit"],
    prediction: Float[np.ndarray, " edit"],
    truth_draws: Float[np.ndarray, "draw edit"],
    prediction_draws: Float[np.ndarray, "draw edit"],
    *,
    threshold: float,
    seed: int,
) -> Agreement:
    """Agreement of predictions with truths.

    Args:
        truth: change of the target by each edit.
        prediction: what an estimator says it is.
        truth_draws: the same in bootstrap draws of groups, see `spread`.
        prediction_draws: in the same draws.
        threshold: signs of smaller truths are not counted.
        seed: of the draws of edits.
    """
    generator = np.random.default_rng([seed, random_streams.SAMPLED_EDITS])
    right, counted = right_signs(truth_draws, prediction_draws, threshold)
    signs = generator.beta(right + 0.5, counted - right + 0.5)
    ranks = rank_correlations(truth_draws, prediction_draws)
    edits, noise = len(truth), generator.standard_normal(len(ranks))
    deviation = math.sqrt(_RANK_VARIANCE / (edits - 3)) if edits > 3 else math.inf
    on_fishers_scale = np.arctanh(np.clip(ranks, -_LARGEST_RANK, _LARGEST_RANK)) + noise * deviation
    observed_right, observed_counted = right_signs(truth[None], prediction[None], threshold)
    signs_low, signs_high = percentile_interval(signs)
    rank_low, rank_high = percentile_interval(np.tanh(on_fishers_scale))
    return Agreement(
        right=int(observed_right[0]),
        counted=int(observed_counted[0]),
        signs_low=signs_low,
        signs_high=signs_high,
        rank=float(rank_correlations(truth[None], prediction[None])[0]),
        rank_low=rank_low,
        rank_high=rank_high,
    )


def right_signs(
    truth: Float[np.ndarray, "draw edit"], prediction: Float[np.ndarray, "draw edit"], threshold: float
) -> tuple[Int[np.ndarray, " draw"], Int[np.ndarray, " draw"]]:
    """How many signs are right in each draw, and of how many edits: those of a truth beyond the threshold."""
    counted = np.abs(truth) > threshold
    return (counted & (np.sign(truth) == np.sign(prediction))).sum(1), counted.sum(1)


def rank_correlations(
    truth: Float[np.ndarray, "draw edit"], prediction: Float[np.ndarray, "draw edit"]
) -> Float[np.ndarray, " draw"]:
    """Spearman's rank correlation in each draw; 0 where truths or predictions are all alike."""
    first, second = (stats.rankdata(values, axis=1) - (values.shape[1] + 1) / 2 for values in (truth, prediction))
    lengths = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), lengths, out=np.zeros(len(lengths)), where=lengths > 0)
