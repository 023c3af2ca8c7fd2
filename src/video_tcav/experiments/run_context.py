"""What all stages of a run share: the experiment, its models, the run directory, and where each analysis and audit goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import NamedTuple

from video_tcav.core.escaping import one_line
from video_tcav.core.terminal import console
from video_tcav.core.yaml_lines import YamlFile
from video_tcav.experiments.analyses import AnalysisKey, numbered_name
from video_tcav.experiments.directory import RunDirectory
from video_tcav.experiments.file import Experiment
from video_tcav.models import VideoModel
from video_tcav.recording.settings import RecordingSettings, Space
from video_tcav.tcav.settings import Significance
from video_tcav.words.encoder import TextVideoEncoder


class TextKey(NamedTuple):
    """What a test of texts is of: a model and a class, by their names in the experiment."""

    model: str
    target: str


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """An experiment, its models, encoder of texts and directory, and how to compute it."""

    experiment: Experiment
    file: YamlFile
    models: Mapping[str, VideoModel]
    directory: RunDirectory
    progress: bool
    encoder: TextVideoEncoder | None = None

    def recording(self, space: Space) -> RecordingSettings:
        """Settings of the passes in a feature space; without a store, the run's own serves all analyses and audits."""
        settings = self.experiment.recording(space)
        return settings.with_values(store=settings.store or self.directory.store)

    @property
    def judging(self) -> tuple[Space, Significance]:
        """Feature space and test of the analyses that judge the hypotheses: the first ones."""
        return self.experiment.spaces[0], self.experiment.statistics.tests[0]

    @cached_property
    def analyses(self) -> dict[AnalysisKey, Path]:
        """The folder of every analysis, in order; none where the experiment has no concepts."""
        experiment = self.experiment
        # Hypotheses are judged by the first space and test; the others are computed for the tables.
        keys = product(experiment.all_models(), experiment.targets, experiment.spaces, experiment.statistics.tests)
        if not experiment.tests_concepts:
            return {}
        folders: dict[AnalysisKey, Path] = {}
        for number, (model, target, space, test) in enumerate(keys, start=1):
            key = AnalysisKey(model=model, target=target, space=space, test=test)
            folders[key] = self.directory.analyses / key.folder_name(number)
        return folders

    @cached_property
    def audits(self) -> dict[str, Path]:
        """The folder of the audit of every model, by its name; none where nothing is audited."""
        if self.experiment.audit is None:
            return {}
        names = enumerate(self.experiment.all_models(), start=1)
        return {model: self.directory.audits / numbered_name(number, model) for number, model in names}

    @cached_property
    def texts(self) -> dict[TextKey, Path]:
        """The folder of the texts of every model and class, in order; none where the experiment has no texts."""
        if self.experiment.words is None:
            return {}
        keys = product(self.experiment.all_models(), self.experiment.targets)
        return {
            TextKey(*key): self.directory.texts / numbered_name(number, "-".join(key))
            for number, key in enumerate(keys, start=1)
        }

    def say(self, text: str) -> None:
        """Print what is being computed, where progress is to be seen."""
        if self.progress:
            console(error=True).print(one_line(text), style="dim", markup=False)
