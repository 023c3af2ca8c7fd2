"""What a run was made from, and the commands that make it again."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Run

Facts = list[tuple[str, str]]


def commands(run: Run) -> tuple[str, str]:
    """What makes the run and this page again, beside the experiment file: its paths are meant from there."""
    name = Path(str(run.record.get("source", "experiment.yaml"))).name
    return f"video-tcav run {shlex.quote(name)} --out again", "video-tcav report again"


def provenance_facts(run: Run) -> list[tuple[str, Facts]]:
    """Facts of the run, then of each analysis."""
    noted: Mapping[str, Any] = run.record["provenance"]
    facts: list[tuple[str, Any]] = [
        ("made", noted.get("created")),
        ("video-tcav", noted.get("video_tcav")),
        ("Python", noted.get("python")),
        ("packages", _listed(noted.get("packages"))),
        ("platform", noted.get("platform")),
        ("seed", run.experiment.seed),
        *((f"weights of {name} (SHA-256)", digest) for name, digest in (run.record.get("model_digests") or {}).items()),
    ]
    found = [("The run", _told(facts))]
    for one in run.analyses:
        own: Mapping[str, Any] = one.record["provenance"]
        which = ", ".join((one.which.model, one.which.target, one.which.space, one.which.test))
        found.append(
            (
                f"Analysis: {which}",
                _told(
                    [
                        ("settings", _listed(own.get("settings"))),
                        ("clips of the model", _listed(own.get("clip_spec"))),
                        ("weights (SHA-256)", (own.get("model") or {}).get("weights")),
                        ("clips (SHA-256 each)", _clips(own.get("clips"), one.folder)),
                        (
                            "files left out",
                            str(len(one.record.get("skipped", ()))) if one.record.get("skipped") else None,
                        ),
                        ("seconds", _seconds(own.get("seconds"))),
                    ]
                ),
            )
        )
    return found


def experiment_file(run: Run) -> str:
    """The text of the experiment file, as the run keeps it.

    Raises:
        ExperimentError: if it is gone.
    """
    path = run.path / "experiment.yaml"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path}: must be readable. Got: {error}. Put the experiment file back.") from error


def _clips(clips: Any, folder: Path) -> str | None:
    if not isinstance(clips, Mapping):
        return None
    counts = ", ".join(f"{name} {len(files)}" for name, files in clips.items() if hasattr(files, "__len__"))
    return f"{counts}; all in analyses/{folder.name}/results.json"


def _seconds(seconds: Any) -> str | None:
    if not isinstance(seconds, Mapping):
        return None
    return ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if isinstance(value, int | float))


def _told(facts: list[tuple[str, Any]]) -> Facts:
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _listed(facts: Mapping[str, Any] | None) -> str:
    def text(value: Any) -> str:
        return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    return ", ".join(f"{name} {text(value)}" for name, value in (facts or {}).items() if value is not None)
