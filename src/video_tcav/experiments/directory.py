"""The run directory: what an experiment was, what was found, and whether it is finished.

experiment.yaml     as it was given
run.json            the resolved experiment, provenance, state
clips/              clips that were rendered for it
analyses/           one folder each, see `analyses.py`
shown/              clips that the report shows, with their maps
hypotheses.*        verdicts; results.*, clip_effects.*: all analyses together
report.html         and report.md, figures/
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from video_tcav.core.errors import ExperimentError, OutputError
from video_tcav.core.files import atomic_path, check_writable, read_json, reason_of, write_json
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.yaml_lines import YamlFile

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class RunDirectory:
    """A run directory."""

    path: Path

    @property
    def analyses(self) -> Path:
        return self.path / "analyses"

    @property
    def clips(self) -> Path:
        return self.path / "clips"

    @property
    def shown(self) -> Path:
        return self.path / "shown"

    @property
    def store(self) -> Path:
        """Activations, for as long as the run is not finished."""
        return self.path / "activations"

    def record(self) -> dict[str, Any]:
        """What `run.json` holds.

        Raises:
            ExperimentError: if it is no run directory, damaged, or of a newer version.
        """
        try:
            found = read_json(self.path / "run.json")
            version = int(found["format"])
        except FileNotFoundError as error:
            raise ExperimentError(
                f"{self.path}: a run directory must hold run.json. Got none. Give the folder that `video-tcav run` wrote."
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ExperimentError(
                f"{self.path / 'run.json'}: must be readable. Got: {error}. Run the experiment again."
            ) from error
        if version > FORMAT:
            raise ExperimentError(
                f"{self.path}: a run must be of format {FORMAT} at most. Got {version}, of a newer video-tcav. Upgrade it."
            )
        return found

    def write_record(self, **facts: Any) -> None:
        """Write `run.json`."""
        write_json(self.path / "run.json", {"format": FORMAT, **facts})


def prepare(
    path: Path, experiment: Experiment, file: YamlFile, *, resume: bool, facts: Mapping[str, Any]
) -> RunDirectory:
    """A run directory for an experiment: new, or the unfinished one of the same experiment.

    Raises:
        ExperimentError: if the folder holds something else.
        OutputError: if it cannot be written to.
    """
    found = RunDirectory(path=path)
    if path.exists() and not path.is_dir():
        raise OutputError(f"`{path}` must be a folder. Got a file. Give another place with --out.")
    resolved = experiment.model_dump(mode="json")
    if (path / "run.json").exists():
        before = found.record()
        state = "is finished" if before.get("finished") else "was not finished"
        if not resume:
            cure = (
                "Give another --out, or --resume to read it again."
                if before.get("finished")
                else "Go on with --resume."
            )
            raise ExperimentError(f"{path}: the folder must be new. Got a run that {state}. {cure}")
        if before.get("experiment") != resolved or before.get("model_digests") != facts.get("model_digests"):
            what = changed(before.get("experiment") or {}, resolved) or ["weights of a model"]
            raise ExperimentError(
                f"{path}: a run must go on with the same experiment. Got changes in {', '.join(what[:5])}. Give another --out."
            )
        return found
    if path.exists() and any(path.iterdir()):
        raise ExperimentError(f"{path}: the folder must be new or empty. Got other files in it. Give another --out.")
    check_writable(path)
    with atomic_path(path / "experiment.yaml") as temporary:
        temporary.write_bytes(file.path.read_bytes())
    found.write_record(experiment=resolved, source=str(file.path), finished=False, **facts)
    return found


def changed(before: Any, after: Any, place: str = "") -> list[str]:
    """Where two resolved experiments differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = dict.fromkeys([*before, *after])
        return [
            where for key in keys for where in changed(before.get(key), after.get(key), f"{place}.{key}".lstrip("."))
        ]
    return [] if before == after else [place]


@contextmanager
def held(directory: RunDirectory) -> Iterator[None]:
    """Keep a second process from running in the same directory meanwhile; a killed one holds nothing.

    Raises:
        ExperimentError: if another process is at it.
        OutputError: if the directory cannot be written to.
    """
    lock = FileLock(directory.path / ".lock", thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise ExperimentError(
            f"{directory.path}: a run must be the only one in its folder. Got another that is at work. Wait for it, or give"
            " another --out."
        ) from error
    except OSError as error:
        raise OutputError(
            f"`{directory.path}` must be writable, as its run is not finished. Got: {reason_of(error)}. Copy it elsewhere, "
            "and go on there with --out and --resume."
        ) from error
    try:
        yield
    finally:
        lock.release()
