"""The experiment file: what a researcher commits next to a model (its schema is `experiment.schema.json`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from video_tcav.attribution.methods import METHODS
from video_tcav.auditing.versions import VERSIONS
from video_tcav.concepts import Twin
from video_tcav.core.sections import Name, Section, setting_fields
from video_tcav.core.settings import settings_of
from video_tcav.experiments.audit_section import WITNESS_VERSIONS, Audit, masks_beside
from video_tcav.experiments.hypothesis import EffectPart, Hypothesis, Margin
from video_tcav.experiments.sections import ClipSource, ConceptClips, ModelEntry, Pair, PairedClips
from video_tcav.experiments.words_section import Words
from video_tcav.gram.significance.registry import significance_test
from video_tcav.models.model_file import Model
from video_tcav.recording.settings import RecordingSettings, Space
from video_tcav.tcav.interventions.operations import parse_operations
from video_tcav.tcav.settings import At, InterventionSettings, Negatives, Significance, StatisticsSettings

Correction = Literal["holm", "bonferroni", "bh", "none"]


def _each_once(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if values is not None and len(set(values)) < len(values):
        raise ValueError(f"each must come once. Got {', '.join(values)}. Remove what is there twice")
    return values


# Settings that are keys of the file; the feature spaces are a list of their own.
RECORDING = [each for each in settings_of(RecordingSettings) if each.name != "space"]
STATISTICS = [
    each for each in settings_of(StatisticsSettings) if each.name not in ("cav", "significance", "correction")
]
CAV = [each for each in settings_of(StatisticsSettings) if each.name == "cav"]
INTERVENTIONS = list(settings_of(InterventionSettings))
_StatisticsFields = setting_fields("StatisticsFields", STATISTICS)
_RecordingFields = setting_fields("RecordingFields", [*RECORDING, *CAV])
_InterventionFields = setting_fields("InterventionFields", INTERVENTIONS)


class Interventions(_InterventionFields, Section):
    """What the rest of the network is asked with edited activations; hypotheses add what they need."""

    @field_validator("intervene", "intervene_at", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _joined(cls, names: Any) -> Any:
        is_list = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
        return ",".join(names) if is_list else names

    @property
    def operations(self) -> tuple[str, ...]:
        """By name."""
        return parse_operations(self.intervene)


class Statistics(_StatisticsFields, Section):
    """How effects are tested."""

    tests: tuple[Significance, ...] = Field(
        ("studentised",),
        min_length=1,
        description="the first judges the hypotheses; permutation is that of version 0.1, ttest the source paper's: both have "
        "too many false alarms",
    )
    correction: Correction = Field("holm", description="for many tests")
    level: float = Field(0.05, gt=0, lt=0.5, description="of significance")
    power: float = Field(
        0.8, ge=0.5, lt=1, description="probability with which more clips would decide what is undecided"
    )
    margin: Margin = Field(
        0.5, description="in units of the target: an effect that is smaller does not matter in practice"
    )

    _distinct = field_validator("tests")(_each_once)


CLIP_SETS = ("targets", "concepts", "random")
"""Keys that are needed where concepts are tested, and left out where a model is audited alone."""


class Experiment(_RecordingFields, Section):
    """An experiment: a model, clips, concepts, texts or an audit, and hypotheses about them."""

    # Not `required`, as an experiment with texts or an audit may do without some of them.
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": list(CLIP_SETS)},
                {"required": ["words", "targets", "random"]},
                {"required": ["audit"]},
            ]
        },
    )

    title: Name = Field(description="the question, as the report's heading")
    description: str = Field("", description="what a reader should know; an empty line begins a paragraph")
    model: ModelEntry | None = Field(None, description="the model; several go under models")
    models: dict[Name, ModelEntry] = Field(default_factory=dict, description="several models, by a name of your own")
    targets: dict[Name, ClipSource | None] = Field(
        default_factory=dict, description="clips of each class that is explained, by its name; needed with concepts"
    )
    concepts: dict[Name, ConceptClips] = Field(
        default_factory=dict, description="clips of each concept, by its name; an experiment that only audits has none"
    )
    random: ClipSource | None = Field(None, description="clips without the concepts; needed with concepts")
    pairs: dict[Name, PairedClips] = Field(
        default_factory=dict,
        description="the same clips with and without a concept, by its name: the truth beside effects",
    )
    audit: Audit | None = Field(
        None,
        description="what the model needs, measured on edited clips; {} takes the clips of targets and all defaults",
    )
    words: Words | None = Field(
        None, description="concepts in words, which an encoder of texts and clips finds a CAV for; weaker than clips"
    )
    layers: tuple[Name, ...] | None = Field(
        None, min_length=1, description="dotted module names; the model's stages if not given"
    )
    spaces: tuple[Space, ...] = Field(("flatten",), min_length=1, description="the first judges the hypotheses")
    against: Name = Field(
        "log_odds", description="what the target is: log_odds, logit, contrast:CLASS, or number for a regression"
    )
    at: At = Field(
        "class", description="where gradients are taken: at clips of the class, or at random clips set aside"
    )
    only_right: bool = Field(False, description="leave out class clips that the model calls another class")
    twins: tuple[Twin, ...] = Field(
        (), description="frozen adds motion effects, reversed order effects; hypotheses add their own"
    )
    negatives: Negatives = Field(
        "matched",
        description="matched freezes random clips where a concept does not move; moving leaves them as they are",
    )
    check_effects: bool = Field(
        True,
        description="check, once a model and target, how far effects predict plain edits of the class clips; where they do not, "
        "verdicts and sentences say so",
    )
    masks: Name | None = Field(
        None,
        description="who is the person of each clip, for edits of person and scene in that check; those of audit if not given",
    )
    statistics: Statistics = Statistics()  # pyright: ignore[reportCallIssue]
    interventions: Interventions = Interventions()
    group: Name = Field(
        "video", description="what is independent: video, what a list names, or a regular expression on the path"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of every random draw")
    shown: int = Field(4, ge=0, le=50, description="clips of each class that the report shows in full, with timelines")
    attribution: Name = Field(
        "gradcam",
        description="attribution method of the maps beside those of concepts",
        json_schema_extra=lambda schema: schema.update(enum=list(METHODS)),
    )
    hypotheses: tuple[Hypothesis, ...] = Field(min_length=1, description="what is claimed about the model")

    @field_validator("attribution")
    @classmethod
    def _check_attribution(cls, name: str) -> str:
        if name not in METHODS:
            raise ValueError(f"attribution must be one of {', '.join(METHODS)}. Got {name!r}. Choose one of them")
        return name

    _distinct = field_validator("spaces", "layers", "twins")(_each_once)

    @model_validator(mode="after")
    def _some_model(self) -> "Experiment":
        if (self.model is None) == (not self.models):
            got = "neither" if self.model is None else "both"
            raise ValueError(f"an experiment must have model, or models with a name each. Got {got}. Give one of them")
        return self

    @model_validator(mode="after")
    def _whole_sets(self) -> "Experiment":
        # Half of them is a slip, whether or not there is an audit: concepts would silently not be tested.
        missing = [name for name in CLIP_SETS if not getattr(self, name)]
        if self.words is not None and missing == ["concepts"]:
            return self
        if missing and (self.audit is None or self.words is not None or len(missing) < len(CLIP_SETS)):
            optional = self.audit is not None and self.words is None
            cure = "Add what is missing" + (", or leave out all three" if optional else "")
            raise ValueError(
                f"{', '.join(CLIP_SETS)} must be given together. Got no {' and no '.join(missing)}. {cure}"
            )
        return self

    @property
    def tests_concepts(self) -> bool:
        """Whether there are concepts; an experiment may audit its models alone."""
        return bool(self.concepts)

    @property
    def audit_versions(self) -> tuple[str, ...] | None:
        """The versions of the audit, and those that hypotheses need; `None` for all."""
        # A claim whose version is not made would stay undecided: it adds what it needs, as hypotheses add twins.
        if self.audit is None or self.audit.versions is None:
            return None
        needed = [hypothesis.audit_version for hypothesis in self.hypotheses if hypothesis.audit_version]
        of_witnesses = [
            WITNESS_VERSIONS[player] for player in self.audit.witnesses.values() if player in WITNESS_VERSIONS
        ]
        return tuple(dict.fromkeys((*self.audit.versions, *needed, *of_witnesses)))

    def all_models(self) -> dict[str, Model]:
        """Every model by its name; that of a single one is its spec."""
        single = [] if self.model is None else [as_model(self.model)]
        return {model.spec: model for model in single} | {name: as_model(entry) for name, entry in self.models.items()}

    def check_masks(self, folder: Path) -> str | None:
        """Masks of the effect check; paths are relative to `folder`, that of the file."""
        if self.masks is not None:
            return masks_beside(self.masks, folder)
        if self.audit is None:
            return None
        versions = self.audit_versions or VERSIONS.names()
        uses_masks = self.audit.shares or any(VERSIONS[name].needs_masks for name in versions)
        return str(self.audit.settings(folder).masks) if uses_masks else None

    def recording(self, space: Space) -> RecordingSettings:
        """How clips are passed for one feature space."""
        return RecordingSettings(space=space, **{each.name: getattr(self, each.name) for each in RECORDING})

    def statistics_settings(self, test: Significance) -> StatisticsSettings:
        """How effects are tested by one test; the corrections of hypotheses are those of the first."""
        values = {each.name: getattr(self.statistics, each.name) for each in STATISTICS}
        correction = significance_test(test).default_correction or self.statistics.correction
        return StatisticsSettings(cav=self.cav, significance=test, correction=correction, **values)

    def intervention_settings(self, model: str, target: str, *, judging: bool = True) -> InterventionSettings:
        """Which activations are edited in one analysis.

        Args:
            model: by its name here.
            target: class.
            judging: whether the analysis judges the hypotheses, so that what they need is added, at their layers.
        """
        hypotheses = [
            hypothesis
            for hypothesis in (self.hypotheses if judging else ())
            if hypothesis.is_about_concept
            and hypothesis.about.target == target
            and (hypothesis.model or model) == model
        ]
        operations = [
            *self.interventions.operations,
            *(hypothesis.operation for hypothesis in hypotheses if hypothesis.operation),
        ]
        # A hypothesis without a layer is judged at the last one of the file; the model's stages are in order. A claim about a
        # slope needs the step at its layer, too: slopes may have the wrong sign.
        last = self.layers[-1] if self.layers else "deepest"
        layers = [self.interventions.intervene_at, *(hypothesis.layer or last for hypothesis in hypotheses)]
        return InterventionSettings(
            intervene=",".join(dict.fromkeys(operations)) or "none",
            intervene_at=",".join(dict.fromkeys(layers)),
            relabellings=self.interventions.relabellings,
            step_at=self.interventions.step_at,
        )

    def with_overrides(self, values: Mapping[str, Any]) -> "Experiment":
        """The same experiment with other values of some recording settings."""
        return self.model_validate({**self.model_dump(exclude_unset=True), **values})

    def identity(self) -> dict[str, Any]:
        """Everything that results depend on: the experiment without settings that change none."""
        free = {each.name for each in RECORDING if not each.info.changes_results}
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in free}

    def all_concepts(self) -> dict[str, ClipSource]:
        """Every concept by its name; a pair is two."""
        sources: dict[str, ClipSource] = {}
        for name, clips in self.concepts.items():
            if isinstance(clips, Pair):
                sources |= {f"{name}/static": clips.static, f"{name}/dynamic": clips.dynamic}
            else:
                sources[name] = clips
        return sources

    def all_twins(self) -> tuple[Twin, ...]:
        """The twins of the file, and those that its hypotheses need."""
        # A hypothesis about motion needs the frozen twins whether the file names them or not.
        tested = {hypothesis.part for hypothesis in self.hypotheses}
        twins: tuple[tuple[EffectPart, Twin], ...] = (("motion", "frozen"), ("order", "reversed"))
        return tuple(dict.fromkeys((*self.twins, *(twin for effect, twin in twins if effect in tested))))


def as_model(entry: str | Model) -> Model:
    """A model that is given by its spec alone, with default options."""
    return Model(spec=entry) if isinstance(entry, str) else entry  # pyright: ignore[reportCallIssue]


SCHEMA = Path(__file__).parent / "experiment.schema.json"


def json_schema() -> dict[str, Any]:
    """JSON Schema of the file, for completion and checks in editors; `experiment.schema.json` holds the same."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "video-tcav experiment",
        **{key: value for key, value in Experiment.model_json_schema().items() if key != "title"},
    }
