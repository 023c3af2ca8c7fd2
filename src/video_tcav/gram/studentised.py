"""Studentised difference of the mean responses of concept and random clips, cluster-robust and corrected for skewness."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.design import Design
from video_tcav.gram.skewness import without_skewness

_FEWEST_GROUPS = 2
"""On each side of a part of the design: of fewer there is no variance between groups."""
_FLOOR = 1e-4
"""Standard errors are at least so much of the pooled one. Smaller ones come of rounding, or of clips that are all the same."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Difference of the mean responses of concept and random clips, for each labelling.

    Attributes:
        difference: in groups of both kinds that of the clips within them, averaged.
        error: its standard error, cluster-robust over groups, for this labelling.
        skewness: of the difference's distribution, likewise.
        sides: what the variance consists of: that of concept clips, of random clips, and of differences within groups.
    """

    difference: Float[np.ndarray, "draw response"]
    error: Float[np.ndarray, "draw response"]
    skewness: Float[np.ndarray, "draw response"]
    sides: tuple["Side", ...]

    def variances(self, response: int) -> tuple[tuple[float, int], ...]:
        """Of one response under the first labelling, the variance of each side and how many groups it comes from."""
        return tuple((float(side.variance[0, response]), side.groups) for side in self.sides)

    def statistic(self, sizes: Float[np.ndarray, "draw response"] | None = None) -> Float[np.ndarray, "draw response"]:
        """The studentised difference (or other sizes over the same errors), corrected for skewness.

        Without the correction, sets of unlike skewness give too many false alarms: lognormal against normal, 20 against 60
        groups, 11 % in place of 8 %.
        """
        values = self.difference if sizes is None else sizes
        t = np.divide(values, self.error, out=np.zeros_like(values), where=self.error > 0)
        return without_skewness(t, self.skewness)


@dataclass(frozen=True, kw_only=True)
class Side:
    """A part of the variance that is due to some groups, and how many these are."""

    variance: Float[np.ndarray, "draw response"]
    groups: int


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The contrast within a part of the design: its concept clips, and difference, variances and third cumulant."""

    n_concept: int
    difference: Float[np.ndarray, "draw response"]
    sides: tuple[Side, ...]
    third: Float[np.ndarray, "draw response"]


def contrast(
    design: Design, responses: Float[np.ndarray, "row response"], labels: Bool[np.ndarray, "draw row"]
) -> Contrast:
    """Contrast responses of clips under labellings that the design's permutations can give.

    Where groups are of one kind, the difference is that of the means of all clips, with the variance of group totals on
    each side (Liang and Zeger 1986, with G / (G − 1)). In groups of both kinds it is the average of the differences within
    groups, which are independent of each other. Where there are groups of both sorts, each part counts by its concept clips.

    Args:
        design: groups of the rows.
        responses: one or several responses of each clip, such as its activation along the mean class gradient.
        labels: which clips count as concept clips, one labelling a row.
    """
    centred = responses - responses.mean(0)
    compare = {"pure": _pure, "mixed": _mixed}
    parts = [compare[part](design, rows, centred[rows], labels[:, rows]) for part, rows in _parts(design).items()]
    n_concept = sum(part.n_concept for part in parts)
    shares = [part.n_concept / n_concept for part in parts]
    difference = sum(share * part.difference for share, part in zip(shares, parts, strict=True))
    sides = tuple(
        Side(variance=share**2 * side.variance, groups=side.groups)
        for share, part in zip(shares, parts, strict=True)
        for side in part.sides
    )
    variance = sum(side.variance for side in sides)
    third = sum(share**3 * part.third for share, part in zip(shares, parts, strict=True))
    pooled = centred.var(0) * (1 / design.labels.sum() + 1 / (~design.labels).sum())
    error = np.sqrt(np.maximum(variance, _FLOOR**2 * pooled))
    skewness = np.divide(third, error**3, out=np.zeros_like(error), where=error > 0)
    return Contrast(difference=np.asarray(difference), error=error, skewness=skewness, sides=sides)


def contrast_weights(design: Design, labels: Bool[np.ndarray, "draw row"]) -> Float[np.ndarray, "draw row"]:
    """Weight of each clip in `Contrast.difference`; zero for groups that are not compared."""
    weights = np.zeros(labels.shape)
    n_concept = {}
    for part, rows in _parts(design).items():
        is_concept = labels[:, rows]
        group_of = (
            np.zeros(len(rows), dtype=int) if part == "pure" else np.unique(design.groups[rows], return_inverse=True)[1]
        )
        member = np.eye(group_of.max() + 1)[group_of]
        concept = is_concept @ member
        random = member.sum(0) - concept
        precision = _precision(concept, random)
        share = np.where(is_concept, (precision / concept)[:, group_of], -(precision / random)[:, group_of])
        n_concept[part] = int(design.labels[rows].sum())
        weights[:, rows] = share * n_concept[part]
    return weights / sum(n_concept.values())


