"""SHA-256 digests of a run's files, to detect and name a damaged one."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from video_tcav.core.errors import ExperimentError, VideoTcavError
from video_tcav.core.files import read_json, reason_of, write_json
from video_tcav.core.limits import check_regular
from video_tcav.core.result_files import DAMAGE

DIGESTS = "digests.json"
RESUME = "and run the experiment again with --resume."


def files_below(folder: Path) -> list[Path]:
    """All files below a folder, sorted; hidden files and those in hidden folders are left out."""
    paths = (path for path in folder.rglob("*") if not path.is_dir())
    return sorted(path for path in paths if not any(name.startswith(".") for name in path.relative_to(folder).parts))


def digests_of(root: Path, files: Iterable[Path]) -> dict[str, str]:
    """The digest of each file, by its path below `root`."""
    return {path.relative_to(root).as_posix(): _digest(path) for path in files}


def write_digests(folder: Path) -> None:
    """Write the digests of all files of a finished folder beside them, as its last file: with it the folder is complete."""
    files = [path for path in files_below(folder) if path != folder / DIGESTS]
    write_json(folder / DIGESTS, digests_of(folder, files))


def check_folder(folder: Path, cure: str) -> None:
    """Refuse a folder with a file that is not as it was written: an `ExperimentError` names it."""
    with damage_reported(folder / DIGESTS, cure):
        digests = read_json(folder / DIGESTS)
        if not isinstance(digests, Mapping):
            raise ValueError("no mapping of names to digests")
    check_files(folder, digests, cure)
    # A file more is damage, too: readers of an analysis look for files by their endings.
    written = {*digests, DIGESTS}
    for path in files_below(folder):
        if path.relative_to(folder).as_posix() not in written:
            raise damaged(path, "a file that the run did not write", cure)


def check_files(root: Path, digests: Mapping[str, Any], cure: str) -> None:
    """Refuse files that are not as they were written: an `ExperimentError` names the first."""
    for name, digest in digests.items():
        with damage_reported(root / name, cure):
            if _digest(root / name) != digest:
                raise ValueError("other bytes than its digest says")


def seal(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with a digest of itself."""
    return {**record, "digest": _record_digest(record)}


def is_sealed(record: Mapping[str, Any]) -> bool:
    """Whether a record is what `seal` returned."""
    return record.get("digest") == _record_digest({name: value for name, value in record.items() if name != "digest"})


@contextmanager
def damage_reported(path: Path, cure: str) -> Iterator[None]:
    """Turn what libraries raise on a damaged file into an `ExperimentError` that names the file and the cure."""
    try:
        yield
    except VideoTcavError:
        raise
    except DAMAGE as error:
        raise damaged(path, reason_of(error)[:200], cure) from error


def damaged(path: Path, reason: str, cure: str) -> ExperimentError:
    """The error for a file that is not as the run wrote it."""
    return ExperimentError(f"{path}: must be as the run wrote it. Got: {reason}. {cure}")


def _record_digest(record: Mapping[str, Any]) -> str:
    # Sorted keys make the digest independent of their order; backslashreplace admits lone surrogates of file names.
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode("utf-8", "backslashreplace")).hexdigest()


def _digest(path: Path) -> str:
    check_regular(path)  # a pipe would block, a device has no end
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
