"""TCAV statistics from NumPy arrays: activations and gradients, or their inner products, without a model or a video."""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from video_tcav.core.checks import at_least, require
from video_tcav.core.errors import NonFiniteError, ShapeError
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.concept_test import ConceptStatistics, Draws, TestSettings, fit_concept
from video_tcav.gram.design import Design, check_design, numbering
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import FactoredKernel
from video_tcav.gram.significance.significance_test import SignificanceTest

_BLOCK_VALUES = 2**21
"""Values of a block of columns that is converted to float64 at once: 16 MB."""


@dataclass(frozen=True, kw_only=True)
class ConceptMeasurement(ConceptStatistics):
    """The statistics of one concept, and what is behind them.

    Attributes:
        directional_derivatives: gradient · unit CAV at each class clip.
        draws: effects at each class clip, under permuted labels and in resamples.
    """

    directional_derivatives: Float[np.ndarray, " class_clip"]
    draws: Draws


def gram_matrices(activations: Float[np.ndarray, "clip ..."], gradients: Float[np.ndarray, "class_clip ..."]) -> Gram:
    """K and C of a layer: inner products of activations, taken from their mean, with each other and with gradients.

    Args:
        activations: of concept and random clips, one row a clip; further dimensions are flattened.
        gradients: of the target by the same layer's activation, one row a class clip.

    Raises:
        ShapeError: if there is no clip, or the two differ in their features.
        NonFiniteError: if a value is NaN or infinite.
    """
    rows, class_rows = _matrix("activations", activations), _matrix("gradients", gradients)
    if rows.shape[1] != class_rows.shape[1]:
        raise ShapeError(
            f"`gradients` must have as many features as `activations`. Got {class_rows.shape[1]} and {rows.shape[1]}. "
            "Take both at the same layer."
        )
    kernel, cross = np.zeros((len(rows), len(rows))), np.zeros((len(class_rows), len(rows)))
    width = max(1, _BLOCK_VALUES // (len(rows) + len(class_rows)))
    for start in range(0, rows.shape[1], width):  # blocks: a float64 copy of a whole layer might not fit
        block = rows[:, start : start + width].astype(np.float64)
        block -= block.mean(0)
        kernel += block @ block.T
        cross += class_rows[:, start : start + width].astype(np.float64) @ block.T
    return Gram(kernel=kernel, cross=cross)


def make_design(
    labels: ArrayLike, groups: Sequence[Hashable] | None = None, units: Sequence[Hashable] | None = None
) -> Design:
    """Which clips show the concept, and which belong together.

    Args:
        labels: true for a concept clip, false for a random clip.
        groups: what is independent, such as the video of each clip or the person in it; each clip by itself if not given.
        units: what carries a label as a whole, such as the video where a group is a person; each clip by itself if not given.

    Raises:
        InputError: if there are fewer than three clips or groups of a kind, or no label could be exchanged.
        ShapeError: if the lengths differ.
    """
    is_concept = np.asarray(labels)
    is_list = is_concept.ndim == 1 and bool(np.isin(is_concept, (0, 1)).all())
    shape = f"shape {is_concept.shape} of {is_concept.dtype}"
    require(is_list, "labels", "be a list of true (concept) and false (random)", shape, "Give one a clip.")
    unit_of, group_of = (_numbers(name, ids, len(is_concept)) for name, ids in (("units", units), ("groups", groups)))
    design = Design(
        labels=is_concept.astype(bool),
        units=unit_of,
        groups=group_of,
        n_units=int(unit_of.max(initial=-1)) + 1,
        n_groups_total=int(group_of.max(initial=-1)) + 1,
    )
    check_design(design, "clips", "random clips")
    return design


def measure_concept(
    gram: Gram,
    labels: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    units: Sequence[Hashable] | None = None,
    class_groups: Sequence[Hashable] | None = None,
    cav: str | CavFitter = "mean",
    significance: str | SignificanceTest = "studentised",
    permutations: int = 9999,
    random_sets: int = 500,
    bootstraps: int = 1000,
    seed: int = 0,
) -> ConceptMeasurement:
    """Test one concept at one layer: what `run_tcav` computes for it, with the same numbers.

    Args:
        gram: from `gram_matrices`, or `Gram(kernel=K, cross=C)` from inner products of your own; any origin will do.
        labels: true for a concept clip, false for a random clip, in the order of K's rows.
        groups: what is independent, such as the video of each clip; each clip by itself if not given.
        units: what carries a label as a whole, where groups hold clips of both kinds; each clip by itself if not given.
        class_groups: what is independent among class clips; each clip by itself if not given.
        cav: `mean`, `ridge`, `logistic`, `svm`, another registered kind, or a `CavFitter`.
        significance: `studentised`, `permutation`, `ttest`, another registered test, or a `SignificanceTest`.
        permutations: label permutations, and at most 999 of them for `represented`.
        random_sets: random sets for the spread of the TCAV score, and for the t-test.
        bootstraps: resamples for the 95 % interval of the effect.
        seed: of every random draw. Calls for several layers share their permutations, as `adjust(…, "maxt")` needs.

    Returns:
        Effect, interval, p-value (for one test alone, see `adjust`), TCAV score and AUC of the CAV.

    Raises:
        ShapeError: if shapes do not fit each other.
        NonFiniteError: if a value is NaN or infinite.
        InputError: if there are too few clips or groups of a kind, or a setting cannot be used.
        ConvergenceError: if a classifier did not converge.
    """
    design = make_design(labels, groups, units)
    _check_gram(gram, len(design.labels))
    settings = TestSettings(
        cav=cav,
        significance=significance,
        permutations=at_least("permutations", permutations, 1),
        random_sets=at_least("random_sets", random_sets, 2),
        bootstraps=at_least("bootstraps", bootstraps, 2),
        seed=at_least("seed", seed, 0),
    )
    # numbered in order of first appearance, as a run numbers its videos: the same clips get the same random numbers
    class_numbers = _numbers("class_groups", class_groups, len(gram.cross))
    fit = fit_concept({"": gram}, design, class_numbers.tolist(), settings)[""]
    return ConceptMeasurement(
        **asdict(fit.statistics(design, settings.test)),
        directional_derivatives=fit.slopes,
        draws=fit.kept_draws(),
    )


def _matrix(name: str, values: ArrayLike) -> Float[np.ndarray, "clip feature"]:
    array = np.asarray(values)
    if array.ndim < 2 or not array.size:
        raise ShapeError(
            f"`{name}` must have one row a clip, and at least one of them. Got shape {array.shape}. Stack the clips' values."
        )
    return _finite(name, array.reshape(len(array), -1))


def _finite(name: str, values: ArrayLike) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise NonFiniteError(
            f"`{name}` must hold finite numbers. Got {array.dtype} with NaN, infinity or text. Remove it."
        )
    return array


def _check_gram(gram: Gram, clips: int) -> None:
    """Refuse inner products that do not fit the labels or each other."""
    shape = (len(gram.kernel),) * 2 if isinstance(gram.kernel, FactoredKernel) else np.shape(gram.kernel)
    cross = _finite("cross", gram.cross)
    if shape != (clips, clips) or cross.ndim != 2 or cross.shape[1] != clips or not len(cross):
        raise ShapeError(
            f"`gram` must have K of {clips} × {clips} and C of class clips × {clips}, as there are {clips} labels. Got "
            f"{shape} and {cross.shape}. Leave out the clips that have no label."
        )
    kernel = _finite("kernel", gram.kernel.factor if isinstance(gram.kernel, FactoredKernel) else gram.kernel)
    symmetric = isinstance(gram.kernel, FactoredKernel) or np.allclose(kernel, kernel.T, rtol=1e-6)
    require(symmetric, "gram", "have a symmetric K", "another matrix", "Give inner products of all pairs of clips.")


def _numbers(name: str, ids: Sequence[Hashable] | None, clips: int) -> np.ndarray:
    """Number what belongs together, in order of first appearance."""
    if ids is None:
        return np.arange(clips)
    if len(ids) != clips:
        raise ShapeError(f"`{name}` must name one a clip, of {clips} clips. Got {len(ids)}. Give as many.")
    numbers = numbering(list(ids))
    return np.asarray([numbers[each] for each in ids], dtype=int)
