"""A run's report as Markdown: the verdicts, the cautions and the figures."""

from collections.abc import Sequence

from video_tcav.core.escaping import printable
from video_tcav.experiments import Run
from video_tcav.reports.page import p_text, signed
from video_tcav.reports.run.charts import Chart
from video_tcav.reports.run.methods_text import bibtex, methods
from video_tcav.reports.run.summaries import cautions, count_words
from video_tcav.tcav.summaries import units

MARKS = {"supported": "✔", "contradicted": "✘", "undecided": "?", "not represented": "∅"}


def markdown(run: Run, charts: Sequence[tuple[str, Chart]], *, folder: str) -> str:
    """The text of the file.

    Args:
        run: the run.
        charts: each with its title.
        folder: where the figures are, seen from the file.
    """
    unit = units(run.experiment.against)
    parts = [f"# {_text(run.experiment.title)}"]
    parts += [_text(paragraph) for paragraph in run.experiment.description.split("\n\n") if paragraph.strip()]
    parts += [f"**{_text(count_words(run))}**", "## Verdicts", _verdicts(run, unit)]
    found = cautions(run)
    if found:
        lines = []
        for one in found:
            cases = f" ({'; '.join(one.cases)})" if one.cases else ""
            lines.append(f"- **{_text(one.heading)}.** {_text(one.words + cases)}")
        parts += ["## Before you believe it", "\n".join(lines)]
    parts.append("## Effects")
    for title, chart in charts:
        parts.append(f"### {_text(title)}")
        parts.append(f"![{_text(title)}]({folder}/{chart.name}.png)")
    parts += ["## Methods", *(_text(paragraph) for paragraph in methods(run).split("\n\n"))]
    parts += ["## To cite", f"```bibtex\n{bibtex(run).strip()}\n```"]
    noted = run.record["provenance"]
    parts.append(f"Run of {noted['created']}, video-tcav {noted['video_tcav']}.")
    return "\n\n".join(parts) + "\n"


def _verdicts(run: Run, unit: str) -> str:
    heads = (
        "",
        "verdict",
        "hypothesis",
        "model",
        "layer",
        f"effect, {unit}",
        "95 % interval",
        "adjusted p",
        "margin",
        "why",
    )
    rows = [heads, tuple("---" for _ in heads)]
    for one in run.outcomes:
        numbers = ("–", "–", "–")
        if one.effect == one.effect:
            numbers = (
                signed(one.effect),
                f"{signed(one.effect_low)} to {signed(one.effect_high)}",
                p_text(one.p_adjusted),
            )
        name = one.name if one.name == one.claim else f"{one.name}: {one.claim}"
        rows.append(
            (MARKS[one.verdict], one.verdict, name, one.model, one.layer, *numbers, f"{one.margin:g}", one.reason)
        )
    return "\n".join(f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows)


def _text(text: str) -> str:
    """Words that Markdown and HTML take as words."""
    text = printable(text)
    for sign, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, instead)
    for sign in "\\`*_[]|#!":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
