"""Provenance of a run: versions, settings and digests by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Analysis, Run

Facts = list[tuple[str, str]]


def provenance_facts(run: Run) -> list[tuple[str, Facts]]:
    """Facts of the run, then of each analysis."""
    return [("The run", _run_facts(run)), *(_analysis_facts(analysis) for analysis in run.analyses)]


def _run_facts(run: Run) -> Facts:
    provenance: Mapping[str, Any] = run.record["provenance"]
    digests = run.record.get("model_digests") or {}
    # In the order of the page; runs of early versions lack some of it.
    return _present(
        {
            "made": provenance.get("created"),
            "video-tcav": provenance.get("video_tcav"),
            "Python": provenance.get("python"),
            "packages": named_values(provenance.get("packages")),
            "platform": provenance.get("platform"),
            "seed": run.experiment.seed,
            **{f"weights of {name} (SHA-256)": digest for name, digest in digests.items()},
        }
    )


def _analysis_facts(analysis: Analysis) -> tuple[str, Facts]:
    provenance: Mapping[str, Any] = analysis.record["provenance"]
    key = ", ".join((analysis.which.model, analysis.which.target, analysis.which.space, analysis.which.test))
    facts = {
        "settings": named_values(provenance.get("settings")),
        "clips of the model": named_values(provenance.get("clip_spec")),
        "weights (SHA-256)": (provenance.get("model") or {}).get("weights"),
        "clips (SHA-256 each)": _clip_counts(provenance.get("clips"), analysis.folder),
        "files left out": len(analysis.record.get("skipped", ())) or None,
        "seconds": _seconds(provenance.get("seconds")),
    }
    return f"Analysis: {key}", _present(facts)


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


def named_values(facts: Mapping[str, Any] | None) -> str:
    """Names and values on one line; values that are `None` are left out."""

    def text(value: Any) -> str:
        return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    return ", ".join(f"{name} {text(value)}" for name, value in (facts or {}).items() if value is not None)


def _clip_counts(clips: Any, folder: Path) -> str | None:
    if not isinstance(clips, Mapping):
        return None
    # Digests of all clips would fill the page: the file has them.
    counts = ", ".join(f"{name} {len(files)}" for name, files in clips.items() if hasattr(files, "__len__"))
    return f"{counts}; all in analyses/{folder.name}/results.json"


def _seconds(seconds: Any) -> str | None:
    if not isinstance(seconds, Mapping):
        return None
    return ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if isinstance(value, int | float))


def _present(facts: Mapping[str, Any]) -> Facts:
    return [(name, str(value)) for name, value in facts.items() if value not in (None, "")]
