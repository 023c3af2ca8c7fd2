"""The run directory of an experiment: its files, their digests, its state, and its lock.

experiment.yaml     a copy of the experiment file
run.json            the resolved experiment, provenance, state; digests of all other files, and of itself
clips/              clips that were rendered for it
analyses/           one folder each, see `analyses.py`; its digests.json is written last
audits/             one folder a model, see `audits.py`; likewise
texts/              one folder a model and class, see `text_tests.py`; likewise
shown/              clips that the report shows, with their maps; likewise
hypotheses.*        verdicts; results.*, interventions.*, clip_effects.*: all analyses together; audit.*: all audits;
                    witnesses.*; pairs.*: what pairs show beside effects; text_results.*: all concepts in words
report.html         and report.md, figures/
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from video_tcav.core.errors import ExperimentError, OutputError
from video_tcav.core.files import as_read_back, atomic_path, check_writable, read_json, reason_of, write_json
from video_tcav.core.limits import excerpt
from video_tcav.core.lock import try_lock
from video_tcav.core.yaml_lines import YamlFile
from video_tcav.experiments.digests import (
    RESUME,
    check_files,
    damage_reported,
    damaged,
    digests_of,
    files_below,
    is_sealed,
    seal,
)
from video_tcav.experiments.file import Experiment

FORMAT = 2
# Of version 0.1: finished runs are read, without a check of their files; unfinished ones are not resumed.
FORMAT_WITHOUT_DIGESTS = 1
TABLES = ("hypotheses", "results", "interventions", "clip_effects", "audit", "witnesses", "pairs", "text_results")
"""Those of what the experiment asks for are there."""
RUN_AGAIN = "Run the experiment again in another folder."


@dataclass(frozen=True, kw_only=True)
class RunDirectory:
    """A run directory."""

    path: Path

    @property
    def analyses(self) -> Path:
        return self.path / "analyses"

    @property
    def audits(self) -> Path:
        return self.path / "audits"

    @property
    def texts(self) -> Path:
        return self.path / "texts"

    @property
    def clips(self) -> Path:
        return self.path / "clips"

    @property
    def shown(self) -> Path:
        return self.path / "shown"

    @property
    def store(self) -> Path:
        """Activations of an unfinished run."""
        return self.path / "activations"

    def record(self) -> dict[str, Any]:
        """What `run.json` holds.

        Raises:
            ExperimentError: if it is no run directory, damaged, or of a newer version.
        """
        path = self.path / "run.json"
        with damage_reported(path, RUN_AGAIN):
            if not path.exists():
                raise ExperimentError(
                    f"{self.path}: a run directory must hold run.json. Got none. "
                    "Give the folder that `video-tcav run` or `test --out` wrote."
                )
            record = read_json(path)
            version = record["format"]
            if type(version) is not int:
                raise TypeError("a format that is no whole number")
        if version > FORMAT:
            raise ExperimentError(
                f"{self.path}: a run must be of format {FORMAT} at most. Got {excerpt(version)}, of a newer video-tcav."
                " Upgrade it."
            )
        # Only version 0.1 wrote no digest: accepted of any version, removing the digest would pass the check.
        sealed = (
            is_sealed(record) if version == FORMAT else version == FORMAT_WITHOUT_DIGESTS and "digest" not in record
        )
        if not sealed:
            raise damaged(path, "other values than its digest says", RUN_AGAIN)
        if not isinstance(record.get("digests"), dict | None):
            raise damaged(path, "digests that are no mapping of names to values", RUN_AGAIN)
        return record

    def write_record(self, **facts: Any) -> None:
        """Write `run.json`."""
        write_json(self.path / "run.json", seal(as_read_back({"format": FORMAT, **facts})))

    def digests(self) -> dict[str, str]:
        """The digest of every file that a run has written, but for `run.json`, rendered clips and reports."""
        tables = [self.path / f"{name}.{ending}" for name in TABLES for ending in ("parquet", "csv")]
        files = [self.path / "experiment.yaml", self.path / "hypotheses.json", *filter(Path.exists, tables)]
        below = [
            path for folder in (self.analyses, self.audits, self.texts, self.shown) for path in files_below(folder)
        ]
        return digests_of(self.path, [*files, *below])

    def is_finished(self) -> bool:
        """Whether nothing is left to do; a finished run with a deleted folder, such as a damaged one, computes it again."""
        record = self.record()
        return bool(record.get("finished")) and all((self.path / name).exists() for name in record.get("digests") or ())

    def check_files(self, record: Mapping[str, Any]) -> None:
        """Refuse a finished run, whose `run.json` holds `record`, with a file that is not as it was written."""
        digests = record.get("digests")
        if digests is None:
            return  # of version 0.1, which wrote none
        for section in (self.analyses, self.audits, self.texts, self.shown):
            for path in files_below(section):
                if path.relative_to(self.path).as_posix() not in digests:
                    raise damaged(path, "a file that the run did not write", "Delete it.")
        for name, digest in digests.items():
            # The smallest folder that a resumed run computes again as a whole: of one analysis, audit or test of texts, or all
            # example clips.
            of_folder = name.startswith(("analyses/", "audits/", "texts/"))
            folder = "/".join(name.split("/")[:-1][:2]) if of_folder else name.split("/")[0]
            target = "it" if "/" not in name else f"the folder {self.path / folder}"
            check_files(self.path, {name: digest}, f"Delete {target}, {RESUME}")


def prepare_directory(
    path: Path, experiment: Experiment, file: YamlFile, *, resume: bool, facts: Mapping[str, Any]
) -> RunDirectory:
    """A run directory for an experiment: new, or the unfinished one of the same experiment.

    Raises:
        ExperimentError: if the folder holds something else.
        OutputError: if it cannot be written to.
    """
    directory = RunDirectory(path=path)
    if path.exists() and not path.is_dir():
        raise OutputError(f"`{path}` must be a folder. Got a file. Give another place with --out.")
    resolved, identity = experiment.model_dump(mode="json"), experiment.identity()
    # Without run.json nothing was computed: it is written before all else.
    if (path / "run.json").exists():
        before = directory.record()
        finished = before.get("finished")
        state = (
            "is finished. Give another --out, or --resume to read it again"
            if finished
            else "was not finished. Go on with --resume"
        )
        if not resume:
            raise ExperimentError(f"{path}: the folder must be new. Got a run that {state}.")
        if before["format"] == FORMAT_WITHOUT_DIGESTS and not finished:
            raise ExperimentError(
                f"{path}: a run must go on with the version that began it. Got one of video-tcav 0.1. Give another --out."
            )
        earlier = _identity(before.get("experiment"))
        if earlier != identity or before.get("model_digests") != facts.get("model_digests"):
            changes = changed_settings(earlier or {}, identity) or ["weights of a model"]
            raise ExperimentError(
                f"{path}: a run must go on with the same experiment. Got changes in {', '.join(changes[:5])}. Give another --out."
            )
        return directory
    if path.exists() and not all(resume and _is_of_a_start(entry, file.path) for entry in path.iterdir()):
        raise ExperimentError(f"{path}: the folder must be new or empty. Got other files in it. Give another --out.")
    check_writable(path)  # before an hour of work
    with atomic_path(path / "experiment.yaml") as temporary:
        temporary.write_bytes(file.path.read_bytes())
    directory.write_record(experiment=resolved, source=str(file.path), finished=False, **facts)
    return directory


def _is_of_a_start(entry: Path, experiment: Path) -> bool:
    """Whether a run that was killed before it wrote `run.json` can have left a file in its folder."""
    if entry.name == "experiment.yaml":
        return not entry.samefile(experiment) and entry.read_bytes() == experiment.read_bytes()
    return entry.name.startswith(
        (".experiment.yaml.", ".run.json.", ".video-tcav-write-check", "..video-tcav-write-check.")
    )


def _identity(resolved: Any) -> dict[str, Any] | None:
    """What the results of an earlier run depend on; settings that its version did not have are those of the default."""
    try:
        return Experiment.model_validate(resolved).identity()
    except ValidationError:
        return None


def changed_settings(before: Any, after: Any, path: str = "") -> list[str]:
    """Keys with dots at which two resolved experiments differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = dict.fromkeys([*before, *after])
        changes = (changed_settings(before.get(key), after.get(key), f"{path}.{key}".lstrip(".")) for key in keys)
        return [*chain.from_iterable(changes)]
    return [] if before == after else [path]


@contextmanager
def locked(directory: RunDirectory) -> Iterator[None]:
    """Lock the directory against a second process; the lock of a killed one is released by the system.

    Raises:
        ExperimentError: if another process works in it.
        OutputError: if the directory cannot be written to.
    """
    try:
        lock = try_lock(directory.path / ".lock")
    except OSError as error:
        raise OutputError(
            f"`{directory.path}` must be writable, as its run is not finished. Got: {reason_of(error)}. Copy it elsewhere, "
            "and go on there with --out and --resume."
        ) from error
    if lock is None:
        raise ExperimentError(
            f"{directory.path}: a run must be the only one in its folder. Got another that is at work. Wait for it, or give"
            " another --out."
        )
    try:
        yield
    finally:
        lock.release()
