"""A run in plain words: verdicts, cautions, motion and order, one test beside the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from video_tcav.experiments import Run
from video_tcav.experiments.verdicts import VERDICTS
from video_tcav.reports.run.view import TargetView, deepest, model_words
from video_tcav.tcav import ConceptResult

MEANINGS = {
    "supported": "The run shows what the hypothesis claims.",
    "contradicted": "The run shows the opposite, or that there is nothing where something was claimed.",
    "undecided": "The clips do not decide it either way. This is not a “no”.",
    "not represented": "The layer does not encode the concept, so that its effect there says nothing.",
}
FEW_GROUPS = 10
TTEST = (
    "The t-test is the one that the source paper used. It takes re-draws of the random clips around one fixed set of concept "
    "clips for independent data. So it calls most concepts significant, also those that mean nothing. Do not rely on it."
)


@dataclass(frozen=True, kw_only=True)
class Caution:
    """Something to know before believing the numbers.

    Attributes:
        heading: what it is about.
        words: what it means; empty where the cases say it.
        cases: where it applies; none if everywhere.
    """

    heading: str
    words: str
    cases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TwinReading:
    """What a concept's twins say of it in one model, at the deepest layer."""

    model: str
    own: ConceptResult
    motion: ConceptResult | None
    order: ConceptResult | None
    words: str


@dataclass(frozen=True, kw_only=True)
class PairReading:
    """A concept as pictures and as clips in one model, at the deepest layer."""

    model: str
    name: str
    static: ConceptResult
    dynamic: ConceptResult
    words: str


@dataclass(frozen=True, kw_only=True)
class TestReading:
    """One concept under both tests in one model, at the deepest layer."""

    model: str
    permutation: ConceptResult
    ttest: ConceptResult
    differ: bool


def count_words(run: Run) -> str:
    """How many hypotheses got each verdict."""
    counts = {word: count for word, count in run.counts().items() if count}
    total = len(run.outcomes)
    if total == 1:
        return f"One hypothesis was tested. It is {next(iter(counts))}."
    parts = [f"{count} {'is' if count == 1 else 'are'} {word}" for word, count in counts.items()]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{total} hypotheses were tested: {listed}."


def meanings(run: Run) -> list[tuple[str, str]]:
    """What each verdict that occurs means."""
    return [(word, MEANINGS[word]) for word in VERDICTS if run.counts()[word]]


def cautions(run: Run) -> list[Caution]:
    """Everything to know first, the gravest first."""
    level, many = run.experiment.statistics.level, len(run.experiment.all_models()) > 1
    own = [
        (model_words(one.which.model) if many else "", found.result)
        for one in run.analyses
        for found in one.found
        if found.result.twin == "none"
        and found.result.versus == "random"
        and one.which.test == run.experiment.statistics.tests[0]
    ]
    found = []
    told = tuple(text for text in run.warnings() if not _is_of_ttest(text))
    if told:
        found.append(Caution(heading="What the analysis noticed", words="", cases=told))
    weak = [(model, one) for model, one in own if one.p_adjusted <= level and not one.represented]
    if weak:
        words = (
            "These effects are significant, but the layer does not tell unseen clips of the concept from random ones. The "
            "direction that was tested may not be the concept. Look at the clips before you believe them."
        )
        found.append(Caution(heading="Weak concept vectors", words=words, cases=_places(weak)))
    absent = [(model, one) for model, one in own if one.p_adjusted > level and not one.represented]
    if absent:
        words = (
            "The layer does not encode these concepts. That no effect was found there is no sign that they do not matter. "
            "Another layer, feature space or kind of CAV may encode them."
        )
        found.append(Caution(heading="Not represented", words=words, cases=_places(absent)))
    few = dict.fromkeys(
        f"{one.concept}: {one.n_concept_groups} group{'' if one.n_concept_groups == 1 else 's'}"
        for _, one in own
        if one.n_concept_groups < FEW_GROUPS
    )
    if few:
        words = (
            "The sample size is the number of independent groups of clips, such as videos, not of clips. With so few, "
            "intervals are wide and p-values coarse."
        )
        found.append(Caution(heading="Few groups", words=words, cases=tuple(few)))
    if "ttest" in run.experiment.statistics.tests:
        found.append(Caution(heading="The t-test", words=TTEST))
    skipped = {
        (file["path"], file["reason"])
        for one in run.analyses
        for file in one.record.get("skipped", ())
        if "path" in file
    }
    if skipped:
        cases = tuple(f"{path.rsplit('/', 1)[-1]}: {reason}" for path, reason in sorted(skipped))
        found.append(Caution(heading="Files that could not be used", words="They are left out.", cases=cases))
    return found


