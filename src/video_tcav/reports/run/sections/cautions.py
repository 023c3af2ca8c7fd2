"""Section: what to know before believing the numbers, the gravest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath

from video_tcav.gram import significance_test
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import short_model, text_of
from video_tcav.reports.run.view import RunView
from video_tcav.tcav import ConceptResult
from video_tcav.tcav.wording import region_text, signed, step_disagrees

# With fewer, t has few degrees of freedom, and intervals of skewed responses are too narrow.
FEW_GROUPS = 10
_WEAK = (
    "These effects are significant, but the means of concept and random clips do not differ significantly there. The "
    "direction that was tested may not be the concept. Look at the clips before you believe them."
)
_NOT_REPRESENTED = (
    "These CAVs do not tell these clips from random ones in this space. That no effect was found is no sign that the concepts "
    "do not matter, or that the layer knows nothing of them. Another layer or feature space, or more clips, may show them."
)
_REGION = (
    "Concept and random clips lie in different regions of the layer, but no direction leads from the ones to the others. A "
    "CAV cannot stand for such a concept. It may be made of several: try to split it, or take another layer or space."
)
_STEP = (
    "The slope and a whole step along the same CAV differ in sign or by more than a factor of two, so that the slope does not "
    "tell what the model would say. Believe the step."
)
_FEW = (
    "The sample size is the number of independent groups of clips, such as videos, not of clips. With so few, "
    "intervals are wide, and too narrow where responses are skewed, and p-values are coarse."
)


_LIMITS = (
    "An effect is a slope. It says what a small push towards the concept does, not what editing the video would do.",
    "A concept is what its clips have in common. That may not be the name that they were given. Look at the clips.",
    "“Undecided” and “not significant” are not proof that there is nothing.",
    "A map says where a push along the concept would change the class, not that the concept is to be seen there.",
)
# Cases that are open at once; the others are a click away.
_MOST_CASES = 5


@dataclass(frozen=True, kw_only=True)
class Caution:
    """Something to know before believing the numbers."""

    heading: str
    brief: str = ""  # in some words, for the head of the page
    words: str = ""  # what it means; empty where the cases say it
    cases: tuple[str, ...] = ()  # where it applies; none if everywhere


class Section(TemplateSection[RunView]):
    name, title, order, folded = "cautions", "Before you believe it", 550, False

    def values(self, view: RunView) -> Values:
        return {"cautions": (*cautions(view), Caution(heading="What no run shows", cases=_LIMITS)), "most": _MOST_CASES}

    def markdown(self, view: RunView) -> str | None:
        lines = []
        for caution in cautions(view):
            cases = f" ({'; '.join(caution.cases)})" if caution.cases else ""
            lines.append(f"- **{text_of(caution.heading)}.** {text_of(caution.words + cases)}")
        return "\n".join(lines)


def cautions(view: RunView) -> Iterator[Caution]:
    """What to know before believing this run, the gravest first."""
    tests = [test for test in map(significance_test, view.experiment.statistics.tests) if test.caution]
    # The warning of an analysis on such a test is longer than the caution below.
    warnings = tuple(text for text in view.run.warnings() if text not in [test.warning for test in tests])
    if warnings:
        yield Caution(
            heading="What the analysis noticed", brief=_count(_merged(warnings), "warning"), cases=_merged(warnings)
        )
    rows = _plain_rows(view)
    # A weak CAV and one that is not represented differ in what the reader may conclude: too much, or too little.
    absent = [(model, row) for model, row in rows if not row.represented]
    weak = _places([(model, row) for model, row in absent if row.p_adjusted <= view.level])
    if weak:
        yield Caution(
            heading="Weak concept vectors", brief=_count(weak, "weak concept vector"), words=_WEAK, cases=weak
        )
    unseen = _places([(model, row) for model, row in absent if row.p_adjusted > view.level])
    if unseen:
        yield Caution(
            heading="Not represented",
            brief=_count(unseen, "concept") + " not represented",
            words=_NOT_REPRESENTED,
            cases=unseen,
        )
    regions = tuple(
        f"{row.concept} for {row.target}{f' in {model}' if model else ''} at {row.layer}: {text}"
        for model, row in absent
        if (text := region_text(row.represented, row.region_auc, row.p_region))
    )
    if regions:
        yield Caution(
            heading="A region, and no direction", brief="concepts without a direction", words=_REGION, cases=regions
        )
    differing = tuple(
        f"{row.concept} for {row.target}{f' in {model}' if model else ''} at {row.layer}: slope {signed(row.effect)}, step "
        f"{signed(row.step)} {view.unit}"
        for model, row in rows
        if step_disagrees(row)
    )
    if differing:
        brief = _count(differing, "slope") + " that a whole step does not bear out"
        yield Caution(heading="Slope and step differ", brief=brief, words=_STEP, cases=differing)
    few = dict.fromkeys(
        f"{row.concept}: {row.n_concept_groups} group{'' if row.n_concept_groups == 1 else 's'}"
        for _, row in rows
        if row.n_concept_groups < FEW_GROUPS
    )
    if few:
        yield Caution(heading="Few groups", brief="few groups", words=_FEW, cases=tuple(few))
    for test in tests:
        yield Caution(heading=f"The {test.title}", brief=f"do not rely on the {test.title}", words=test.caution)
    skipped = _skipped_files(view)
    if skipped:
        yield Caution(
            heading="Files that could not be used",
            brief=_count(skipped, "file") + " left out",
            words="They are left out.",
            cases=skipped,
        )


def _count(cases: Sequence[str], noun: str) -> str:
    return f"{len(cases)} {noun}{'' if len(cases) == 1 else 's'}"


def _merged(warnings: Sequence[str]) -> tuple[str, ...]:
    """Warnings, those of the same words on several concepts as one."""
    subjects: dict[str, list[str]] = {}
    for warning in warnings:
        subject, _, words = warning.rpartition(": ") if warning.count(": ") == 1 else ("", "", warning)
        subjects.setdefault(words, []).append(subject)
    return tuple(f"{', '.join(names)}: {words}" if any(names) else words for words, names in subjects.items())


def _plain_rows(view: RunView) -> list[tuple[str, ConceptResult]]:
    """Results of concepts as they are against random clips, with the first test, and their model if there are several."""
    return [
        (short_model(analysis.which.model) if view.many_models else "", stored.result)
        for analysis in view.run.analyses
        if analysis.which.test == view.experiment.statistics.tests[0]
        for stored in analysis.found
        if stored.result.twin == "none" and stored.result.versus == "random"
    ]


def _places(rows: Sequence[tuple[str, ConceptResult]]) -> tuple[str, ...]:
    """Concept, target and model, with the layers."""
    layers: dict[str, dict[str, None]] = {}
    for model, row in rows:
        case = f"{row.concept} for {row.target}{f' in {model}' if model else ''}"
        layers.setdefault(case, {})[row.layer] = None
    return tuple(f"{case}: {', '.join(names)}" for case, names in layers.items())


def _skipped_files(view: RunView) -> tuple[str, ...]:
    files = [file for analysis in view.run.analyses for file in analysis.record.get("skipped", ()) if "path" in file]
    others = (each.result.skipped for each in (*view.run.texts, *view.run.audits))
    of_others = {(file.path, file.reason) for skipped in others for file in skipped}
    reasons = sorted({(file["path"], file["reason"]) for file in files} | of_others)
    # A Windows path knows both separators: a run may come from another system.
    return tuple(f"{PureWindowsPath(path).name}: {reason}" for path, reason in reasons)
