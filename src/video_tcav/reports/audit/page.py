"""An audit as one HTML page: the bar of shares, the answer, versions with intervals, telling clips, and worst classes."""

from dataclasses import dataclass
from pathlib import Path

from video_tcav.auditing import PLAYERS, AuditFigure, AuditResult, VersionResult
from video_tcav.core.files import check_file_writable
from video_tcav.core.progress import progress_bar
from video_tcav.core.wording import percent
from video_tcav.reports.audit.answer import answer
from video_tcav.reports.audit.charts import share_bar, versions_chart
from video_tcav.reports.audit.clips import contact_sheet, telling_cards
from video_tcav.reports.page import write_page
from video_tcav.reports.run.provenance import named_values, present, version_facts
from video_tcav.reports.run.text import FIGURES, short_clip

_FIGURE_WORDS = {
    "sh_acc": "SHAcc: of swaps it says the person's class",
    "sb_err": "SBErr: of swaps it says the scene's class",
    "order_reversed": "lost when frames are reversed",
    "order_shuffled": "lost when frames are shuffled",
}


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class in the table of classes.

    Attributes:
        label: its name.
        original: its clips as they are.
        figures: SHAcc and SBErr, where clips were swapped.
        shares: of each player, as text.
    """

    label: str
    original: VersionResult
    figures: dict[str, AuditFigure]
    shares: dict[str, str]


def write_audit_page(result: AuditResult, path: str | Path, *, progress: bool = False) -> Path:
    """Write an audit as one HTML page that opens offline and loads nothing else, and its chart into the folder `figures`.

    Args:
        result: from `audit` or `load_audit`; with a folder, where example clips are wanted.
        path: of the page.
        progress: whether to show a progress bar on standard error.

    Returns:
        `path`.

    Raises:
        OutputError: if a file cannot be written.
    """
    path = Path(path)
    check_file_writable(path)
    chart = versions_chart(result)
    with progress_bar("page (parts)", 3, visible=progress) as advance:
        chart.write(path.parent / FIGURES)
        advance(1)
        telling = telling_cards(result)
        advance(1)
        sheet = contact_sheet(result)
        advance(1)
    players = [player for player in PLAYERS if any(share.player == player for share in result.shares)]
    return write_page(
        path,
        "audit.html.j2",
        result=result,
        answer=answer(result),
        counts={},
        bar=share_bar(result.shares_of()),
        chart=chart.svg,
        telling=telling,
        sheet=sheet,
        rows=[row for row in result if row.label is None],
        figures=[(figure_words(figure.name), figure) for figure in result.figures if figure.label is None],
        classes=class_rows(result),
        class_versions=[row for row in result if row.label is not None],
        players=players,
        players_columns=[(player, "number") for player in players],
        masks=mask_facts(result),
        provenance=_provenance(result),
    )


def figure_words(name: str) -> str:
    """What a single figure is, in words."""
    if name.startswith("contrasted_"):
        version = name.removeprefix("contrasted_").replace("_", " ")
        return f"contrasted: right on {version}, wrong on one frame of it"
    return _FIGURE_WORDS.get(name, name)


def class_rows(result: AuditResult) -> list[ClassRow]:
    """All classes, the worst first."""
    rows = []
    for label in result.worst_classes(len(result.labels)):
        original = result.version("original", label)
        if original is None:
            continue
        figures = {name: figure for name in ("sh_acc", "sb_err") if (figure := result.figure(name, label)) is not None}
        shares = {share.player: percent(share.share) for share in result.shares_of(label)}
        rows.append(ClassRow(label=label, original=original, figures=figures, shares=shares))
    return rows


def mask_facts(result: AuditResult) -> list[tuple[str, str]]:
    """How the masks were made, counted over clips; none where there are no masks."""
    clips = [clip for clip in result.answers.clips if clip.person_share is not None]
    if not clips:
        return []
    sizes = sorted(clip.person_share or 0.0 for clip in clips)
    return present(
        {
            "source": result.masks,
            "persons": _counted([clip.masks for clip in clips]),
            "scene behind them": _counted([clip.filled for clip in clips]),
            "to look at": "; ".join(f"{short_clip(clip.clip)}: {clip.doubts}" for clip in clips if clip.doubts),
            "size of the person": f"{percent(sizes[len(sizes) // 2], 1)} of the picture in the median clip, from "
            f"{percent(sizes[0], 1)} to {percent(sizes[-1], 1)}",
        }
    )


def _counted(texts: list[str]) -> str:
    return ", ".join(f"{text or 'not said'} ({texts.count(text)})" for text in dict.fromkeys(texts))


def _provenance(result: AuditResult) -> list[tuple[str, str]]:
    provenance = result.provenance
    return present(
        {
            "made": provenance.get("created"),
            **version_facts(provenance),
            "model": (provenance.get("model") or {}).get("name"),
            "weights (SHA-256)": (provenance.get("model") or {}).get("weights"),
            "settings": named_values(provenance.get("settings")),
            "clips of the model": named_values(provenance.get("clip_spec")),
            "seconds": named_values({name: f"{value:.1f}" for name, value in result.seconds.items()}),
        }
    )
