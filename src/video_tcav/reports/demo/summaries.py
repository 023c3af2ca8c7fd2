"""What the demo found, in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.demo.demo import MARGIN, DemoModel, Meaningless
from video_tcav.demo.false_alarms import wilson_interval
from video_tcav.gram.thresholds import LEVEL
from video_tcav.reports.demo.charts import concepts_of, find, layers_of
from video_tcav.reports.page import signed
from video_tcav.tcav import ConceptResult

SETS = {
    "class": ("Playing tennis", "The class to be explained: a swing, with a racket, on a court."),
    "swing": ("Concept: swing", "Moving clips. A swing, but no racket and no court."),
    "wave": ("Concept: wave", "Moving clips. The same arm moves, in another way."),
    "court": ("Concept: court", "Still pictures. A court, but no swing and no racket."),
    "racket": ("Concept: racket", "Still pictures. A racket, but no swing and no court."),
    "random": ("Random", "Anything else: no swing, no racket, no court."),
}
"""Heading and description of each set of clips."""
_APART = 0.5
"""Two models answer differently from this difference in shares on."""
_CAUSES = {
    "motion": "its labels followed the motion alone",
    "scene": "its labels followed the place alone",
    "object": "its labels followed the object in the hand alone",
}


@dataclass(frozen=True, kw_only=True)
class TwinReading:
    """What freezing and reversing do to one concept in one model, at the deepest stage.

    Attributes:
        model: its letter.
        concept: its name.
        own: the effect of the clips as they are.
        frozen: of the frozen twin.
        reversed: of the reversed twin.
        motion: the difference to the frozen twin.
        order: the difference to the reversed twin.
        words: what follows.
    """

    model: str
    concept: str
    own: ConceptResult
    frozen: ConceptResult | None
    reversed: ConceptResult | None
    motion: ConceptResult | None
    order: ConceptResult | None
    words: str


@dataclass(frozen=True, kw_only=True)
class AlarmsWords:
    """How many meaningless concepts each test calls significant, and whether the permutation test kept its promise."""

    ttest: int
    permutation: int
    kept: bool


def opening(models: Sequence[DemoModel]) -> str:
    """Why one has to ask at all."""
    count = len(models[0].predictions)
    if all(model.called == count == len(model.predictions) for model in models):
        first = f"Here are two trained video models. Both call all {count} of our tennis clips “playing tennis”."
    else:
        parts = [f"model {one.letter} calls {one.called} of {len(one.predictions)}" for one in models]
        first = f"Here are two trained video models. Of our tennis clips, {' and '.join(parts)} “playing tennis”."
    if len({model.verdict.concept for model in models}) < len(models):
        return f"{first} What did they see?"
    return f"{first} But they do not look at the same thing."


def rows_words(models: Sequence[DemoModel]) -> str:
    """What the rows of the cards say: whether the models answer alike on tennis clips, and apart without the cause."""
    usual = {model.called / max(1, len(model.predictions)) for model in models}
    apart = any(
        max(shares) - min(shares) >= _APART for shares in ([m.off_court for m in models], [m.no_swing for m in models])
    )
    if len(usual) == 1 and len(models) > 1 and apart:
        return "The first row cannot tell the models apart. The next two rows take the cause away, and they can."
    return "The first row shows clips as they usually are. The next two rows take the cause away."


def truth(spec: str) -> str:
    """What is known of a model because of how it was trained; empty for a model of which nothing is known."""
    return _CAUSES.get(spec.rpartition("-")[2], "") if spec.startswith("rendered:") else ""


def set_words(name: str) -> tuple[str, str]:
    """Heading and description of a set of clips."""
    return SETS.get(name, (f"Concept: {name}", ""))


def effect_notes(models: Sequence[DemoModel]) -> list[str]:
    """What else the effects at the deepest stage say, besides the verdicts."""
    notes = []
    for concept in concepts_of(models):
        for model in models:
            one = find(model.result, concept, "none")
            if one is None or one.p_adjusted > LEVEL:
                continue
            name, effect = f"model {model.letter}", signed(one.effect)
            if one.effect <= -MARGIN:
                notes.append(f"In {name}, {concept} speaks against “playing tennis” ({effect}).")
            elif one.effect < MARGIN:
                notes.append(
                    f"In {name}, {concept} is significant but small ({effect}). Significant does not mean important: "
                    f"we say that a model relies on a concept from {MARGIN:.1f} log-odds on."
                )
    return notes


def twin_readings(models: Sequence[DemoModel], concepts: Sequence[str]) -> list[TwinReading]:
    """One reading for each moving concept and model."""
    readings = []
    for concept in concepts:
        for model in models:
            found = {twin: find(model.result, concept, twin) for twin in ("frozen", "reversed", "motion", "order")}
            if own := find(model.result, concept, "none"):
                words = _twin_words(own, found["motion"], found["order"])
                readings.append(TwinReading(model=model.letter, concept=concept, own=own, words=words, **found))
    return readings


def alarms_words(meaningless: Meaningless) -> AlarmsWords:
    """False alarms as counts."""
    low, high = wilson_interval(meaningless.permutation, meaningless.draws)
    return AlarmsWords(
        ttest=round(meaningless.ttest * meaningless.draws),
        permutation=round(meaningless.permutation * meaningless.draws),
        kept=low <= LEVEL <= high,
    )


def stages(models: Sequence[DemoModel]) -> str:
    """The layers that "stage 1, 2, …" stand for."""
    names = {model.letter: ", ".join(layers_of(model.result)) for model in models}
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    return "; ".join(f"model {letter}: {layers}" for letter, layers in names.items())


def _twin_words(own: ConceptResult, motion: ConceptResult | None, order: ConceptResult | None) -> str:
    moves, ordered = (one is not None and one.p_adjusted <= LEVEL for one in (motion, order))
    if moves and ordered:
        return "The motion counts, and its order in time too."
    if moves:
        return "The motion counts. No effect of its order found."
    if ordered:
        return "The order of the frames counts."
    if own.p_adjusted <= LEVEL:
        return "The picture counts. No effect of motion found."
    return "No effect found."