def twin_readings(view: TargetView) -> list[TwinReading]:
    """One for each concept with twins, and model."""
    readings = []
    for concept in view.with_twins:
        for analysis in view.analyses:
            own, motion, order = (view.find(analysis, concept, twin) for twin in ("none", "motion", "order"))
            if own is not None and (motion is not None or order is not None):
                words = _twin_words(view, own, motion, order)
                readings.append(
                    TwinReading(
                        model=model_words(analysis.which.model), own=own, motion=motion, order=order, words=words
                    )
                )
    return readings


def pair_readings(view: TargetView) -> list[PairReading]:
    """One for each pair of pictures and clips, and model."""
    readings = []
    for name in view.pairs:
        for analysis in view.analyses:
            static, dynamic = (view.find(analysis, f"{name}/{kind}") for kind in ("static", "dynamic"))
            if static is not None and dynamic is not None:
                readings.append(
                    PairReading(
                        model=model_words(analysis.which.model),
                        name=name,
                        static=static,
                        dynamic=dynamic,
                        words=_pair_words(view, static, dynamic),
                    )
                )
    return readings


def test_readings(permutation: TargetView, ttest: TargetView) -> list[TestReading]:
    """One for each concept and model."""
    readings = []
    for first, second in zip(permutation.analyses, ttest.analyses, strict=True):
        for concept in permutation.concepts:
            one, other = permutation.find(first, concept), ttest.find(second, concept)
            if one is not None and other is not None:
                differ = permutation.significant(one) != ttest.significant(other)
                readings.append(
                    TestReading(model=model_words(first.which.model), permutation=one, ttest=other, differ=differ)
                )
    return readings


def extremes(view: TargetView) -> Iterator[tuple[str, str, str, float, str, float]]:
    """Of each model and concept: the class clip where it mattered most, and least, with the effects there."""
    for analysis in view.analyses:
        for concept in view.concepts:
            found = analysis.get(concept, deepest(analysis))
            if found is not None and len(found.by_clip):
                most, least = int(found.by_clip.argmax()), int(found.by_clip.argmin())
                yield (
                    model_words(analysis.which.model),
                    concept,
                    analysis.clips[most][0],
                    float(found.by_clip[most]),
                    analysis.clips[least][0],
                    float(found.by_clip[least]),
                )


def _places(found: Sequence[tuple[str, ConceptResult]]) -> tuple[str, ...]:
    """Concept and model, with the layers."""
    layers: dict[tuple[str, str, str], list[str]] = {}
    for model, one in found:
        layers.setdefault((one.concept, one.target, model), []).append(one.layer)
    return tuple(
        f"{concept} for {target}{f' in {model}' if model else ''}: {', '.join(dict.fromkeys(names))}"
        for (concept, target, model), names in layers.items()
    )


def _is_of_ttest(text: str) -> bool:
    return "t-test" in text and "anti-conservative" in text


def _twin_words(view: TargetView, own: ConceptResult, motion: ConceptResult | None, order: ConceptResult | None) -> str:
    moves, ordered = (one is not None and view.significant(one) for one in (motion, order))
    if moves and ordered:
        return "The motion counts, and its order in time too."
    if moves:
        return "The motion counts." + (" No effect of its order found." if order is not None else "")
    if ordered:
        return "The order of the frames counts."
    if view.significant(own):
        return "The picture counts. No effect of motion found." if motion is not None else "No effect of order found."
    return "No effect found."


def _pair_words(view: TargetView, static: ConceptResult, dynamic: ConceptResult) -> str:
    still, moving = (view.significant(one) for one in (static, dynamic))
    if moving and not still:
        return "Only the clips have an effect."
    if still and not moving:
        return "Only the pictures have an effect."
    if not still:
        return "No effect found in either."
    if (static.effect > 0) != (dynamic.effect > 0):
        return "Both have an effect, in opposite directions."
    apart = static.effect_high < dynamic.effect_low or dynamic.effect_high < static.effect_low
    larger = "clips" if abs(dynamic.effect) > abs(static.effect) else "pictures"
    return (
        f"Both have an effect; that of the {larger} is larger."
        if apart
        else "Both have an effect of about the same size."
    )
