"""The demo as one HTML page: the question, the verdicts, the clips, effects and all numbers."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from video_tcav.demo.demo import STILLS, TARGET, DemoModel, DemoResult
from video_tcav.rendered import Factors
from video_tcav.reports.clips import ShownClip, show_factors
from video_tcav.reports.demo.charts import (
    alarms_chart,
    concepts_of,
    effects_chart,
    moving_concepts,
    stages_chart,
    twins_chart,
)
from video_tcav.reports.demo.summaries import (
    SETS,
    alarm_counts,
    cards_text,
    effect_notes,
    opening,
    stages,
    truth,
    twin_readings,
)
from video_tcav.reports.page import write_page
from video_tcav.reports.run.provenance import named_values, present, version_facts
from video_tcav.tcav.wording import percent

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
    examples = _examples(demo.shown)
    return write_page(
        path,
        "demo.html.j2",
        demo=demo,
        target=TARGET,
        opening=opening(models),
        cards=[(model, truth(model.spec), _situations(model, examples)) for model in models],
        cards_text=cards_text(models),
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
