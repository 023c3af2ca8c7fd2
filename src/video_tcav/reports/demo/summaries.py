"""Plain-language summary of the demo: verdict cards, effects, twins and false alarms."""

from collections.abc import Iterator, Sequence

from video_tcav.demo.demo import MARGIN, DemoModel, Meaningless
from video_tcav.demo.false_alarms import wilson_interval
from video_tcav.gram.thresholds import LEVEL
from video_tcav.reports.demo.charts import concepts_of, find, layers_of
from video_tcav.reports.run.target_sections.twins import twins_in_words
from video_tcav.tcav.wording import signed

SETS = {
    "class": ("Playing tennis", "The class to be explained: a swing, with a racket, on a court."),
    "swing": ("Concept: swing", "Moving clips. A swing, but no racket and no court."),
    "wave": ("Concept: wave", "Moving clips. The same arm moves, in another way."),
    "court": ("Concept: court", "Still pictures. A court, but no swing and no racket."),
    "racket": ("Concept: racket", "Still pictures. A racket, but no swing and no court."),
    "random": ("Random", "Anything else: no swing, no racket, no court."),
}
"""Heading and description of each set of clips."""
# Difference in shares from which two models answer differently.
_DIFFERENT = 0.5
_CAUSES = {
    "motion": "its labels followed the motion alone",
    "scene": "its labels followed the place alone",
    "object": "its labels followed the object in the hand alone",
}


def opening(models: Sequence[DemoModel]) -> str:
    """First paragraph: the models agree on the class; do they use the same evidence?"""
    count = len(models[0].predictions)
    if all(model.called == count == len(model.predictions) for model in models):
        first = f"Here are two trained video models. Both call all {count} of our tennis clips “playing tennis”."
    else:
        calls = [f"model {model.letter} calls {model.called} of {len(model.predictions)}" for model in models]
        first = f"Here are two trained video models. Of our tennis clips, {' and '.join(calls)} “playing tennis”."
    if len({model.verdict.concept for model in models}) < len(models):
        return f"{first} What did they see?"
    return f"{first} But they do not look at the same thing."


def cards_text(models: Sequence[DemoModel]) -> str:
    """How to read the rows of the cards: whether models agree on tennis clips, and differ where the cause is taken away."""
    usual = {model.called / max(1, len(model.predictions)) for model in models}
    without_cause = ([model.off_court for model in models], [model.no_swing for model in models])
    differ = any(max(shares) - min(shares) >= _DIFFERENT for shares in without_cause)
    if len(usual) == 1 and len(models) > 1 and differ:
        return "The first row cannot tell the models apart. The next two rows take the cause away, and they can."
    return "The first row shows clips as they usually are. The next two rows take the cause away."


def truth(spec: str) -> str:
    """The known cause of a model of the rendered world; empty for any other."""
    return _CAUSES.get(spec.rpartition("-")[2], "") if spec.startswith("rendered:") else ""


def effect_notes(models: Sequence[DemoModel]) -> list[str]:
    """Negative and small effects at the deepest stage, which the verdicts do not mention."""
    notes = []
    for concept in concepts_of(models):
        for model in models:
            row = find(model.result, concept, "none")
            if row is None or row.p_adjusted > LEVEL:
                continue
            name, effect = f"model {model.letter}", signed(row.effect)
            if row.effect <= -MARGIN:
                notes.append(f"In {name}, {concept} lowers “playing tennis” ({effect}).")
            elif row.effect < MARGIN:
                notes.append(
                    f"In {name}, {concept} is significant but small ({effect}). Significant does not mean important: "
                    f"we say that a model relies on a concept from {MARGIN:.1f} log-odds on."
                )
    return notes


def twin_readings(models: Sequence[DemoModel], concepts: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """For each moving concept and model: letter, concept, its effect, those of motion and order, and what follows."""
    for concept in concepts:
        for model in models:
            plain, motion, order = (find(model.result, concept, twin) for twin in ("none", "motion", "order"))
            if plain is not None:
                flags = (None if row is None else row.p_adjusted <= LEVEL for row in (plain, motion, order))
                yield model.letter, concept, plain, motion, order, twins_in_words(*flags)


def alarm_counts(meaningless: Meaningless) -> dict[str, int]:
    """How many meaningless concepts each test calls significant, and whether that of the permutation test is near 5 %."""
    # Calibrated: the level lies in the 95 % interval of the share of false alarms.
    low, high = wilson_interval(meaningless.permutation, meaningless.draws)
    counts = {name: round(getattr(meaningless, name) * meaningless.draws) for name in ("ttest", "permutation")}
    return {**counts, "calibrated": low <= LEVEL <= high}


def stages(models: Sequence[DemoModel]) -> str:
    """The layers that "stage 1, 2, …" stand for."""
    names = {model.letter: ", ".join(layers_of(model.result)) for model in models}
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    return "; ".join(f"model {letter}: {layers}" for letter, layers in names.items())
