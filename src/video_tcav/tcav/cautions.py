"""Cautions on the results of a run: one line for each thing that makes numbers mean less than they seem to."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from video_tcav.core.limits import shortened
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.significance.registry import significance_test
from video_tcav.gram.significance.significance_test import SignificanceTest
from video_tcav.gram.thresholds import FEW_GROUPS, LEVEL
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.recording import Recording
from video_tcav.recording.sketched_rows import SketchError
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.concept_result import ConceptResult
from video_tcav.tcav.plan import Plan, Question
from video_tcav.tcav.set_cautions import set_cautions
from video_tcav.tcav.wording import comparison_name, effect_text, p_equals

SURE = 0.99
"""Mean probability of the class from which on gradients at its clips are doubted."""
_UNEQUAL_SPREAD = 1.5
"""Ratio of standard deviations from which on it is no matter of few groups: F(9, 60) exceeds its square in 2 % of draws."""
_MOST_NAMES = 3
"""In one line."""
_STILL_CLIPS = {
    "frozen": "clips do not move, so all were frozen to match, and there are no twins.",
    "moving": "clips do not move, and random clips do (--negatives moving): its CAV is also one of not moving.",
}
"""Cautions on comparisons with still clips, by what was done about the negatives."""


def result_cautions(results: Sequence[ConceptResult], *, trained: bool, permutations: int) -> tuple[str, ...]:
    """What the numbers themselves say against believing them.

    Args:
        results: of one run.
        trained: whether the model's weights are known to be random (false).
        permutations: label permutations of the permutation test.
    """
    texts = []
    if not trained:
        texts.append("The model's weights are random: nothing here means anything. Give trained ones with --weights.")
    if warning := significance_test(results[0].significance).warning:
        texts.append(warning)
    comparisons: dict[tuple[str, str], list[ConceptResult]] = {}
    for row in results:
        comparisons.setdefault((row.concept, row.versus), []).append(row)
    texts += [text for rows in comparisons.values() if (text := _unreachable_level(rows[-1], permutations))]
    texts += [text for rows in comparisons.values() if (text := _disagreement(rows))]
    texts += [
        f"{comparison_name(*key)}: {words}"
        for negatives, words in _STILL_CLIPS.items()
        for key, rows in comparisons.items()
        if rows[-1].negatives == negatives
    ]
    texts += [text for rows in comparisons.values() if (text := _unequal_shares(rows))]
    return tuple(dict.fromkeys(texts))


def sketch_cautions(errors: Mapping[str, SketchError]) -> tuple[str, ...]:
    """Layers whose sketch is much further from exact inner products than its bound."""
    return tuple(
        f"{layer}: inner products of sketched rows are off by {error.rms:.1%} in {error.rows} clips, where {error.bound:.1%} was "
        "to be expected. Use a larger --sketch before reading AUCs and magnitudes."
        for layer, error in errors.items()
        if error.rms > 2 * error.bound
    )


def clip_cautions(
    question: Question,
    plan: Plan,
    passed: Recording,
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    class_groups: Sequence[int],
    test: SignificanceTest,
) -> tuple[str, ...]:
    """What the clips say against believing the results.

    Args:
        question: as it was asked.
        plan: made of it.
        passed: everything that was passed, class clips that are left out included.
        comparisons: laid out from it.
        grams: K and C by layer.
        class_groups: group of each class clip that is used.
        test: of significance.
    """
    class_clips: tuple[str, ...] = ()
    if question.at == "class" and plan.target is not None:
        classes, index = passed.model.classes, plan.target.class_index
        class_clips = class_clip_cautions(passed.answers, index, classes, only_right=plan.only_right)
    return (
        *class_clips,
        *spread_cautions(comparisons, grams, test),
        *few_groups_caution(comparisons, len(set(class_groups)), at=question.at),
        *(warning for comparison in comparisons for warning in comparison.warnings),
        *set_cautions(plan, at=question.at, group=question.group),
        *question.left_out(),
    )


def class_clip_cautions(
    answers: Sequence[ClassAnswer], class_index: int, classes: Sequence[str], *, only_right: bool
) -> tuple[str, ...]:
    """Class clips that the model calls another class, and class clips that it is too sure of.

    Args:
        answers: of all class clips, whether they are left out or not.
        class_index: of the explained class.
        classes: their names.
        only_right: whether clips that are called another class are left out.
    """
    wrong = [answer for answer in answers if answer.is_wrong(class_index)]
    texts = []
    if wrong:
        calls = Counter(classes[answer.predicted] for answer in wrong if answer.predicted is not None).most_common()
        # classes that do not exclude each other have no other class in its place
        names = shortened([f"{count} {name}" for name, count in calls], _MOST_NAMES) or "probabilities below 1/2"
        counted = f"the model does not call {len(wrong)} of {len(answers)} {classes[class_index]} ({names})"
        texts.append(
            f"class clips: {counted}; they were left out (--only-right)."
            if only_right
            else f"class clips: {counted}. Gradients there say what would correct it. Leave them out with --only-right."
        )
    used = [answer for answer in answers if not (only_right and answer.is_wrong(class_index))]
    probabilities = [answer.probability for answer in used if answer.probability is not None]
    if probabilities and (mean := float(np.mean(probabilities))) >= SURE:
        shown = f"{mean:.3f}" if mean < 0.9995 else "over 0.999"
        texts.append(
            f"class clips: the model is sure of them (mean probability {shown}), so that gradients there say little: of a "
            "rendered model that is sure, 74 % of own causes are found there, and all at random clips. Use --at random."
        )
    return tuple(texts)


def few_groups_caution(comparisons: Sequence[Comparison], n_class_groups: int, *, at: str) -> tuple[str, ...]:
    """Sides of comparisons with fewer than `FEW_GROUPS` independent groups, all in one line."""
    sides = {"class clips" if at == "class" else "random clips set aside for gradients": n_class_groups}
    for comparison in comparisons:
        sides[comparison.concept] = comparison.design.n_concept_groups
        if comparison.versus == "random":
            n_random_groups = comparison.design.n_random_groups
            sides["random clips"] = min(n_random_groups, sides.get("random clips", n_random_groups))
    few = shortened([f"{count} of {name}" for name, count in sides.items() if count < FEW_GROUPS], _MOST_NAMES)
    if not few:
        return ()
    return (
        f"fewer than ten independent groups ({few}): p-values are coarse, and intervals too narrow where responses are skewed. "
        "Add clips of other videos.",
    )


def spread_cautions(
    comparisons: Sequence[Comparison], grams: Mapping[str, Gram], test: SignificanceTest
) -> tuple[str, ...]:
    """Comparisons whose sets differ in size and in spread, for a test that takes spreads for equal.

    Studentised statistics hold their level there (3–7 % of false alarms at spreads of 0.3 to 3 times each other), so
    that there is nothing to beware of.
    """
    if not test.assumes_equal_spread:
        return ()
    texts = []
    for comparison in comparisons:
        by_layer = {
            layer: _spread_and_alarms(comparison.design, gram.cross[:, comparison.rows["none"]].mean(0))
            for layer, gram in grams.items()
        }
        # the layer whose level is furthest from the nominal one, as a ratio
        layer = max(by_layer, key=lambda name: abs(math.log(by_layer[name][1] / LEVEL)))
        ratio, alarms = by_layer[layer]
        if LEVEL / 2 <= alarms <= 2 * LEVEL or max(ratio, 1 / ratio) < _UNEQUAL_SPREAD:
            continue
        outcome = "false alarms" if alarms > LEVEL else "false alarms, and misses effects"
        n_concept, n_others = comparison.design.n_concept_groups, comparison.design.n_random_groups
        texts.append(
            f"{comparison_name(comparison.concept, comparison.versus)}: responses to its clips spread {ratio:.2g} times as wide "
            f"as those to {comparison.versus} clips at {layer}, and there are {n_concept} and {n_others} groups: at a level of "
            f"{LEVEL:.0%} the {test.title} then has about {alarms:.1%} {outcome}. Use --significance studentised."
        )
    return tuple(texts)


def _spread_and_alarms(design: Design, responses: Float[np.ndarray, " row"]) -> tuple[float, float]:
    """Ratio of the standard deviations of group means, and the false alarms that plain permutation has with it.

    Permutations see the pooled variance in both sets, so they give the difference of the means a variance in proportion to
    n₁σ₁² + n₂σ₂², where it has one in proportion to n₂σ₁² + n₁σ₂².
    """
    equal = (1.0, LEVEL)
    if design.strata.mixed.size:  # labels are exchanged within groups, so spreads between groups do not matter
        return equal
    deviations, counts = [], []
    for rows in (design.labels, ~design.labels):
        _, group_of, sizes = np.unique(design.groups[rows], return_inverse=True, return_counts=True)
        means = np.bincount(group_of, weights=responses[rows]) / sizes
        deviations.append(float(means.std(ddof=1)))
        counts.append(len(sizes))
    (first, second), (n_first, n_second) = deviations, counts
    if min(deviations) <= 0:
        return equal
    supposed = n_first * first**2 + n_second * second**2
    actual = n_second * first**2 + n_first * second**2
    alarms = 2 * stats.norm.sf(-stats.norm.ppf(LEVEL / 2) * math.sqrt(supposed / actual))
    return first / second, max(float(alarms), 1e-6)


def _unreachable_level(row: ConceptResult, permutations: int) -> str | None:
    """Says that no p-value of this comparison could be significant, and what would fix that."""
    if not significance_test(row.significance).permutes_labels:
        return None
    factor = row.family_size if row.correction in {"holm", "bonferroni"} else 1
    correction = "" if factor == 1 else f", which correction for {factor} tests puts out of reach"
    if row.p_smallest * factor > LEVEL:
        return (
            f"{row.concept}: {row.n_groups} groups allow no p-value below {row.p_smallest:.2g}{correction}. "
            "Add clips of other videos, or test fewer layers, concepts or twins."
        )
    if factor > LEVEL * (permutations + 1):
        return (
            f"{permutations} permutations allow no p-value below {1 / (permutations + 1):.2g}{correction}. "
            "Raise --permutations, or test fewer layers, concepts or twins."
        )
    return None


def _disagreement(results: Sequence[ConceptResult]) -> str | None:
    """Says where the interval excludes 0 and p is not significant, or the other way round, and which question decided."""
    test = significance_test(results[0].significance)
    if not (test.permutes_labels or test.resamples_groups):
        return None  # it asks about random sets, not about clips, as its own warning says
    # motion and order are tested as the concept itself is; the effects of twins alone are not what a reader acts on
    rows = [row for row in results if row.twin in ("none", "motion", "order") and _excludes_zero(row) != _is_low(row)]
    if not rows:
        return None
    row = max(rows, key=lambda row: abs(row.effect))
    places = shortened(
        [name.layer if name.twin == "none" else f"{name.layer} ({name.twin})" for name in rows], _MOST_NAMES
    )
    effect, limits = effect_text(row)
    at = f" at {row.layer}" if len(rows) > 1 else ""
    return (
        f"{comparison_name(row.concept, row.versus)}: interval and p disagree at {places}: {effect} {limits}, uncorrected p "
        f"{p_equals(row.p_value)}{at}; {_what_decided(row)}. Take it as undecided, and add clips."
    )


def _excludes_zero(row: ConceptResult) -> bool:
    return row.effect_low > 0 or row.effect_high < 0


def _is_low(row: ConceptResult) -> bool:
    return row.p_value <= LEVEL


def _what_decided(row: ConceptResult) -> str:
    test = significance_test(row.significance)
    if not test.resamples_groups:
        return f"the {test.title} takes the class clips as given, the interval does not"
    if _is_low(row):
        return f"p_perm {p_equals(row.p_perm)} and p_t {p_equals(row.p_t)} agree, but bootstrap draws are skewed"
    if row.p_perm >= row.p_t:
        return f"p_perm decided (do the clips differ for the response?), p_t {p_equals(row.p_t)}"
    return f"p_t decided (would other clips of the class respond?), p_perm {p_equals(row.p_perm)}"


def _unequal_shares(results: Sequence[ConceptResult]) -> str | None:
    """Says where permuted labels alone give more than a standard error of effect."""
    rows = [row for row in results if row.twin == "none" and abs(row.null_mean) > row.standard_error > 0]
    if not rows:
        return None
    row = max(rows, key=lambda row: abs(row.null_mean) / row.standard_error)
    return (
        f"{row.concept}: groups hold concept and random clips in unequal shares, which alone gives {row.null_mean:+.2f} at "
        f"{row.layer}; p and z leave it out, the effect does not. Balance the groups before reading the effect."
    )
