"""Studentised difference of concept and random clips: the mean responses' difference over its cluster-robust standard error."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.design import Design

_FEWEST_GROUPS = 2
"""On each side of a part of the design: of fewer there is no variance between groups."""
_FLOOR = 1e-4
"""Standard errors are at least so much of the pooled one. Smaller ones come of rounding, or of clips that are all the same."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Difference of the mean responses of concept and random clips, and its standard error, for each labelling.

    Attributes:
        difference: in groups of both kinds that of the clips within them, averaged.
        error: cluster-robust over groups, for this labelling.
    """

    difference: Float[np.ndarray, "draw response"]
    error: Float[np.ndarray, "draw response"]


def contrast(
    design: Design, responses: Float[np.ndarray, "row response"], labels: Bool[np.ndarray, "draw row"]
) -> Contrast:
    """Studentise responses of clips under labellings that the design's permutations can give.

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
    total = sum(share for share, _, _ in parts)
    difference = sum(share / total * difference for share, difference, _ in parts)
    variance = sum((share / total) ** 2 * variance for share, _, variance in parts)
    n_concept = design.labels.sum()
    pooled = centred.var(0) * (1 / n_concept + 1 / (len(design.labels) - n_concept))
    error = np.sqrt(np.maximum(variance, _FLOOR**2 * pooled))
    return Contrast(difference=np.asarray(difference), error=np.asarray(error))


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
        precision = concept * random / member.sum(0)
        precision /= precision.sum(1, keepdims=True)
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


Part = tuple[int, Float[np.ndarray, "draw response"], Float[np.ndarray, "draw response"]]
"""Concept clips in it, difference and variance."""


def _pure(design: Design, rows: np.ndarray, responses: np.ndarray, labels: np.ndarray) -> Part:
    """Difference of means over groups of one kind; whole groups carry a label."""
    _, concept, random = design.strata
    _, first, group_of = np.unique(design.groups[rows], return_index=True, return_inverse=True)
    sums, sizes = _group_sums(responses, group_of)
    is_concept = labels[:, first].astype(float)
    # Σ over the groups of a side of (S − n·m)² is ΣS² − 2m·ΣSn + m²·Σn²: one product for all labellings
    columns = np.concatenate([sizes, sizes**2, sums, sums**2, sums * sizes], axis=1)
    of_concept = is_concept @ columns
    sides = []
    for values, groups in ((of_concept, len(concept)), (columns.sum(0) - of_concept, len(random))):
        size, squared_size = values[:, :1], values[:, 1:2]
        total, squared, crossed = np.split(values[:, 2:], 3, axis=1)
        mean = total / size
        scatter = np.maximum(squared - 2 * mean * crossed + mean**2 * squared_size, 0.0)
        sides.append((mean, scatter / size**2 * groups / (groups - 1)))
    (concept_mean, concept_variance), (random_mean, random_variance) = sides
    n_concept = int(design.labels[rows].sum())
    return n_concept, concept_mean - random_mean, concept_variance + random_variance


def _mixed(design: Design, rows: np.ndarray, responses: np.ndarray, labels: np.ndarray) -> Part:
    """Average difference within groups of both kinds, each weighted by the precision that its numbers of clips give."""
    groups = len(design.strata.mixed)
    _, group_of = np.unique(design.groups[rows], return_inverse=True)
    sums, sizes = _group_sums(responses, group_of)
    member = np.eye(groups)[group_of]
    is_concept = labels.astype(float)
    n_concept = is_concept @ member
    n_random = sizes[:, 0] - n_concept
    weights = n_concept * n_random / sizes[:, 0]
    weights /= weights.sum(1, keepdims=True)
    differences, variances = [], []
    for response, total in zip(responses.T, sums.T, strict=True):
        concept_total = is_concept @ (member * response[:, None])
        within = concept_total / n_concept - (total - concept_total) / n_random
        difference = (weights * within).sum(1)
        differences.append(difference)
        variances.append((weights**2 * (within - difference[:, None]) ** 2).sum(1) * groups / (groups - 1))
    return int(design.labels[rows].sum()), np.stack(differences, axis=1), np.stack(variances, axis=1)


def _group_sums(
    responses: Float[np.ndarray, "row response"], group_of: Int[np.ndarray, " row"]
) -> tuple[Float[np.ndarray, "group response"], Float[np.ndarray, "group 1"]]:
    """Sums of the responses of each group, and its number of rows."""
    sizes = np.bincount(group_of).astype(float)
    return np.stack([np.bincount(group_of, response) for response in responses.T], axis=1), sizes[:, None]
