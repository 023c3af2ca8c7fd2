"""Provenance of a run: versions, settings and digests by name."""

from collections.abc import Mapping
from typing import Any

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments import Analysis, ModelAudit, Run, TextTest

Facts = list[tuple[str, str]]


def provenance_facts(run: Run) -> list[tuple[str, Facts]]:
    """Facts of the run, then of each analysis, test of texts and audit."""
    analyses = [_analysis_facts(analysis) for analysis in run.analyses]
    return [("The run", _run_facts(run)), *analyses, *map(_text_facts, run.texts), *map(_audit_facts, run.audits)]


def _run_facts(run: Run) -> Facts:
    provenance: Mapping[str, Any] = run.record["provenance"]
    digests = run.record.get("model_digests") or {}
    facts = {
        "made": provenance.get("created"),
        **version_facts(provenance),
        "seed": run.experiment.seed,
        **{f"weights of {name} (SHA-256)": digest for name, digest in digests.items()},
    }
    return present(facts)


def _analysis_facts(analysis: Analysis) -> tuple[str, Facts]:
    provenance: Mapping[str, Any] = analysis.record["provenance"]
    key = ", ".join((analysis.which.model, analysis.which.target, analysis.which.space, analysis.which.test))
    # Digests of all clips would fill the page: the file has them.
    counts = named_values({name: len(digests) for name, digests in (provenance.get("clips") or {}).items()})
    seconds = {name: f"{value:.1f}" for name, value in (provenance.get("seconds") or {}).items()}
    facts = {
        "settings": named_values(provenance.get("settings")),
        "clips of the model": named_values(provenance.get("clip_spec")),
        "weights (SHA-256)": (provenance.get("model") or {}).get("weights"),
        "clips (SHA-256 each)": counts and f"{counts}; all in {_results_file(analysis)}",
        "files left out": len(analysis.record.get("skipped", ())) or None,
        "seconds": named_values(seconds),
    }
    return f"Analysis: {key}", present(facts)


def _text_facts(test: TextTest) -> tuple[str, Facts]:
    provenance: Mapping[str, Any] = test.result.provenance
    counts = named_values({name: len(digests) for name, digests in provenance["clips"].items()})
    facts = {
        "settings": named_values(provenance.get("settings")),
        "encoder": named_values(provenance.get("encoder")),
        "clips (SHA-256 each)": f"{counts}; all in texts/{test.folder.name}/text_results.json",
        "files left out": len(test.result.skipped) or None,
    }
    return f"In words: {test.key.model}, {test.key.target}", present(facts)


def _audit_facts(audit: ModelAudit) -> tuple[str, Facts]:
    result = audit.result
    provenance: Mapping[str, Any] = result.provenance
    facts = {
        "settings": named_values(provenance.get("settings")),
        "clips of the model": named_values(provenance.get("clip_spec")),
        "clips (SHA-256 each)": f"{len(provenance['clips'])}; all in audits/{audit.folder.name}/results.json",
        "files left out": len(result.skipped) or None,
        "seconds": named_values({name: f"{value:.1f}" for name, value in result.seconds.items()}),
    }
    return f"Audit: {audit.model}", present(facts)


def _results_file(analysis: Analysis) -> str:
    """Where the file with all digests lies, from the folder of the page."""
    is_of_run = analysis.folder.parent.name == "analyses"
    return f"analyses/{analysis.folder.name}/results.json" if is_of_run else "results.json"


def experiment_file(run: Run) -> str:
    """The text of the experiment file, as the run keeps it; empty for a test, which has none."""
    path = run.path / "experiment.yaml"
    if not run.outcomes and not path.exists():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path}: must be readable. Got: {error}. Put the experiment file back.") from error


def named_values(facts: Mapping[str, Any] | None) -> str:
    """Names and values on one line; values that are `None` are left out."""

    def text(value: Any) -> str:
        return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    return ", ".join(f"{name} {text(value)}" for name, value in (facts or {}).items() if value is not None)


def version_facts(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Versions and platform, as far as they were noted: results of early versions lack some."""
    return {
        "video-tcav": provenance.get("video_tcav"),
        "Python": provenance.get("python"),
        "packages": named_values(provenance.get("packages")),
        "platform": provenance.get("platform"),
    }


def present(facts: Mapping[str, Any]) -> Facts:
    """The facts that there are, as text."""
    return [(name, str(value)) for name, value in facts.items() if value not in (None, "")]
