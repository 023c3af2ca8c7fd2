"""Text CAVs of one layer: effect with interval, p among other words, held-out fit of the map, cosine with clip CAVs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats
from sklearn.metrics import roc_auc_score

from video_tcav.core import random_streams
from video_tcav.core.progress import Advance, no_progress
from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.design import bootstrap_weights
from video_tcav.gram.effects import fit_cavs, tcav_score
from video_tcav.gram.embedding_map import EmbeddingMap, MapFit, direction_effects, fit_map, group_folds, spanned
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import unit_coefficients
from video_tcav.gram.representation import GATE_PERMUTATIONS
from video_tcav.gram.resampling import BootstrapT, Resamples
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.comparison import Comparison


@dataclass(frozen=True, kw_only=True)
class TextMeasurement:
    """The numbers of one text at one layer.

    Attributes:
        text: the concept in words.
        layer: dotted module name.
        effect: first-order change of the target for one standard deviation of the unlabelled clips along the text CAV.
        effect_low: lower end of its 95 % interval over groups of unlabelled and class clips.
        effect_high: upper end.
        p_value: the larger of `p_words` and `p_t`.
        derivative: directional derivative of the target along the text CAV as the map gives it, whose length says how much of the
            text there is in the layer; it is what is compared with other words.
        p_words: share of other words, and the text itself, whose derivative is at least as far from 0, or as far from that of the
            average word, whichever share is larger.
        p_t: two-sided t of the effect over its bootstrap standard error.
        words_mean: mean derivative of the other words.
        words_sd: standard deviation of their derivatives.
        tcav_score: fraction of class clips whose target rises along the text CAV.
        r_squared: share of the layer's variance that the map predicts of clips of groups that it has not seen.
        correlation: over such clips, of how much of the text is in a clip's embedding, and in its activation along the text CAV.
        p_correlation: one-sided p of that correlation, with as many degrees of freedom as groups allow.
        represented: whether `r_squared` is above 0 and `p_correlation` at most 0.05. If not, the effect says nothing.
        cosine: of text CAV and the CAV of clips of the same concept; NaN without such clips.
        clip_auc: how often such a clip is further along the text CAV than a random clip; likewise.
        p_clips: one-sided permutation p, by group, of the distance of the means of such and random clips along it; likewise.
        effect_between: the effect for the distance of the means of concept and random clips along the text CAV, in place of a
            standard deviation: the unit of clip CAVs' effects; likewise.
    """

    text: str
    layer: str
    effect: float
    effect_low: float
    effect_high: float
    p_value: float
    derivative: float
    p_words: float
    p_t: float
    words_mean: float
    words_sd: float
    tcav_score: float
    r_squared: float
    correlation: float
    p_correlation: float
    represented: bool
    cosine: float
    clip_auc: float
    p_clips: float
    effect_between: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TextDirections:
    """What the map is learned from, and the directions of the embedding space that become CAVs.

    Attributes:
        rows: recorded rows of the unlabelled clips.
        embeddings: of these clips, one row each.
        groups: number of each clip's group.
        class_groups: number of each class clip's group.
        texts: names of the texts.
        directions: of the texts: embedding less the mean neutral prompt.
        words: directions of the other words.
    """

    rows: Int[np.ndarray, " clip"]
    embeddings: Float[np.ndarray, "clip feature"]
    groups: Int[np.ndarray, " clip"]
    class_groups: Int[np.ndarray, " class_clip"]
    texts: tuple[str, ...]
    directions: Float[np.ndarray, "text feature"]
    words: Float[np.ndarray, "word feature"]


def measure_texts(
    layer: str,
    gram: Gram,
    asked: TextDirections,
    checks: Mapping[str, Comparison],
    *,
    cav: CavFitter,
    bootstraps: int,
    seed: int,
    advance: Advance = no_progress,
) -> tuple[TextMeasurement, ...]:
    """All texts at one layer.

    Args:
        layer: its name.
        gram: K and C of all recorded rows.
        asked: clips, texts and words.
        checks: comparisons of clips of the same concept, by text.
        cav: how clip CAVs are learned.
        bootstraps: draws of groups.
        seed: of every random draw.
        advance: told how many draws were done.
    """
    clips = gram.of_rows(asked.rows)
    embeddings, in_span = spanned(asked.embeddings, np.concatenate([asked.directions, asked.words]))
    directions, words = in_span[: len(asked.texts)], in_span[len(asked.texts) :]
    folds = group_folds(asked.groups, [seed, random_streams.TEXT_FOLDS])
    fit = fit_map(clips.kernel, embeddings, directions, folds)
    learned = EmbeddingMap(embeddings=embeddings, penalty=fit.penalty)
    alphas, word_alphas = learned.coefficients(directions), learned.coefficients(words)
    by_clip = direction_effects(clips.kernel, clips.cross, alphas)
    # Not for one standard deviation each: words that the map knows nothing of have short directions, and would count in full.
    derivatives, word_derivatives = alphas @ clips.mean_cross, word_alphas @ clips.mean_cross
    draws = _bootstrap(clips, learned, directions, by_clip, asked, bootstraps, seed, advance)
    return tuple(
        _measurement(
            text,
            layer,
            by_clip[number],
            draws[number],
            float(derivatives[number]),
            word_derivatives,
            fit,
            fit.correlations[number],
            asked,
            _checked(gram, asked.rows, alphas[number], checks.get(text), cav, seed),
        )
        for number, text in enumerate(asked.texts)
    )


def word_p(derivative: float, word_derivatives: Float[np.ndarray, " word"]) -> float:
    """Two-sided p of a derivative among those of other words: around 0 and around their mean, the larger of both.

    Around 0 alone, a class that every word raises would make many significant; around the mean alone, a word without effect.
    """
    centre = word_derivatives.mean()
    as_far = [(np.abs(word_derivatives - c) >= abs(derivative - c) - 1e-12).sum() for c in (0.0, centre)]
    return float((1 + max(as_far)) / (len(word_derivatives) + 1))


def _bootstrap(
    clips: Gram,
    learned: EmbeddingMap,
    directions: Float[np.ndarray, "text feature"],
    by_clip: Float[np.ndarray, "text class_clip"],
    asked: TextDirections,
    draws: int,
    seed: int,
    advance: Advance,
) -> list[Resamples]:
    """Effects in bootstrap draws of groups: the map is learned anew in each, with the penalty of all clips."""
    names, group_of = np.unique(asked.groups, return_inverse=True)
    class_names, class_group_of = np.unique(asked.class_groups, return_inverse=True)
    of_groups = np.concatenate(list(bootstrap_weights(names, draws, seed, random_streams.GROUP_BOOTSTRAP)))
    of_class = np.concatenate(list(bootstrap_weights(class_names, draws, seed, random_streams.CLASS_BOOTSTRAP)))
    drawn = np.empty((3, len(directions), draws))
    for draw, (group_weights, class_group_weights) in enumerate(zip(of_groups, of_class, strict=True)):
        weights, class_weights = group_weights[group_of], class_group_weights[class_group_of]
        class_weights = class_weights / class_weights.sum()
        effects = direction_effects(clips.kernel, clips.cross, learned.coefficients(directions, weights), weights)
        drawn[:, :, draw] = effects.mean(1), by_clip @ class_weights, effects @ class_weights
        advance(1)
    return [
        Resamples(by_clip=by_clip[text], clips=drawn[0, text], class_clips=drawn[1, text], joint=drawn[2, text])
        for text in range(len(directions))
    ]


def _measurement(
    text: str,
    layer: str,
    by_clip: Float[np.ndarray, " class_clip"],
    resamples: Resamples,
    derivative: float,
    word_derivatives: Float[np.ndarray, " word"],
    fit: MapFit,
    correlation: float,
    asked: TextDirections,
    checked: "_Check",
) -> TextMeasurement:
    effect = float(by_clip.mean())
    groups, class_groups = len(np.unique(asked.groups)), len(np.unique(asked.class_groups))
    student = BootstrapT.of_draws(effect, resamples.draws(), min(groups, class_groups))
    low, high = student.interval()
    p_words, p_correlation = word_p(derivative, word_derivatives), _correlation_p(float(correlation), groups)
    return TextMeasurement(
        text=text,
        layer=layer,
        effect=effect,
        effect_low=low,
        effect_high=high,
        p_value=max(p_words, student.p_value),
        derivative=derivative,
        p_words=p_words,
        p_t=student.p_value,
        words_mean=float(word_derivatives.mean()),
        words_sd=float(word_derivatives.std()),
        tcav_score=float(tcav_score(by_clip)),
        r_squared=fit.r_squared,
        correlation=float(correlation),
        p_correlation=p_correlation,
        represented=fit.r_squared > 0 and p_correlation <= LEVEL,
        cosine=checked.cosine,
        clip_auc=checked.clip_auc,
        p_clips=checked.p_clips,
        effect_between=effect * checked.between,
    )


def _correlation_p(correlation: float, groups: int) -> float:
    """One-sided p of a correlation, of as many independent pairs as there are groups."""
    if abs(correlation) >= 1:
        return 0.0 if correlation > 0 else 1.0
    t = correlation * np.sqrt((groups - 2) / (1 - correlation**2))
    return float(stats.t.sf(t, groups - 2))


class _Check(NamedTuple):
    """A text CAV beside clips of the concept; `between` is the distance of the means in the unlabelled clips' deviations."""

    cosine: float = math.nan
    clip_auc: float = math.nan
    p_clips: float = math.nan
    between: float = math.nan


