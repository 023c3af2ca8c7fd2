"""Integrity check of a bank: each row has its file, unchanged, and each file its row."""

import sqlite3
from pathlib import Path

from video_tcav.concepts.bank.clips import all_rows, read_row
from video_tcav.concepts.bank.database import FILE_NAME
from video_tcav.concepts.bank.files import CLIPS, check_inside, is_abandoned
from video_tcav.concepts.bank.insertion import remove_unnamed
from video_tcav.core.errors import BankError, MediaError, OutputError
from video_tcav.core.sqlite import Database
from video_tcav.media import file_digest


def find_problems(database: Database) -> list[str]:
    """What is wrong with a bank, in words."""
    problems = [f"{database.folder}: the database is damaged: {words}" for words in _damage(database)]
    problems += [problem for row in all_rows(database) if (problem := _row_problem(database.folder, row))]
    problems += [f"{path}: no clip has this file; remove it with --repair" for path in unnamed_files(database)]
    return problems


def remove_unnamed_files(database: Database) -> list[Path]:
    """Remove the files that no row names; their paths."""
    try:
        return [path for path in unnamed_files(database) if remove_unnamed(database, path)]
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"`bank` must be writable. Got: {error}. Check the rights.") from error


def unnamed_files(database: Database) -> list[Path]:
    """Files that neither a row nor a step of undo names, but for those that a running process writes."""
    clips = database.folder / CLIPS
    check_inside(database.folder, clips)  # behind a link are no files of the bank, least of all to be removed
    paths = sorted(database.folder.glob(f".{FILE_NAME}.*.tmp*"))
    # before the rows: a file that comes meanwhile is not listed at all; a link to a folder is listed, and not followed
    paths += sorted(path for path in clips.rglob("*") if path.is_symlink() or not path.is_dir())
    named = {f"{row['digest']}{row['ending']}" for row in all_rows(database)}
    steps = "\n".join(str(row["before"]) for row in database.read("SELECT before FROM changes"))
    return [path for path in paths if path.name not in named and path.stem not in steps and is_abandoned(path)]


def _damage(database: Database) -> list[str]:
    # The quick check leaves out that indexes agree with their tables, and lists ten faults at most.
    words = [str(row[0]) for row in database.read("PRAGMA quick_check(10)")]
    lost = database.read("PRAGMA foreign_key_check")
    return [text for text in words if text != "ok"] + [f"a row of {row[0]} points nowhere" for row in lost]


def _row_problem(folder: Path, row: sqlite3.Row) -> str | None:
    try:
        clip = read_row(folder, row)
    except BankError as error:
        return str(error)
    file = f"{clip.path}: file of clip {clip.id} ({clip.concept or 'no concept'}, {clip.verdict})"
    if clip.path.is_symlink():  # wherever it leads: what it leads to may change or go
        return f"{file} is a link; put the file itself there"
    if not clip.path.exists():
        return f"{file} is missing; bring it back from a copy, or reject the clip"
    try:
        changed = file_digest(clip.path) != clip.digest
    except MediaError as error:
        return f"{file} cannot be used: {error.reason}"
    return f"{file} was changed; bring it back from a copy, or reject the clip" if changed else None
