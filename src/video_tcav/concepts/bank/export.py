"""Export: clips copied out of a bank, a folder a concept, with a manifest that tests and other tools read."""

import csv
from collections.abc import Sequence
from pathlib import Path

from video_tcav.concepts.bank.clips import Filter, choice_of_concepts, count_concepts, find_clips, groups_of, main_kind
from video_tcav.concepts.bank.files import check_inside, copy_synced
from video_tcav.concepts.bank.records import VERDICTS, BankClip, Verdict, concept_name
from video_tcav.core.checks import one_of
from video_tcav.core.errors import BankError
from video_tcav.core.escaping import spreadsheet_cell
from video_tcav.core.files import atomic_folder, atomic_path
from video_tcav.core.sqlite import Database

MANIFEST = "manifest.csv"


def write_export(database: Database, folder: Path, *, concepts: Sequence[str] | None, verdict: Verdict | None) -> Path:
    """Copy clips to a new folder and return the manifest; see `export_clips`."""
    if verdict is not None:
        one_of("verdict", verdict, VERDICTS)
    names = _names(database, concepts)
    clips = {name: find_clips(database, Filter(concept=name, verdict=verdict), order="added") for name in names}
    if not any(clips.values()):
        raise BankError(
            f"`bank` must have {verdict or 'some'} clips to export. Got none in {', '.join(names) or 'a bank without concepts'}. "
            "Judge some, or choose another verdict."
        )
    groups = groups_of(database)
    with atomic_folder(folder.absolute()) as partial:
        rows = [row for name in names for row in _copy(database.folder, partial, name, clips[name], groups)]
        with (
            atomic_path(partial / MANIFEST) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            # a cell that begins with = or @ would be run as a formula by a spreadsheet
            writer.writerows({name: spreadsheet_cell(cell) for name, cell in row.items()} for row in rows)
    return folder / MANIFEST


def _names(database: Database, concepts: Sequence[str] | None) -> list[str]:
    existing = [count.name for count in count_concepts(database)]
    if concepts is None:
        return existing
    names = list(dict.fromkeys(concept_name(name) for name in concepts))
    for name in names:
        if name not in existing:
            raise BankError(f"`concepts` must be of the bank. Got {name!r}. {choice_of_concepts(existing, name)}")
    return names


def _copy(
    bank_folder: Path, folder: Path, concept: str, clips: list[BankClip], groups: dict[int, str]
) -> list[dict[str, str]]:
    """Copy a concept's clips; their rows of the manifest."""
    main = main_kind(clips)
    rows = []
    for clip in clips:
        # clips of another kind in a folder of their own: a test is of one kind
        subfolder, label = (
            (concept, concept) if clip.kind == main else (f"{concept}.{clip.kind}", f"{concept}:{clip.kind}")
        )
        path = folder / subfolder / f"{clip.kind}-{clip.id:06d}{clip.path.suffix}"
        if not clip.path.is_file():
            raise BankError(
                f"`bank` must have all its files. Got clip {clip.id} without {clip.path}. Run `video-tcav bank check`."
            )
        check_inside(bank_folder, clip.path)
        with atomic_path(path) as temporary:
            copy_synced(clip.path, temporary)
        rows.append(_row(path.relative_to(folder), label, clip, groups[clip.id]))
    return rows


def _row(path: Path, label: str, clip: BankClip, group: str) -> dict[str, str]:
    origin = clip.origin
    return {
        "path": path.as_posix(),
        "label": label,
        "group": group,
        "kind": clip.kind,
        "verdict": clip.verdict,
        "video": origin.video,
        "video_digest": origin.video_digest,
        # not start_s and end_s: in a manifest these mean a segment of the file that the row names
        "video_start_s": f"{origin.start_s:.6g}",
        "video_end_s": f"{origin.end_s:.6g}",
        "detected": origin.label,
        "score": f"{origin.score:.4g}",
        "tube": clip.tube,
        "quality": f"{clip.quality:.6g}",
    }