def _checked(
    gram: Gram,
    rows: Int[np.ndarray, " clip"],
    alpha: Float[np.ndarray, " clip"],
    comparison: Comparison | None,
    cav: CavFitter,
    seed: int,
) -> _Check:
    if comparison is None:
        return _Check()
    compared, labels = comparison.rows["none"], comparison.design.labels
    kernel = gram.of_rows(compared).kernel
    alphas = np.zeros((2, len(gram.kernel)))
    alphas[0, rows], alphas[1, compared] = alpha, fit_cavs(cav, kernel, labels[None])[0]
    alphas = unit_coefficients(gram.kernel, alphas)
    along = (alphas[:1] @ gram.kernel)[0]
    spread, values = along[rows].std(), along[compared]
    # a text's direction is the same whatever the labels, so that the distance of the means alone is permuted
    observed = values[labels].mean() - values[~labels].mean()
    permuted = np.concatenate(list(comparison.design.label_permutations(GATE_PERMUTATIONS, seed)))
    counts = permuted.sum(1)
    distances = permuted @ values / counts - ~permuted @ values / (len(values) - counts)
    return _Check(
        cosine=float((alphas[1:] @ gram.kernel)[0] @ alphas[0]),
        clip_auc=float(roc_auc_score(labels, values)),
        p_clips=float((1 + (distances >= observed - 1e-12).sum()) / (len(distances) + 1)),
        between=float(observed / spread) if spread > 0 else 0.0,
    )


def group_numbers(names: Sequence[str]) -> Int[np.ndarray, " clip"]:
    """A number for each clip's group, in the order of first appearance."""
    first = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([first[name] for name in names])
