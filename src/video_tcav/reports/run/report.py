"""Report of a finished run: one HTML page, the same as Markdown, and the charts as files."""

from dataclasses import replace
from pathlib import Path

from video_tcav.core.checks import require
from video_tcav.core.files import check_file_writable, write_text
from video_tcav.experiments import Run
from video_tcav.reports.page import render_page
from video_tcav.reports.run.answer import Answer, answer
from video_tcav.reports.run.clip_budget import fitting_clips
from video_tcav.reports.run.section import SECTIONS, ReportSection, fragments, ordered
from video_tcav.reports.run.text import FIGURES, listed, text_of
from video_tcav.reports.run.view import RunView
from video_tcav.reports.run.without_hypotheses import answer_of_test, without_verdicts

# Size of a page that mail and chat still take, and that opens at once.
MOST_BYTES = 15_000_000


def write_report(run: Run, path: str | Path, *, most_bytes: int = MOST_BYTES) -> Path:
    """Write the report of a run or a test: one HTML page that opens offline and loads nothing else.

    Beside it go the same as Markdown, under the same name, and the folder `figures` with each chart as SVG and PNG. It is
    made from the run alone, so that the same run gives the same bytes.

    Args:
        run: from `load_run`; that of a test says in sentences what a run says in verdicts.
        path: of the page; ends in .html.
        most_bytes: size of the page. Clips that go beyond are made smaller, and then left out, and the page says so.

    Returns:
        `path`.

    Raises:
        InputError: if the page has the name of the Markdown beside it.
        ExperimentError: if a file of the run is missing or damaged.
        PluginError: if a section of another package cannot be used.
        OutputError: if a file cannot be written.
    """
    path = Path(path)
    note = path.with_suffix(".md")
    require(path != note, "path", "end in .html", path.name, "The same as Markdown gets the name that ends in .md.")
    check_file_writable(path)
    sections, view = ordered(SECTIONS), RunView(run=run)
    if not run.outcomes:
        sections = without_verdicts(sections)
    for chart in (chart for section in sections for chart in section.charts(view)):
        chart.write(path.parent / FIGURES)
    write_text(note, run_markdown(view, sections))
    # The first page has no clips and shows how many bytes are left for them.
    bytes_left = most_bytes - len(run_page(view, sections).encode())
    write_text(path, run_page(replace(view, clips=fitting_clips(run, bytes_left)), sections))
    return path


def run_page(view: RunView, sections: list[ReportSection[RunView]]) -> str:
    """The HTML page: the answer, sections that every reader needs, and behind their titles all others."""
    experiment, filled = view.experiment, fragments(sections, view)
    return render_page(
        "report.html.j2",
        title=experiment.title,
        description=_description(view),
        answer=_answer(view),
        counts={verdict: count for verdict, count in view.run.counts().items() if count},
        sections=[(section, html) for section, html in filled if not section.folded],
        folded=[(section, html) for section, html in filled if section.folded],
        provenance=view.run.record["provenance"],
        audited=bool(view.run.audits),
    )


def run_markdown(view: RunView, sections: list[ReportSection[RunView]]) -> str:
    """The Markdown: the same sections, as far as they have text or figures."""
    blocks = [f"# {text_of(view.experiment.title)}", *map(text_of, _description(view))]
    blocks += _answer_markdown(_answer(view))
    if view.run.outcomes:
        blocks.append(f"**{text_of(count_verdicts(view.run))}**")
    for section in sections:
        text = section.markdown(view)
        if text:
            blocks += [f"## {text_of(section.title)}"] * bool(section.title) + [text.strip()]
    provenance = view.run.record["provenance"]
    blocks.append(f"Run of {provenance['created']}, video-tcav {provenance['video_tcav']}.")
    return "\n\n".join(blocks) + "\n"


def _answer(view: RunView) -> Answer:
    return answer(view) if view.run.outcomes else answer_of_test(view)


def _answer_markdown(answer: Answer) -> list[str]:
    findings = [f"{model}: {' '.join(lines)}" if model else " ".join(lines) for model, lines in answer.findings]
    rows = {
        "Asked": [answer.asked],
        "Answer": findings,
        "How sure": answer.sure,
        "Not shown": answer.not_shown,
    }
    return [f"**{heading}.** {text_of(' '.join(texts))}" for heading, texts in rows.items() if texts]


def count_verdicts(run: Run) -> str:
    """How many hypotheses got each verdict."""
    counts = {verdict: count for verdict, count in run.counts().items() if count}
    total = len(run.outcomes)
    if total == 1:
        return f"One hypothesis was tested. It is {next(iter(counts))}."
    phrases = [f"{count} {'is' if count == 1 else 'are'} {verdict}" for verdict, count in counts.items()]
    return f"{total} hypotheses were tested: {listed(phrases)}."


def _description(view: RunView) -> list[str]:
    return [text.strip() for text in view.experiment.description.split("\n\n") if text.strip()]
