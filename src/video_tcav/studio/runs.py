"""Runs of tests on disk: found below the folders that were named, read as plain JSON, and doubted."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from video_tcav.core.errors import InputError

FILE_NAME = "results.json"
REPORT_NAME = "report.html"
SIZE_LIMIT = 32 * 1024 * 1024
_DEPTH = 3
_MOST_FOLDERS = 5_000
_MOST_RUNS = 300
_NOT_CONCEPTS = frozenset({"gradient", "random"})


Text = Annotated[str, Field(max_length=4096)]


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Row(_Loose):
    """One result as `ConceptResult` describes it, as far as the studio shows it."""

    target: Text
    concept: Text
    layer: Text
    versus: Text = "random"
    twin: Text = "none"
    against: Text = "log_odds"
    at: Text = "class"
    significance: Text = "permutation"
    correction: Text = "none"
    represented: bool
    effect: float | None
    effect_low: float | None = None
    effect_high: float | None = None
    p_adjusted: float | None
    tcav_score: float | None = None
    cav_accuracy: float | None = None
    n_concept_clips: int | None = None
    n_concept_groups: int | None = None


class _Model(_Loose):
    name: Text = ""


class _Provenance(_Loose):
    created: Text = ""
    model: _Model = _Model()
    clips: dict[str, dict[str, str | None]] = {}


class _File(_Loose):
    provenance: _Provenance
    warnings: list[Text] = []
    results: Annotated[list[Row], Field(max_length=20_000)]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a test.

    Attributes:
        id: names its folder in an address.
        name: its folder, as seen from the folder that was searched.
        folder: where it is, resolved.
        top: the folder that was searched.
        created: when, as the run wrote it.
        model: name of the model.
        rows: results.
        warnings: what a reader must know.
        clips: for each concept, the digest of each of its clips; `None` for a clip that could not be read.
    """

    id: str
    name: str
    folder: Path
    top: Path
    created: str
    model: str
    rows: Sequence[Row]
    warnings: Sequence[str]
    clips: Mapping[str, Sequence[str | None]]

    @property
    def report(self) -> Path | None:
        """Its page: in its folder, or above it where one page tells of several analyses; never a link out of that."""
        places = (place for place in (self.folder, *self.folder.parents) if place.is_relative_to(self.top))
        return next((found for place in places if (found := _report_in(place)) is not None), None)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found.

    Attributes:
        runs: newest first.
        problems: one line for each file that is no result.
    """

    runs: Sequence[Run]
    problems: Sequence[str]


@dataclass(kw_only=True)
class Runs:
    """Folders with runs, looked through anew each time they are asked for; a file that has not changed is read once.

    Attributes:
        folders: to search, three levels deep.
    """

    folders: Sequence[Path] = ()
    _read: dict[Path, tuple[tuple[int, int], "Run | str"]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for folder in self.folders:
            if not folder.is_dir():
                raise InputError(f"`runs` must be a folder. Got {folder}. Name one that `video-tcav test --out` wrote.")

    def find(self) -> Found:
        """The runs that are there now."""
        runs: dict[str, Run] = {}
        problems: list[str] = []
        for root in self.folders:
            top = root.resolve()
            try:
                for path in _candidates(top, problems):
                    if len(runs) >= _MOST_RUNS:
                        problems.append(f"{top.name}: only the first {_MOST_RUNS} runs are shown.")
                        break
                    one = self._one(path, top)
                    if isinstance(one, str):
                        problems.append(f"{_name(path.parent, top)}/{FILE_NAME} {one}")
                    else:
                        runs[one.id] = one
            except OSError as error:
                problems.append(f"{top.name} cannot be searched ({error.strerror}).")
        newest = sorted(runs.values(), key=lambda run: (run.created, run.name), reverse=True)
        return Found(runs=newest, problems=[_one_line(problem) for problem in problems])

    def _one(self, path: Path, top: Path) -> "Run | str":
        try:
            state = path.stat()
            key = state.st_mtime_ns, state.st_size
            if path not in self._read or self._read[path][0] != key:
                self._read[path] = key, _run(path, top)
            kept = self._read[path][1]
        except OSError as error:
            return f"cannot be read ({error.strerror})."
        return kept


def _candidates(top: Path, problems: list[str]) -> Iterator[Path]:
    """Files of the right name, nearest first; links are not followed, so that nothing outside is read."""
    level, seen = [top], 0
    for _ in range(_DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            seen += 1
            if seen > _MOST_FOLDERS:
                problems.append(f"{top.name}: only the first {_MOST_FOLDERS} folders were searched.")
                return
            try:
                with os.scandir(folder) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                problems.append(f"{_name(folder, top)} cannot be searched ({error.strerror}).")
                continue
            for entry in found:
                if entry.name == FILE_NAME:
                    if entry.is_symlink():
                        problems.append(f"{_name(folder, top)}/{FILE_NAME} is a link, which is not followed.")
                    else:
                        yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    below.append(Path(entry.path))
        level = below


def _run(path: Path, top: Path) -> "Run | str":
    """A run, or what is wrong with its file."""
    raw = _bytes(path)
    if isinstance(raw, str):
        return raw
    try:
        read = _File.model_validate(json.loads(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:80]
        return f"is no result of a test: {where or 'the file'}: {first['msg']}."
    except (ValueError, RecursionError) as error:
        reason = "too deep" if isinstance(error, RecursionError) else str(error)[:120]
        return f"is no JSON that can be read: {reason}."
    clips = {name: list(one.values()) for name, one in read.provenance.clips.items() if name not in _NOT_CONCEPTS}
    return Run(
        id=hashlib.sha256(os.fsencode(path.parent)).hexdigest()[:16],
        name=_name(path.parent, top),
        folder=path.parent,
        top=top,
        created=read.provenance.created,
        model=read.provenance.model.name,
        rows=read.results,
        warnings=read.warnings,
        clips=clips,
    )


def _bytes(path: Path) -> bytes | str:
    try:
        # a pipe must not hold the studio up, and a link that appeared since must not lead out
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        return f"cannot be read ({error.strerror})."
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


def _one_line(text: str) -> str:
    """Text for a terminal: names of folders and keys of a foreign file may hold anything."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _name(folder: Path, top: Path) -> str:
    below = folder.relative_to(top)
    return top.name if below == Path() else f"{top.name}/{below.as_posix()}"


def default_folders(bank: Path) -> list[Path]:
    """Where runs are looked for if nobody says: in the bank's own folder `runs`, if that is no link out of it."""
    folder = bank / "runs"
    return [folder] if folder.is_dir() and not folder.is_symlink() else []
