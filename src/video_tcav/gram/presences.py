"""Presences: each clip's projection on CAVs that were learned without its group, for concepts and for permuted labels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.design import Design
from video_tcav.gram.effects import fit_cavs
from video_tcav.gram.kernel import Kernel, kernel_of, unit_coefficients

NO_FOLD = -1
"""Fold of a clip whose group is in no fold: no CAV was learned from it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparedClips:
    """One concept's clips and their negatives among all clips.

    Attributes:
        design: their labels and groups, which are numbered as those of all clips.
        rows: which of all clips they are, in the design's order.
    """

    design: Design
    rows: Int[np.ndarray, " row"]


def held_out_projections(
    cav: str | CavFitter,
    kernel: Kernel,
    labels: Bool[np.ndarray, " row"],
    folds: Int[np.ndarray, " row"],
    *,
    rows: Int[np.ndarray, " row"] | None = None,
    fold_of: Int[np.ndarray, " clip"] | None = None,
) -> Float[np.ndarray, " clip"]:
    """Each clip's projection on the unit CAV of the other folds, from half-way between their concept and random means.

    Args:
        cav: how CAVs are learned.
        kernel: K of all clips to project.
        labels: of the comparison's clips.
        folds: of the comparison's clips.
        rows: which clips of K these are; all of them, in order, if not given.
        fold_of: for each clip of K the fold that holds its group, or `NO_FOLD`: then its projections on the CAVs of all folds
            are averaged. As `folds` if not given.
    """
    rows = np.arange(len(labels)) if rows is None else rows
    names, numbers = np.unique(folds, return_inverse=True)
    # one row a fold: all folds are fitted as draws of one labelling
    training = (numbers != np.arange(len(names))[:, None]).astype(float)
    compared = kernel_of(kernel, rows)
    fitted = fit_cavs(cav, compared, np.broadcast_to(labels, training.shape), training)
    units = np.zeros((len(names), len(kernel)))
    units[:, rows] = unit_coefficients(compared, fitted)
    projections = units @ kernel
    positive, negative = training * labels, training * ~labels
    # thresholds of the folds differ; measured from them, projections of different folds can stand in one list
    middle = (projections[:, rows] * (positive / positive.sum(1, keepdims=True))).sum(1)
    middle = (middle + (projections[:, rows] * (negative / negative.sum(1, keepdims=True))).sum(1)) / 2
    projections -= middle[:, None]
    folds_of_clips = folds if fold_of is None else fold_of
    # of each clip the projection from the fold that left it out
    held_out = projections[np.searchsorted(names, folds_of_clips), np.arange(len(kernel))]
    return np.where(folds_of_clips == NO_FOLD, projections.mean(0), held_out)


def presences_of(
    cav: str | CavFitter,
    kernel: Kernel,
    groups: Int[np.ndarray, " clip"],
    concepts: Mapping[str, ComparedClips],
    labellings: Iterable[tuple[Bool[np.ndarray, " row"], Int[np.ndarray, " row"]]],
) -> Float[np.ndarray, "clip concept"]:
    """Of each concept in each clip, given labels and folds of each concept's clips."""
    columns = []
    for compared, (labels, folds) in zip(concepts.values(), labellings, strict=True):
        fold_of = np.full(max(int(groups.max()) + 1, compared.design.n_groups_total), NO_FOLD)
        fold_of[compared.design.groups] = folds
        columns.append(held_out_projections(cav, kernel, labels, folds, rows=compared.rows, fold_of=fold_of[groups]))
    return np.stack(columns, axis=1)


def relabelled_presences(
    cav: str | CavFitter,
    kernel: Kernel,
    groups: Int[np.ndarray, " clip"],
    concepts: Mapping[str, ComparedClips],
    relabellings: int,
    seed: int,
) -> Iterator[Float[np.ndarray, "clip concept"]]:
    """The same for concepts whose labels were permuted."""
    permuted = []
    for number, compared in enumerate(concepts.values()):
        # comparisons share their permutations draw by draw, and would all be relabelled alike: each gets draws of its own
        first, draws = number * relabellings, (number + 1) * relabellings
        chunks = compared.design.permuted_experiments(draws, seed)
        experiments = (pair for chunk in chunks for pair in zip(chunk.labels, chunk.folds, strict=True))
        permuted.append(islice(experiments, first, draws))
    for labellings in zip(*permuted, strict=True):
        yield presences_of(cav, kernel, groups, concepts, labellings)
