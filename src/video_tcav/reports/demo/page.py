"""The demo as one HTML page: the question, the verdicts, the clips, effects and all numbers."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from video_tcav.demo.demo import MARGIN, STILLS, TARGET, DemoModel, DemoResult, Meaningless
from video_tcav.demo.false_alarms import wilson_interval
from video_tcav.gram.thresholds import LEVEL
from video_tcav.rendered import Factors
from video_tcav.reports.clips import ShownClip, show_factors
from video_tcav.reports.demo.charts import (
    alarms_chart,
    concepts_of,
    effects_chart,
    find,
    layers_of,
    moving_concepts,
    stages_chart,
    twins_chart,
)
from video_tcav.reports.demo.looks import looks_chart, looks_of
from video_tcav.reports.page import write_page
from video_tcav.reports.run.provenance import named_values, present, version_facts
from video_tcav.reports.run.target_sections.twins import twins_in_words
from video_tcav.tcav.wording import percent, signed

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
_CLIPS_PER_SET = 4
# Of clips in the sets, and beside the shares of the cards.
_SIZE_PX, _CARD_SIZE_PX = 160, 128


def write_demo_page(demo: DemoResult, path: Path) -> Path:
    """Write everything that the demo shows as one HTML file, which opens offline and loads nothing else.

    Args:
        demo: from `run_demo`.
        path: where.

    Returns:
        `path`.

    Raises:
        OutputError: if the file cannot be written.
    """
    models, moving = demo.models, moving_concepts(demo.models)
    examples, looks = _examples(demo.shown), looks_of(demo.models)
    return write_page(
        path,
        "demo.html.j2",
        demo=demo,
        target=TARGET,
        opening=opening(models),
        cards=[(model, truth(model.spec), _situations(model, examples)) for model in models],
        cards_text=cards_text(models),
        looks=looks,
        looks_chart=looks_chart(looks).svg,
        map_layer=models[0].explanation.layer,
        sets=[_clip_set(name, clips) for name, clips in demo.shown.items()],
        effects=effects_chart(models).svg,
        notes=effect_notes(models),
        twins=twins_chart(models, moving).svg if moving else None,
        readings=twin_readings(models, moving),
        layers=stages_chart(models).svg,
        stages=stages(models),
        alarms=alarms_chart(demo.meaningless).svg,
        alarm_counts=alarm_counts(demo.meaningless),
        commands=demo_commands(demo),
        provenance=[(model, _provenance(model)) for model in models],
    )


def demo_commands(demo: DemoResult) -> tuple[str, ...]:
    """The commands that repeat the demo, and the test of each model on its clips."""
    clips = demo.folder / "clips"
    again = ["video-tcav", "demo", "--out", str(demo.folder), "--seed", str(demo.seed)]
    tests = []
    for model in demo.models:
        concepts = [f"--concept {shlex.quote(f'{name}={clips / name}')}" for name in concepts_of([model])]
        lines = [
            f"video-tcav test --model {shlex.quote(model.spec)} --target {shlex.quote(TARGET)}",
            f"--clips {shlex.quote(str(clips / 'class'))}",
            *concepts,
            f"--random {shlex.quote(str(clips / 'random'))}",
            f"--twin frozen --twin reversed --seed {demo.seed}",
        ]
        tests.append(" \\\n  ".join(lines))
    return (shlex.join(again), *tests)


def _examples(shown: Mapping[str, tuple[Factors, ...]]) -> tuple[ShownClip | None, ...]:
    """One tennis clip, then the same with its place changed, then with its motion and object changed."""
    if not shown.get("class"):
        return None, None, None
    first = shown["class"][0]
    # The rendered world changes one factor and leaves all others, the viewpoint too, as they are.
    off_court = first.with_factor("scene", "lawn")
    no_swing = first.with_factor("motion", "kick").with_factor("object", "ball")
    return tuple(show_factors(factors, size=_CARD_SIZE_PX) for factors in (first, off_court, no_swing))


def _situations(
    model: DemoModel, examples: Sequence[ShownClip | None]
) -> list[tuple[str, ShownClip | None, float, str]]:
    """Content of one kind of clips, an example of it, the share that the model calls tennis, and that share in words."""
    count = len(model.predictions)
    rows = (
        ("Swing and racket, on the court", model.called / max(1, count), f"{model.called} of {count}"),
        ("Swing and racket, away from the court", model.off_court, percent(model.off_court)),
        ("On the court, no swing and no racket", model.no_swing, percent(model.no_swing)),
    )
    return [(content, clip, share, text) for (content, share, text), clip in zip(rows, examples, strict=True)]


def _clip_set(name: str, clips: Sequence[Factors]) -> tuple[str, str, list[ShownClip]]:
    """Heading and description of a set, and some of its clips."""
    still = name in STILLS
    heading = SETS.get(name, (f"Concept: {name}", ""))
    return *heading, [show_factors(clip, size=_SIZE_PX, still=still) for clip in clips[:_CLIPS_PER_SET]]


def _provenance(model: DemoModel) -> list[tuple[str, str]]:
    """Origin of a model's results, as far as it was noted."""
    provenance: Mapping[str, Any] = model.result.provenance
    facts = {
        **version_facts(provenance),
        "made": provenance.get("created"),
        "weights (SHA-256)": (provenance.get("model") or {}).get("weights"),
        "settings": named_values(provenance.get("settings")),
    }
    return present(facts)


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
    """How many meaningless concepts each test calls significant, and whether the page's test keeps to 5 %."""
    # Calibrated: the 95 % interval of the share of false alarms does not lie above the level.
    low, _ = wilson_interval(meaningless.studentised, meaningless.draws)
    tests = ("ttest", "permutation", "studentised")
    counts = {name: round(getattr(meaningless, name) * meaningless.draws) for name in tests}
    return {**counts, "calibrated": low <= LEVEL}


def stages(models: Sequence[DemoModel]) -> str:
    """The layers that "stage 1, 2, …" stand for."""
    names = {model.letter: ", ".join(layers_of(model.result)) for model in models}
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    return "; ".join(f"model {letter}: {layers}" for letter, layers in names.items())
