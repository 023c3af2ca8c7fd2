"""Results of test runs on disk: found below the named folders, read as untrusted JSON."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pydantic import ValidationError

from video_tcav.core.errors import InputError
from video_tcav.core.escaping import one_line
from video_tcav.core.files import reason_of
from video_tcav.core.limits import parse_json

FILE_NAME = "results.json"
REPORT_NAME = "report.html"
SIZE_LIMIT = 32 * 1024 * 1024
# Folders are named by users and may be anything, such as a home folder: so far and no farther.
_DEPTH = 3
_MOST_FOLDERS = 5_000
_MOST_RUNS = 300
_LONGEST_TITLE = 120  # as experiment files allow
_NOT_CONCEPTS = frozenset({"gradient", "random"})

Row = Mapping[str, Any]
"""A result, see `result_file.ResultFile.rows`."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a test."""

    id: str  # names its folder in an address
    name: str  # its folder, as seen from the folder that was searched; after the title, if it is of an experiment
    folder: Path  # resolved
    top: Path  # the folder that was searched
    created: str  # as the run wrote it
    model: str
    rows: Sequence[Row]
    warnings: Sequence[str]
    clips: Mapping[str, Sequence[str | None]]  # digests by concept; `None` for a clip that could not be read

    @property
    def report(self) -> Path | None:
        """Its page: in its folder, or above it where one page tells of several analyses; never a link out of that."""
        folders = (folder for folder in (self.folder, *self.folder.parents) if folder.is_relative_to(self.top))
        return next((path for folder in folders if (path := _report_in(folder)) is not None), None)


@dataclass(frozen=True, kw_only=True)
class RunList:
    """The runs in some folders, newest first, and one line for each file that is no result."""

    runs: Sequence[Run]
    problems: Sequence[str]


@dataclass(kw_only=True)
class Runs:
    """Folders with runs, searched again for each request; a file that has not changed is read once.

    Attributes:
        folders: to search, three levels deep.
    """

    folders: Sequence[Path] = ()
    _read: dict[Path, tuple[tuple[int, int], "Run | str"]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for folder in self.folders:
            if not folder.is_dir():
                raise InputError(f"`runs` must be a folder. Got {folder}. Name one that `video-tcav test --out` wrote.")

    def find(self) -> RunList:
        """The runs that there are now."""
        runs: dict[str, Run] = {}
        problems: list[str] = []
        for root in self.folders:
            top = root.resolve()
            try:
                for path in _candidates(top, problems):
                    if len(runs) >= _MOST_RUNS:
                        problems.append(f"{top.name}: only the first {_MOST_RUNS} runs are shown.")
                        break
                    run = self._cached(path, top)
                    if isinstance(run, str):
                        problems.append(f"{_name(path.parent, top)}/{FILE_NAME} {run}")
                    else:
                        runs[run.id] = run
            except OSError as error:
                problems.append(f"{top.name} cannot be searched ({reason_of(error)}).")
        newest = sorted(runs.values(), key=lambda run: (run.created, run.name), reverse=True)
        return RunList(runs=newest, problems=[one_line(problem) for problem in problems])

    def _cached(self, path: Path, top: Path) -> "Run | str":
        try:
            state = path.stat()
            key = state.st_mtime_ns, state.st_size
            if path not in self._read or self._read[path][0] != key:
                self._read[path] = key, _read_run(path, top)
            return self._read[path][1]
        except OSError as error:
            return f"cannot be read ({reason_of(error)})."


def _candidates(top: Path, problems: list[str]) -> Iterator[Path]:
    """Files of the right name, nearest first; links are not followed, so that nothing outside is read."""
    level, count = [top], 0
    for _ in range(_DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            count += 1
            if count > _MOST_FOLDERS:
                problems.append(f"{top.name}: only the first {_MOST_FOLDERS} folders were searched.")
                return
            try:
                with os.scandir(folder) as scan:
                    entries = sorted(scan, key=lambda entry: entry.name)
            except OSError as error:
                problems.append(f"{_name(folder, top)} cannot be searched ({reason_of(error)}).")
                continue
            for entry in entries:
                if entry.name == FILE_NAME:
                    if entry.is_symlink():
                        problems.append(f"{_name(folder, top)}/{FILE_NAME} is a link, which is not followed.")
                    else:
                        yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    below.append(Path(entry.path))
        level = below


def _read_run(path: Path, top: Path) -> "Run | str":
    """A run, or what is wrong with its file."""
    raw = _bytes(path)
    if isinstance(raw, str):
        return raw
    try:
        # Loaded for the first run only: the page of a bank without runs does not wait for the statistics.
        file = resolve_name("video_tcav.studio.result_file:ResultFile").model_validate(parse_json(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])[:80]
        return f"is no result of a test: {where or 'the file'}: {first['msg']}."
    except ValueError as error:
        return f"is no JSON that can be read: {str(error)[:120]}."
    provenance = file.provenance
    clips = {name: list(digests.values()) for name, digests in provenance.clips.items() if name not in _NOT_CONCEPTS}
    return Run(
        id=hashlib.sha256(os.fsencode(path.parent)).hexdigest()[:16],
        name=_title(path.parent, top),
        folder=path.parent,
        top=top,
        created=provenance.created,
        model=provenance.model.name,
        rows=file.rows,
        warnings=file.warnings,
        clips=clips,
    )


def _bytes(path: Path) -> bytes | str:
    # a pipe must not hold the studio up, and a link that appeared since must not lead out
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            return "is no regular file."
        raw = file.read(SIZE_LIMIT + 1) if state.st_size <= SIZE_LIMIT else b""
    if state.st_size > SIZE_LIMIT or len(raw) > SIZE_LIMIT:
        return f"is too large: at most {SIZE_LIMIT // 1024**2} MB are read."
    return raw


def _report_in(folder: Path) -> Path | None:
    path = folder / REPORT_NAME
    try:
        inside = path.resolve(strict=True).is_relative_to(folder)
    except OSError:
        return None
    return path if inside and path.is_file() else None


def _name(folder: Path, top: Path) -> str:
    below = folder.relative_to(top)
    return top.name if below == Path() else f"{top.name}/{below.as_posix()}"


def _title(folder: Path, top: Path) -> str:
    """The name of a result; where an experiment ran, the analysis after the experiment's title."""
    name, record = _name(folder, top), folder.parent.parent / "run.json"
    if folder.parent.name != "analyses" or not record.is_relative_to(top) or not record.is_file():
        return name
    raw = _bytes(record)
    try:
        title = parse_json(raw)["experiment"]["title"] if isinstance(raw, bytes) else ""
    except (ValueError, LookupError, TypeError):  # it is no record of a run
        return name
    return f"{one_line(title[:_LONGEST_TITLE])} ({name})" if isinstance(title, str) and title else name


def default_folders(bank: Path) -> list[Path]:
    """Where runs are searched by default: in the bank's own folder `runs`, if that is no link out of it."""
    folder = bank / "runs"
    return [folder] if folder.is_dir() and not folder.is_symlink() else []