def _parts(design: Design) -> dict[str, Int[np.ndarray, " row"]]:
    """Rows of the parts that can be compared: groups of one kind (`pure`), and groups that hold both (`mixed`)."""
    mixed, concept, random = design.strata
    members = {}
    if min(len(concept), len(random)) >= _FEWEST_GROUPS:
        members["pure"] = np.concatenate([concept, random])
    if len(mixed) >= _FEWEST_GROUPS:
        members["mixed"] = mixed
    return {part: np.flatnonzero(np.isin(design.groups, groups)) for part, groups in members.items()}


def _pure(design: Design, rows: np.ndarray, responses: np.ndarray, labels: np.ndarray) -> _Part:
    """Difference of means over groups of one kind; whole groups carry a label."""
    _, concept, random = design.strata
    _, first, group_of = np.unique(design.groups[rows], return_index=True, return_inverse=True)
    sums, sizes = _group_sums(responses, group_of)
    is_concept = labels[:, first].astype(float)
    # moments of S − n·m over the groups of a side, expanded in m: one product for all labellings
    columns = np.concatenate(
        [sizes, sizes**2, sizes**3, sums, sums * sizes, sums * sizes**2, sums**2, sums**2 * sizes, sums**3], axis=1
    )
    of_concept = is_concept @ columns
    concept_mean, concept_variance, concept_third = _moments(of_concept, len(concept))
    random_mean, random_variance, random_third = _moments(columns.sum(0) - of_concept, len(random))
    return _Part(
        n_concept=int(design.labels[rows].sum()),
        difference=concept_mean - random_mean,
        sides=(
            Side(variance=concept_variance, groups=len(concept)),
            Side(variance=random_variance, groups=len(random)),
        ),
        third=concept_third - random_third,
    )


def _moments(sums: Float[np.ndarray, "draw column"], groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of a side's clips, and variance and third cumulant of it, from sums of powers over its groups."""
    n, nn, nnn = (sums[:, [power]] for power in range(3))
    s, sn, snn, ss, ssn, sss = np.split(sums[:, 3:], 6, axis=1)
    mean = s / n
    scatter = np.maximum(ss - 2 * mean * sn + mean**2 * nn, 0.0)
    cubes = sss - 3 * mean * ssn + 3 * mean**2 * snn - mean**3 * nnn
    return mean, scatter / n**2 * _unbiased(groups)[0], cubes / n**3 * _unbiased(groups)[1]


def _unbiased(groups: int) -> tuple[float, float]:
    """Factors of second and third sample moments; two groups say nothing of a third one."""
    second = groups / (groups - 1)
    return second, second * groups / (groups - 2) if groups > 2 else 0.0


def _mixed(design: Design, rows: np.ndarray, responses: np.ndarray, labels: np.ndarray) -> _Part:
    """Average difference within groups of both kinds, each weighted by the precision that its numbers of clips give."""
    groups = len(design.strata.mixed)
    _, group_of = np.unique(design.groups[rows], return_inverse=True)
    sums, sizes = _group_sums(responses, group_of)
    member = np.eye(groups)[group_of]
    is_concept = labels.astype(float)
    n_concept = is_concept @ member
    n_random = sizes[:, 0] - n_concept
    weights = _precision(n_concept, n_random)
    moments = []
    for response, total in zip(responses.T, sums.T, strict=True):
        concept_total = is_concept @ (member * response[:, None])
        within = concept_total / n_concept - (total - concept_total) / n_random
        difference = (weights * within).sum(1, keepdims=True)
        parts = weights * (within - difference)
        moments.append(
            (difference[:, 0], (parts**2).sum(1) * _unbiased(groups)[0], (parts**3).sum(1) * _unbiased(groups)[1])
        )
    differences, variances, thirds = (np.stack(columns, axis=1) for columns in zip(*moments, strict=True))
    n_labelled = int(design.labels[rows].sum())
    return _Part(
        n_concept=n_labelled, difference=differences, sides=(Side(variance=variances, groups=groups),), third=thirds
    )


def _precision(
    n_concept: Float[np.ndarray, "draw group"], n_random: Float[np.ndarray, "draw group"]
) -> Float[np.ndarray, "draw group"]:
    """Weights of groups by the precision of a difference of so many clips; they add up to one."""
    precision = n_concept * n_random / (n_concept + n_random)
    return precision / precision.sum(1, keepdims=True)


def _group_sums(
    responses: Float[np.ndarray, "row response"], group_of: Int[np.ndarray, " row"]
) -> tuple[Float[np.ndarray, "group response"], Float[np.ndarray, "group 1"]]:
    """Sums of the responses of each group, and its number of rows."""
    sizes = np.bincount(group_of).astype(float)
    return np.stack([np.bincount(group_of, response) for response in responses.T], axis=1), sizes[:, None]
