"""Completeness: how much of a target's value over held-out clips some concepts explain together, and each one's share.

A clip's *presence* of a concept is its projection on the concept's CAV, learned without the clip's group. The values are
regressed on the presences, out of fold by groups. `R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²`, where ȳ, too, is the mean of the other
folds: R² is 0 for concepts that say nothing, and below 0 where they mislead.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from video_tcav.core import random_streams
from video_tcav.core.checks import at_least, require
from video_tcav.core.errors import ShapeError
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.design import Design, check_design, numbering
from video_tcav.gram.kernel import Kernel
from video_tcav.gram.presences import ComparedClips, presences_of, relabelled_presences
from video_tcav.gram.regressand import Explained, Regressand
from video_tcav.gram.shapley import shapley_values

MOST_RELABELLED = 0.95
"""Quantile of what relabelled concepts explain."""


@dataclass(frozen=True, kw_only=True)
class ConceptShare(Explained):
    """The Shapley share of one concept: what it adds, on average over all orders in which concepts could be added.

    Attributes:
        sampling_error: standard error from drawing some of the orders; 0 where all were used.
    """

    sampling_error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Completeness:
    """How much of the target's variance over held-out clips is explained.

    Attributes:
        concepts: by the presences of all concepts, R².
        shares: of each concept, by its name; they add up to that R².
        relabelled: R² of concepts whose labels were permuted, on average.
        relabelled_high: 95th percentile of it.
        all_directions: R² of a kernel ridge on all directions of the layer, as far as so many clips tell them.
        predicted: each clip's value as the other folds' regression on presences predicts it; NaN where no value was given.
        n_clips: clips with a value.
        n_groups: independent groups of them.
    """

    concepts: Explained
    shares: Mapping[str, ConceptShare]
    relabelled: float
    relabelled_high: float
    all_directions: float
    predicted: Float[np.ndarray, " clip"]
    n_clips: int
    n_groups: int


def measure_completeness(
    kernel: Kernel,
    values: ArrayLike,
    labels: Mapping[str, ArrayLike],
    *,
    groups: Sequence[Hashable] | None = None,
    cav: str | CavFitter = "mean",
    relabellings: int = 40,
    bootstraps: int = 200,
    seed: int = 0,
) -> Completeness:
    """How much of a value over held-out clips some concepts explain, from inner products alone.

    Args:
        kernel: K, inner products of the activations of all clips at a layer, such as `gram_matrices(…).kernel`.
        values: the target's value of each clip, such as the log-odds that the model gives it; NaN where it is not known.
        labels: by name of the concept, for each clip 1 where it shows the concept, 0 where it is one of its random clips, and
            −1 where it is neither.
        groups: what is independent, such as the video of each clip; each clip by itself if not given.
        cav: how CAVs are learned, as for `measure_concept`.
        relabellings: how often the labels of all concepts are permuted, to see what meaningless concepts explain.
        bootstraps: resamples of groups for the intervals; regressions are learned anew in each, CAVs are not.
        seed: of every random draw.

    Raises:
        ShapeError: if shapes do not fit each other.
        InputError: if there are fewer than 20 clips with a value or 5 groups of them, their values are all the same, or a
            concept has too few clips.
        ConvergenceError: if a classifier did not converge.

    Source:
        Yeh et al. 2020, arXiv:1910.07969, for completeness and Shapley shares of concepts; there of accuracy.
    """
    clip_values = np.asarray(values, dtype=float)
    clips = len(kernel)
    if clip_values.shape != (clips,) or (groups is not None and len(groups) != clips):
        raise ShapeError(
            f"`values` and `groups` must have one a clip, of {clips} clips. Got {clip_values.shape} and "
            f"{clips if groups is None else len(groups)}. Give as many, NaN where a value is not known."
        )
    numbers = numbering(range(clips) if groups is None else groups)
    group_of = np.asarray([numbers[group] for group in (range(clips) if groups is None else groups)], dtype=int)
    require(len(labels) > 0, "labels", "name a concept", "none", "Give the labels of one at least.")
    compared = {name: _compared(name, np.asarray(each), group_of) for name, each in labels.items()}
    return completeness(
        kernel,
        clip_values,
        group_of,
        compared,
        cav=cav,
        relabellings=at_least("relabellings", relabellings, 2),
        bootstraps=at_least("bootstraps", bootstraps, 2),
        seed=at_least("seed", seed, 0),
    )


def _compared(name: str, labels: np.ndarray, group_of: Int[np.ndarray, " clip"]) -> ComparedClips:
    if labels.shape != group_of.shape or not np.isin(labels, (-1, 0, 1)).all():
        raise ShapeError(
            f"`labels` must give 1, 0 or −1 for each of {len(group_of)} clips. Got others for {name}. See the documentation."
        )
    rows = np.flatnonzero(labels >= 0)
    design = Design(
        labels=labels[rows] == 1,
        units=rows,
        groups=group_of[rows],
        n_units=len(labels),
        n_groups_total=int(group_of.max()) + 1,
    )
    check_design(design, name, "random clips")
    return ComparedClips(design=design, rows=rows)


def completeness(
    kernel: Kernel,
    values: Float[np.ndarray, " clip"],
    groups: Int[np.ndarray, " clip"],
    concepts: Mapping[str, ComparedClips],
    *,
    cav: str | CavFitter,
    relabellings: int = 40,
    bootstraps: int = 200,
    seed: int,
) -> Completeness:
    """As `measure_completeness`, of comparisons that are laid out already; `groups` are numbers."""
    regressand = Regressand.of(values, groups, bootstraps, seed)
    labellings = [(each.design.labels, each.design.folds(seed)) for each in concepts.values()]
    presences = presences_of(cav, kernel, groups, concepts, labellings)
    meaningless = relabelled_presences(cav, kernel, groups, concepts, relabellings, seed)
    return _explained(regressand, kernel, tuple(concepts), presences, meaningless, seed)


def completeness_of_presences(
    kernel: Kernel,
    values: Float[np.ndarray, " clip"],
    groups: Int[np.ndarray, " clip"],
    presences: Mapping[str, Float[np.ndarray, " clip"]],
    *,
    exchanges: int = 40,
    bootstraps: int = 200,
    seed: int,
) -> Completeness:
    """As `measure_completeness`, where it is known how much of each concept every clip has.

    Meaningless concepts have the same presences in clips of other groups: all presences of a clip go together, so that what
    concepts have in common stays.

    Args:
        kernel: K of the clips.
        values: of the target; NaN where it is not known.
        groups: number of each clip's group.
        presences: by name of the concept, learned from other clips.
        exchanges: how often presences go to other groups.
        bootstraps: resamples of groups.
        seed: of every random draw.

    Raises:
        InputError: if too few clips or groups have a value, or all have the same.
    """
    regressand = Regressand.of(values, groups, bootstraps, seed)
    columns = np.stack(list(presences.values()), axis=1)
    generator = np.random.default_rng([seed, random_streams.EXCHANGED_PRESENCES])
    valued = regressand.clips  # whose presences alone count
    exchanged = (_exchanged(columns, valued, groups, generator) for _ in range(exchanges))
    return _explained(regressand, kernel, tuple(presences), columns, exchanged, seed)


def _exchanged(
    columns: Float[np.ndarray, "clip concept"],
    clips: Int[np.ndarray, " valued"],
    groups: Int[np.ndarray, " clip"],
    generator: np.random.Generator,
) -> Float[np.ndarray, "clip concept"]:
    """Presences of each group in the clips of another one: clips of one video have much the same, and would be told too well."""
    exchanged = columns.copy()
    names = np.unique(groups[clips])
    for name, other in zip(names, generator.permutation(names), strict=True):
        into, origin = clips[groups[clips] == name], generator.permutation(clips[groups[clips] == other])
        exchanged[into] = columns[
            np.resize(origin, len(into))
        ]  # some twice, or not at all, where groups differ in size
    return exchanged


def _explained(
    regressand: Regressand,
    kernel: Kernel,
    names: Sequence[str],
    presences: Float[np.ndarray, "clip concept"],
    meaningless: Iterable[Float[np.ndarray, "clip concept"]],
    seed: int,
) -> Completeness:
    """What presences explain, beside those of meaningless concepts and all directions of the layer."""
    ridge, everything = regressand.ridge(presences), range(len(names))
    shares, errors = shapley_values(lambda team: regressand.shares(ridge.squared_errors(team)), len(names), seed=seed)
    # one draw is enough: it is their spread over labels that counts
    clips_alone = replace(regressand, weights=regressand.weights[:1])
    relabelled = [clips_alone.shares(clips_alone.ridge(drawn).squared_errors(everything))[0] for drawn in meaningless]
    return Completeness(
        concepts=regressand.explained(regressand.shares(ridge.squared_errors_in_full(everything))),
        shares={
            name: ConceptShare(**vars(regressand.explained(share)), sampling_error=float(error))
            for name, share, error in zip(names, shares, errors, strict=True)
        },
        relabelled=float(np.mean(relabelled)),
        relabelled_high=float(np.quantile(relabelled, MOST_RELABELLED)),
        all_directions=float(clips_alone.shares(regressand.kernel_errors(kernel))[0]),
        predicted=regressand.predictions(ridge, presences),
        n_clips=len(regressand.clips),
        n_groups=len(regressand.names),
    )
