"""A finished run, read from its directory, for reports and comparisons."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
from pydantic import BaseModel, TypeAdapter

from video_tcav.core.displays import html_heading, html_list, html_table
from video_tcav.core.errors import ExperimentError
from video_tcav.core.files import read_json
from video_tcav.experiments.analyses import Analysis, load_analysis
from video_tcav.experiments.audits import ModelAudit, load_model_audit
from video_tcav.experiments.decisions import VERDICTS
from video_tcav.experiments.digests import damage_reported
from video_tcav.experiments.directory import RUN_AGAIN, RunDirectory
from video_tcav.experiments.example_clips import ShownClip, load_shown
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.measured_pairs import PairedRow, paired_rows
from video_tcav.experiments.outcome import Outcome
from video_tcav.experiments.previews import Preview, load_previews
from video_tcav.experiments.result_folder import experiment_of, is_test_folder, load_test, record_of
from video_tcav.experiments.text_tests import TextTest, load_text_test
from video_tcav.experiments.witnesses import ThreeWitnesses, three_witnesses


@dataclass(frozen=True, kw_only=True, repr=False)
class Run:
    """A finished run; a folder of `test --out` is one without hypotheses.

    Attributes:
        path: its directory.
        experiment: its file, resolved.
        outcomes: the verdict on every hypothesis, in the order of the file.
        record: provenance and more, as in `run.json`.
    """

    path: Path
    experiment: Experiment
    outcomes: tuple[Outcome, ...]
    record: Mapping[str, Any]

    @cached_property
    def analyses(self) -> tuple[Analysis, ...]:
        """Every analysis, read on first use."""
        if is_test_folder(self.path):
            return (load_test(self.path),)
        return tuple(load_analysis(folder) for folder in _folders(self.path / "analyses"))

    @cached_property
    def audits(self) -> tuple[ModelAudit, ...]:
        """The audit of every model, read on first use; none where nothing was audited."""
        return tuple(load_model_audit(folder) for folder in _folders(self.path / "audits"))

    @cached_property
    def texts(self) -> tuple[TextTest, ...]:
        """The concepts in words of every model and class, read on first use; none where there are no texts."""
        return tuple(load_text_test(folder) for folder in _folders(self.path / "texts"))

    @cached_property
    def witnesses(self) -> tuple[ThreeWitnesses, ...]:
        """What concept effect, intervention and edit of the pixels say of the same claims, where the experiment asks for it."""
        audits = {audit.model: audit.result for audit in self.audits}
        return three_witnesses(self.experiment, self.analyses, audits) if audits else ()

    @cached_property
    def pairs(self) -> tuple[PairedRow, ...]:
        """What pairs show beside the effects of their concepts, a row a layer; none where the experiment has no pairs."""
        return paired_rows(self.analyses)

    @cached_property
    def shown(self) -> tuple[ShownClip, ...]:
        """Example clips with their maps and timelines, read on first use."""
        return load_shown(self.path / "shown")

    @cached_property
    def previews(self) -> tuple[Preview, ...]:
        """A few clips of every set; their files are in the folder `shown/previews`."""
        return load_previews(self.path / "shown" / "previews")

    def to_frame(self) -> pd.DataFrame:
        """One row a hypothesis."""
        return pd.DataFrame([vars(outcome) for outcome in self.outcomes])

    def counts(self) -> dict[str, int]:
        """How many hypotheses got each verdict."""
        return {word: sum(outcome.verdict == word for outcome in self.outcomes) for word in VERDICTS}

    def sentences(self) -> tuple[str, ...]:
        """Of each analysis one sentence a concept, and one on all of them together, as `test` prints them."""
        return self._each(lambda analysis: analysis.sentences())

    def warnings(self) -> tuple[str, ...]:
        """Files that are in no set, then the warnings of all analyses, concepts in words and audits, each once."""
        several = len(self.experiment.all_models()) > 1
        of_audits = (
            f"{audit.model}: {text}" if several else text for audit in self.audits for text in audit.result.warnings
        )
        of_analyses = self._each(lambda analysis: analysis.record["warnings"])
        of_texts = (text for test in self.texts for text in test.result.warnings)
        return tuple(dict.fromkeys((*self.record.get("left_out", ()), *of_analyses, *of_texts, *of_audits)))

    def remarks(self) -> tuple[str, ...]:
        """Warnings of the diagnostics on some CAVs and effects, of all analyses, each once."""
        return self._each(lambda analysis: analysis.remarks)

    def _each(self, texts: Callable[[Analysis], Sequence[str]]) -> tuple[str, ...]:
        # Of several models, a text that not all have in common says which have it.
        owners: dict[str, list[str]] = {}
        for analysis in self.analyses:
            for text in texts(analysis):
                owners.setdefault(text, []).append(analysis.which.model)
        everyone = set(self.experiment.all_models())
        return tuple(
            text if set(names) == everyone else f"{', '.join(dict.fromkeys(names))}: {text}"
            for text, names in owners.items()
        )

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {word}" for word, count in self.counts().items() if count)
        return f"<Run {self.path}: {counts or 'no hypotheses'}>"

    def _repr_html_(self) -> str:
        """The verdicts as a table, for notebooks; without hypotheses, one sentence a concept."""
        rows = [(each.verdict, each.name, each.model, each.reason) for each in self.outcomes]
        verdicts = html_table(("verdict", "hypothesis", "model", "why"), rows) if rows else html_list(self.sentences())
        return html_heading(self.experiment.title) + verdicts


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder, in order; none where it is not there, as a test has none."""
    return sorted(folder for folder in parent.glob("[!.]*") if folder.is_dir())


def load_run(path: str | Path) -> Run:
    """Read a finished run, or the folder of `test --out`, and check its files against their digests.

    Raises:
        ExperimentError: if the folder is neither, the run is not finished, or a file of it is damaged.
    """
    if is_test_folder(Path(path)):
        analysis = load_test(Path(path))
        return Run(path=Path(path), experiment=experiment_of(analysis), outcomes=(), record=record_of(analysis))
    directory = RunDirectory(path=Path(path))
    record = directory.record()
    if not record.get("finished"):
        raise ExperimentError(
            f"{path}: a run must be finished. Got one that is not. Go on with `video-tcav run … --resume`."
        )
    directory.check_files(record)
    # The digests detect damage; the types, a record that was edited and sealed again.
    with damage_reported(directory.path, RUN_AGAIN):
        experiment = Experiment.model_validate(record["experiment"])
        rows = read_json(directory.path / "hypotheses.json")
        # JSON has no NaN: it is written as null.
        null_as_nan = [
            {name: math.nan if value is None and name in _NUMBERS else value for name, value in row.items()}
            for row in rows
        ]
        outcomes = _OUTCOMES.validate_python(null_as_nan)
        _RecordSchema.model_validate(record)
    return Run(path=directory.path, experiment=experiment, outcomes=outcomes, record=record)


class _Provenance(BaseModel):
    video_tcav: str
    python: str
    created: str


class _RecordSchema(BaseModel):
    """Types of the values of `run.json` that are read; those with a default are not in runs of older versions."""

    provenance: _Provenance
    left_out: list[str] = []
    model_digests: dict[str, str | None] | None = None
    steps: dict[str, dict[str, Any]] = {}


_OUTCOMES = TypeAdapter(tuple[Outcome, ...])
_NUMBERS = [name for name, kind in get_type_hints(Outcome).items() if kind is float and name != "margin"]
