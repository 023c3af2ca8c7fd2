"""Audits of an experiment's models: checked with its file, computed once a model into a folder of its own, and read back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from video_tcav.auditing.plan import AuditQuestion, plan_audit
from video_tcav.auditing.result import AuditResult
from video_tcav.auditing.result_files import load_audit
from video_tcav.auditing.run import audit
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.files import atomic_folder, read_json, write_json
from video_tcav.core.yaml_lines import YamlFile, YamlPath
from video_tcav.experiments.audit_section import Audit
from video_tcav.experiments.clips import audited_sources
from video_tcav.experiments.digests import RESUME, check_folder, damage_reported, write_digests
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.run_context import RunContext
from video_tcav.experiments.same_clips import check_same_digests
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.class_names import class_of_label

MODEL = "model.json"
"""The file that says which model of the experiment an audit is of."""


@dataclass(frozen=True, kw_only=True)
class ModelAudit:
    """The audit of one model.

    Attributes:
        model: its name in the experiment.
        folder: where.
        result: of `audit`.
    """

    model: str
    folder: Path
    result: AuditResult

    def to_frame(self) -> pd.DataFrame:
        """One row a version, over all classes and of each, with the model's name in the experiment."""
        frame = self.result.to_frame()
        frame.insert(0, "model", self.model)
        return frame


def compute_audits(context: RunContext, sources: Sequence[VideoSource]) -> None:
    """Compute every audit that is not in the directory yet."""
    experiment, file_folder = context.experiment, context.file.path.absolute().parent
    for name, folder in context.audits.items():
        if folder.is_dir():
            check_folder(folder, f"Delete the folder {folder}, {RESUME}")
            _check_same_clips(folder, sources)
            continue
        assert experiment.audit is not None
        # The folder gets its name when all is in it: a killed audit leaves its logits beside the store, and no half a folder.
        context.say(f"audit: {name}")
        with atomic_folder(folder) as partial:
            question = _question(experiment, file_folder, sources)
            audit(
                context.models[name],
                question.clips,
                versions=question.versions,
                reject=question.reject,
                group=question.group,
                seed=question.seed,
                out=partial,
                progress=context.progress,
                audit_settings=experiment.audit.settings(file_folder),
                recording=context.recording(experiment.spaces[0]),
            )
            # the result has the model's own name, which two entries of the file may share
            write_json(partial / MODEL, {"model": name})
            write_digests(partial)


def _check_same_clips(folder: Path, sources: Sequence[VideoSource]) -> None:
    result = load_model_audit(folder).result
    digests = result.provenance["clips"]
    # Rejected clips have no digest there; unreadable ones have, if only of what could be read.
    rejected = {skipped.path for skipped in result.skipped} - digests.keys()
    check_same_digests(folder, digests, [source for source in sources if source.key not in rejected])


def load_model_audit(folder: Path) -> ModelAudit:
    """Read an audit.

    Raises:
        ExperimentError: if a file is missing or damaged.
    """
    with damage_reported(folder, f"Delete the folder {RESUME}"):
        name = read_json(folder / MODEL)["model"]
        if not isinstance(name, str):
            raise ValueError("a model that is no name")
        return ModelAudit(model=name, folder=folder, result=load_audit(folder))


def check_audit(name: str, model: VideoModel, experiment: Experiment, file: YamlFile) -> None:
    """Check clips, labels, masks and versions of an audit against a model, without reading a video.

    Args:
        name: of the model in the experiment.
        model: from `load_model`.
        experiment: with an audit, or without.
        file: of the experiment.

    Raises:
        ExperimentError: for the first mistake, with its line.
    """
    if experiment.audit is None:
        return
    sources = audited_sources(experiment, file)
    # groups are named by the paths of the run's clips, and checked when these are there
    folder = file.path.absolute().parent
    question = replace(_question(experiment, folder, sources), group="video")
    try:
        plan = plan_audit(model, question, experiment.audit.settings(folder), lambda source: "")
    except VideoTcavError as error:
        raise file.error(("audit",), f"`audit`: {error}") from error
    # After rejections: a claim on a class of which nothing is left would stay undecided after all the work.
    audited = {model.classes[index] for index in plan.classes.values()}
    for number, hypothesis in enumerate(experiment.hypotheses):
        # `same_in` names no single model, and is about all that it names
        if hypothesis.model not in (None, name):
            continue
        for key, label in _labels_of(hypothesis, experiment.audit):
            path: YamlPath = ("hypotheses", number, hypothesis.kind, key)
            if class_of_label(model.classes, label) not in audited:
                cure = f"Add clips of it to the audit, which has {', '.join(sorted(audited))}."
                raise file.error(path, f"`{key}` must be a class of the audited clips. Got {label!r}. {cure}")


def _labels_of(hypothesis: Hypothesis, settings: Audit) -> Iterator[tuple[str, str]]:
    """Classes of which a hypothesis needs audited clips, with the key that names each."""
    claim = hypothesis.audit_claim
    if claim is not None and claim.label is not None:
        yield "label", claim.label
    elif hypothesis.is_about_concept and hypothesis.about.concept in settings.witnesses:
        yield "target", hypothesis.about.target


def _question(experiment: Experiment, folder: Path, sources: Sequence[VideoSource]) -> AuditQuestion:
    assert experiment.audit is not None
    return AuditQuestion(
        clips=sources,
        versions=experiment.audit_versions,
        reject=experiment.audit.rejected(folder),
        group=experiment.group,
        seed=experiment.seed,
    )
