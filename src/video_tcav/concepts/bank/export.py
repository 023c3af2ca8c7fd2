"""Clips out of a bank: a folder a concept, and a manifest that tests and other tools read."""

import csv
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from video_tcav.concepts.bank.clips import groups_of, main_kind
from video_tcav.concepts.bank.files import check_inside, copy_synced
from video_tcav.concepts.bank.records import VERDICTS, BankClip, Verdict, concept_name
from video_tcav.core.checks import one_of
from video_tcav.core.errors import BankError, OutputError
from video_tcav.core.escaping import spreadsheet_cell
from video_tcav.core.files import atomic_path

if TYPE_CHECKING:
    from video_tcav.concepts.bank.bank import ConceptBank

MANIFEST = "manifest.csv"

# not start_s and end_s: in a manifest these mean a part of the file that the row names
_COLUMNS = (
    *("path", "label", "group", "kind", "verdict", "video", "video_digest", "video_start_s", "video_end_s"),
    *("detected", "score", "tube", "quality"),
)


def export_clips(
    bank: "ConceptBank",
    folder: str | Path,
    *,
    concepts: Sequence[str] | None = None,
    verdict: Verdict | None = "accepted",
) -> Path:
    """Copy clips to a new folder: one folder a concept, and `manifest.csv` with a row a clip.

    A concept's moving clips (or whatever kind it has) bear its name as label; those of another kind are in a folder of
    their own and have the label `NAME:KIND`, since a test is of one kind.

    Args:
        bank: to take them from.
        folder: to make; it may exist if it is empty.
        concepts: which; all that have a name if not given.
        verdict: which clips; `None` takes all.

    Returns:
        The manifest.

    Raises:
        BankError: if there is no such concept, no clip to export, or a file of the bank is missing; then nothing is left.
        OutputError: if the folder holds something or cannot be written to.
    """
    if verdict is not None:
        one_of("verdict", verdict, VERDICTS)
    names = _names(bank, concepts)
    chosen = [(name, clips) for name in names if (clips := bank.clips(concept=name, verdict=verdict, order="added"))]
    if not chosen:
        raise BankError(
            f"`bank` must have {verdict or 'some'} clips to export. Got none in {', '.join(names) or 'a bank without concepts'}. "
            "Judge some, or choose another verdict."
        )
    groups = groups_of(bank.database)
    with _whole_folder(Path(folder).absolute()) as unfinished:
        rows = [row for name, clips in chosen for row in _copy(bank.folder, unfinished, name, clips, groups)]
        with (
            atomic_path(unfinished / MANIFEST) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(
                {name: spreadsheet_cell(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
                for row in rows
            )
    return Path(folder) / MANIFEST


def _names(bank: "ConceptBank", concepts: Sequence[str] | None) -> list[str]:
    known = [count.name for count in bank.concepts()]
    if concepts is None:
        return known
    names = list(dict.fromkeys(concept_name(name) for name in concepts))
    for name in names:
        if name not in known:
            raise BankError(
                f"`concepts` must be of the bank. Got {name!r}. Choose among: {', '.join(known) or 'none'}."
            )
    return names


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill, which is at `folder` when the block ends without an error, and gone otherwise."""
    unfinished = None
    try:
        there = folder.exists()
        if there and any(folder.iterdir()):
            raise OutputError(f"`folder` must be new or empty. Got {folder}, which holds something. Give another name.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        # inside a folder that is there already: it may be a mount, or the only place that can be written to
        unfinished = (folder if there else folder.parent) / f".export-{secrets.token_hex(6)}.tmp"
        unfinished.mkdir()
        yield unfinished
        if there:
            for part in sorted(unfinished.iterdir(), key=lambda part: part.name == MANIFEST):  # the manifest last
                part.rename(folder / part.name)
        else:
            unfinished.rename(folder)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        reason = error.strerror or str(error)
        raise OutputError(f"`folder` must be writable. Got: {reason} for {folder}. Give another place.") from error
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)


def _copy(
    bank_folder: Path, folder: Path, name: str, clips: list[BankClip], groups: dict[int, str]
) -> list[dict[str, object]]:
    main = main_kind(clips)
    rows: list[dict[str, object]] = []
    for clip in clips:
        place, label = (name, name) if clip.kind == main else (f"{name}.{clip.kind}", f"{name}:{clip.kind}")
        path = folder / place / f"{clip.kind}-{clip.id:06d}{clip.path.suffix}"
        if not clip.path.is_file():
            raise BankError(
                f"`bank` must have all its files. Got clip {clip.id} without {clip.path}. Run `video-tcav bank check`."
            )
        check_inside(bank_folder, clip.path)
        with atomic_path(path) as temporary:
            copy_synced(clip.path, temporary)
        rows.append(_row(path.relative_to(folder), label, clip, groups[clip.id]))
    return rows


def _row(path: Path, label: str, clip: BankClip, group: str) -> dict[str, object]:
    origin = clip.origin
    return {
        "path": path.as_posix(),
        "label": label,
        "group": group,
        "kind": clip.kind,
        "verdict": clip.verdict,
        "video": origin.video,
        "video_digest": origin.video_digest,
        "video_start_s": f"{origin.start_s:.6g}",
        "video_end_s": f"{origin.end_s:.6g}",
        "detected": origin.label,
        "score": f"{origin.score:.4g}",
        "tube": clip.tube,
        "quality": f"{clip.quality:.6g}",
    }
