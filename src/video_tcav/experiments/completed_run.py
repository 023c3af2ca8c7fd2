"""A finished run, read from its directory: what reports and comparisons are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, TypeAdapter

from video_tcav.core.errors import ExperimentError
from video_tcav.core.files import read_json, reason_of
from video_tcav.experiments.analyses import Analysis, load_analysis
from video_tcav.experiments.digests import DAMAGE
from video_tcav.experiments.directory import RunDirectory
from video_tcav.experiments.example_clips import ShownClip, load_shown
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.previews import Preview, load_previews
from video_tcav.experiments.verdicts import VERDICTS, Outcome


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run.

    Attributes:
        path: its directory.
        experiment: what was asked.
        outcomes: the verdict on every hypothesis, in the order of the file.
        record: provenance and more, as in `run.json`.
    """

    path: Path
    experiment: Experiment
    outcomes: tuple[Outcome, ...]
    record: Mapping[str, Any]

    @cached_property
    def analyses(self) -> tuple[Analysis, ...]:
        """Every analysis, read when first asked for."""
        folders = sorted(folder for folder in (self.path / "analyses").iterdir() if not folder.name.startswith("."))
        return tuple(load_analysis(folder) for folder in folders)

    @cached_property
    def shown(self) -> tuple[ShownClip, ...]:
        """Clips with their maps and timelines, read when first asked for."""
        return load_shown(self.path / "shown")

    @cached_property
    def previews(self) -> tuple[Preview, ...]:
        """A few clips of every set; their files are in the folder `shown/previews`."""
        return load_previews(self.path / "shown" / "previews")

    def to_frame(self) -> pd.DataFrame:
        """One row a hypothesis."""
        return pd.DataFrame([vars(one) for one in self.outcomes])

    def counts(self) -> dict[str, int]:
        """How many hypotheses got each verdict."""
        return {word: sum(one.verdict == word for one in self.outcomes) for word in VERDICTS}

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the verdicts, of all analyses, each once; and which files are in no set."""
        return *self.record.get("left_out", ()), *self._each(lambda one: one.record["warnings"])

    def remarks(self) -> tuple[str, ...]:
        """What diagnostics say against reading much into some CAVs and effects, likewise."""
        return self._each(lambda one: one.remarks)

    def _each(self, texts: Callable[[Analysis], Sequence[str]]) -> tuple[str, ...]:
        several = len(self.experiment.all_models()) > 1
        owners: dict[str, list[str]] = {}
        for one in self.analyses:
            for text in texts(one):
                owners.setdefault(text, []).append(one.which.model)
        everyone = set(self.experiment.all_models())
        return tuple(
            text if not several or set(names) == everyone else f"{', '.join(dict.fromkeys(names))}: {text}"
            for text, names in owners.items()
        )

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        rows = "".join(
            f"<tr><td>{escape(one.verdict)}</td><td>{escape(one.name)}</td><td>{escape(one.model)}</td>"
            f"<td>{escape(one.reason)}</td></tr>"
            for one in self.outcomes
        )
        head = "<tr><th>verdict</th><th>hypothesis</th><th>model</th><th>why</th></tr>"
        return f"<p><b>{escape(self.experiment.title)}</b></p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def load_run(path: str | Path) -> Run:
    """Read a finished run, if its files are as it wrote them.

    Raises:
        ExperimentError: if the folder is no run, the run is not finished, or a file of it is damaged.
    """
    directory = RunDirectory(path=Path(path))
    record = directory.record()
    if not record.get("finished"):
        raise ExperimentError(
            f"{path}: a run must be finished. Got one that is not. Go on with `video-tcav run … --resume`."
        )
    directory.check_files(record)
    try:
        experiment = Experiment.model_validate(record["experiment"])
        rows = read_json(directory.path / "hypotheses.json")
        values = [{name: _number(name, value) for name, value in row.items()} for row in rows]
        outcomes = _OUTCOMES.validate_python(values)
        _Facts.model_validate(record)
    except DAMAGE as error:
        raise ExperimentError(
            f"{path}: a run must be whole. Got: {reason_of(error)[:200]}. Run the experiment again in another folder."
        ) from error
    return Run(path=directory.path, experiment=experiment, outcomes=outcomes, record=record)


class _Provenance(BaseModel):
    video_tcav: str
    python: str
    created: str


class _Facts(BaseModel):
    """What readers of a run expect of `run.json`; runs of older versions have a part of it."""

    provenance: _Provenance
    left_out: list[str] = []
    model_digests: dict[str, str | None] | None = None
    steps: dict[str, dict[str, Any]] = {}


_OUTCOMES = TypeAdapter(tuple[Outcome, ...])
_NUMBERS = (
    "effect",
    "effect_low",
    "effect_high",
    "standard_error",
    "p_value",
    "p_adjusted",
    "equivalence_p",
    "equivalence_p_adjusted",
)


def _number(name: str, value: Any) -> Any:
    return float("nan") if value is None and name in _NUMBERS else value
