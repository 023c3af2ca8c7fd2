"""The experiment file: what a researcher commits next to a model (its schema is `experiment.schema.json`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    create_model,
    field_validator,
    model_validator,
)

from video_tcav.concepts import Twin
from video_tcav.core.clip_spec import OutputKind, Sampling, Short
from video_tcav.core.settings import Setting, settings_of
from video_tcav.models.loaders.loader import spec_help
from video_tcav.recording.settings import RecordingSettings, Space
from video_tcav.rendered.factors import FACTORS
from video_tcav.tcav.settings import At, Negatives, Significance, StatisticsSettings

Kind = Literal["matters", "more_than", "motion_matters", "order_matters", "does_not_matter", "same_in"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Direction = Literal["positive", "negative", "either"]
EffectPart = Literal["whole", "motion", "order"]
Correction = Literal["holm", "bonferroni", "bh", "none"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Margin = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A part of the file: a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, allow_inf_nan=False)


class Model(Part):
    """A model, as `load_model` takes it."""

    spec: Name = Field(description=spec_help())
    weights: str | None = Field(None, description="a safetensors file or checkpoint of tensors, or a published name")
    frames: int | None = Field(None, ge=1, description="frames in a clip")
    stride: int | None = Field(None, ge=1, description="take every so many frames of the video")
    size: int | tuple[int, int] | Literal["native"] | None = Field(None, description="pixels of the model's input")
    mean: float | tuple[float, float, float] | None = Field(None, description="mean of the pixels in [0, 1]")
    std: float | tuple[float, float, float] | None = Field(None, description="their standard deviation")
    classes: str | None = Field(None, description="a file of class names, one a line, numbered, or in JSON")
    outputs: OutputKind | None = Field(None, description="what the network returns; told by a trial if not given")
    sampling: Sampling | None = Field(None, description="dense: neighbouring frames; uniform: spread over the video")
    short: Short | None = Field(None, description="a video with fewer frames than a clip: skip, pad or loop")
    allow_impure: bool = Field(False, description="take a network that gives one clip other outputs each time")
    device: str = Field("auto", description="auto, cpu or cuda:0")


class Rendered(Part):
    """Clips of the rendered world, whose causes are known; what is not named is drawn at random."""

    count: int = Field(ge=1, le=10_000, description="how many clips")
    seed: int = Field(0, ge=0, description="of what is drawn at random; sets with different seeds share no clip")
    still: bool = Field(False, description="write the picture in the middle of each clip instead of the clip")
    motion: str | tuple[str, ...] | None = Field(None, description="what the figure does, or what to draw from")
    object: str | tuple[str, ...] | None = Field(None, description="what it holds")
    scene: str | tuple[str, ...] | None = Field(None, description="where it is")

    @model_validator(mode="after")
    def _known(self) -> "Rendered":
        fixed = self.fixed()
        for factor, known in FACTORS.items():
            values = fixed.get(factor, ())
            for value in (values,) if isinstance(values, str) else values:
                if value not in known:
                    raise ValueError(f"{factor} must be one of {', '.join(known)}. Got {value!r}. Choose one")
        return self

    def fixed(self) -> dict[str, Any]:
        """The factors that are not drawn from everything."""
        found = {"motion": self.motion, "object": self.object, "scene": self.scene}
        return {factor: value for factor, value in found.items() if value is not None}


class RenderedSource(Part):
    """Clips that are rendered when the experiment runs."""

    rendered: Rendered


def _form(value: Any) -> str:
    """Which of its forms a source has, so that a mistake is told in the terms of that form alone."""
    if isinstance(value, Mapping | RenderedSource):
        return "rendered"
    return "paths" if isinstance(value, list | tuple) else "path"


Where = Annotated[
    Annotated[Name, Tag("path")]
    | Annotated[tuple[Name, ...], Tag("paths"), Field(min_length=1)]
    | Annotated[RenderedSource, Tag("rendered")],
    Discriminator(_form),
    Field(
        description="a file, folder, glob, manifest, PATH::LABEL or BANK::CONCEPT[:KIND], several of these, or rendered"
    ),
]


class Pair(Part):
    """A concept in both versions: they become two concepts, NAME/static and NAME/dynamic."""

    static: Where = Field(description="pictures, or clips that do not move")
    dynamic: Where = Field(description="clips that move")


def _concept_form(value: Any) -> str:
    both = isinstance(value, Pair) or (isinstance(value, Mapping) and "rendered" not in value)
    return "pair" if both else "where"


ConceptClips = Annotated[Annotated[Where, Tag("where")] | Annotated[Pair, Tag("pair")], Discriminator(_concept_form)]


def _model_form(value: Any) -> str:
    return "model" if isinstance(value, Mapping | Model) else "spec"


ModelEntry = Annotated[Annotated[Name, Tag("spec")] | Annotated[Model, Tag("model")], Discriminator(_model_form)]


class About(Part):
    """What a hypothesis is about."""

    concept: Name = Field(description="one of the concepts")
    target: Name = Field(description="one of the targets")


class MoreThan(About):
    than: Name = Field(description="the concept to compare with")


class Bounded(About):
    part: EffectPart = Field(
        "whole", description="what of the effect: all of it, or what motion or the order of frames adds"
    )
    margin: Margin | None = Field(None, description="what would matter; the experiment's if not given")


class SameIn(Bounded):
    models: tuple[Name, Name] = Field(description="names of two models")


class Hypothesis(Part):
    """A claim that the run supports, contradicts, or leaves undecided."""

    name: Name | None = Field(None, description="in your own words; made from its parts if not given")
    matters: About | None = Field(None, description="the concept moves the target")
    more_than: MoreThan | None = Field(None, description="the concept moves it more than another does")
    motion_matters: About | None = Field(None, description="the motion of the concept moves it")
    order_matters: About | None = Field(None, description="the order of its frames moves it")
    does_not_matter: Bounded | None = Field(None, description="the effect is smaller than the margin")
    same_in: SameIn | None = Field(None, description="two models differ by less than the margin")
    expect: Direction = Field("positive", description="the direction of the effect")
    layer: Name | None = Field(None, description="where to look; the experiment's deepest layer if not given")
    model: Name | None = Field(None, description="which of several models")
    family: Name = Field("all", description="hypotheses of one family are corrected together")

    @model_validator(mode="after")
    def _one_kind(self) -> "Hypothesis":
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise ValueError(
                f"a hypothesis must have exactly one of {', '.join(KINDS)}. Got {got}. Write two hypotheses, or one"
            )
        if given[0] in ("does_not_matter", "same_in") and self.expect != "positive":
            raise ValueError(f"{given[0]} has no direction. Got expect: {self.expect}. Leave it out")
        if given[0] == "same_in" and self.model is not None:
            raise ValueError("same_in names its models itself. Got model as well. Leave it out")
        return self

    @property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def about(self) -> About:
        return getattr(self, self.kind)

    @property
    def part(self) -> EffectPart:
        """What of the effect it is about."""
        own: dict[Kind, EffectPart] = {"motion_matters": "motion", "order_matters": "order"}
        return own.get(self.kind) or getattr(self.about, "part", "whole")


def _each_once(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if values is not None and len(set(values)) < len(values):
        raise ValueError(f"each must come once. Got {', '.join(values)}. Remove what is there twice")
    return values


def _setting_fields(name: str, settings: Sequence[Setting]) -> Any:
    """A part of the file with a key for each of these settings."""
    return create_model(name, __base__=Part, **{each.name: _setting_field(each) for each in settings})


def _setting_field(known: Setting) -> Any:
    kind = Literal[known.choices] if known.choices else known.type
    bounds = {"ge": known.info.least, "le": known.info.most} if known.info.least is not None else {}
    return (Union[kind, None] if known.optional else kind, Field(known.default, description=known.info.help, **bounds))  # noqa: UP007 - a Literal at run time


RECORDING = [each for each in settings_of(RecordingSettings) if each.name != "space"]
"""Settings that are keys of the file; the feature spaces are a list of their own."""
STATISTICS = [
    each for each in settings_of(StatisticsSettings) if each.name not in ("cav", "significance", "correction")
]
CAV = [each for each in settings_of(StatisticsSettings) if each.name == "cav"]
_StatisticsFields = _setting_fields("StatisticsFields", STATISTICS)
_RecordingFields = _setting_fields("RecordingFields", [*RECORDING, *CAV])


class Statistics(_StatisticsFields, Part):
    """How effects are tested."""

    tests: tuple[Significance, ...] = Field(
        ("permutation",),
        min_length=1,
        description="the first judges the hypotheses; ttest is the source paper's, anti-conservative",
    )
    correction: Correction = Field("holm", description="for many tests")
    level: float = Field(0.05, gt=0, lt=0.5, description="of significance")
    power: float = Field(0.8, ge=0.5, lt=1, description="at which more clips would decide what is undecided")
    margin: Margin = Field(
        0.5, description="in units of the target: an effect that is smaller does not matter in practice"
    )

    _distinct = field_validator("tests")(_each_once)


class Experiment(_RecordingFields, Part):
    """An experiment: a model, clips, concepts, and hypotheses about them."""

    title: Name = Field(description="the question, as the report's heading")
    description: str = Field("", description="what a reader should know; an empty line begins a paragraph")
    model: ModelEntry | None = Field(None, description="the model; several go under models")
    models: dict[Name, ModelEntry] = Field(default_factory=dict, description="several models, by a name of your own")
    targets: dict[Name, Where | None] = Field(
        min_length=1, description="clips of each class that is explained, by its name"
    )
    concepts: dict[Name, ConceptClips] = Field(min_length=1, description="clips of each concept, by its name")
    random: Where = Field(description="clips without the concepts")
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
    twins: tuple[Twin, ...] = Field(
        (), description="frozen adds motion effects, reversed order effects; hypotheses add their own"
    )
    negatives: Negatives = Field(
        "matched",
        description="matched freezes random clips where a concept does not move; moving leaves them as they are",
    )
    statistics: Statistics = Statistics()  # pyright: ignore[reportCallIssue]
    group: Name = Field("video", description="what is independent: video, or a regular expression on the path")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of every random draw")
    shown: int = Field(4, ge=0, le=50, description="clips of each class that the report shows in full, with timelines")
    hypotheses: tuple[Hypothesis, ...] = Field(min_length=1, description="what is claimed about the model")

    _distinct = field_validator("spaces", "layers", "twins")(_each_once)

    @model_validator(mode="after")
    def _some_model(self) -> "Experiment":
        if (self.model is None) == (not self.models):
            got = "neither" if self.model is None else "both"
            raise ValueError(f"an experiment must have model, or models with a name each. Got {got}. Give one of them")
        return self

    def all_models(self) -> dict[str, Model]:
        """Every model by its name; a single one is called as it is loaded."""
        found = self.models or {self._single().spec: self._single()}
        return {name: as_model(one) for name, one in found.items()}

    def recording(self, space: Space) -> RecordingSettings:
        """How clips are passed for one feature space."""
        return RecordingSettings(space=space, **{each.name: getattr(self, each.name) for each in RECORDING})

    def statistics_settings(self, test: Significance) -> StatisticsSettings:
        """How effects are tested by one test; the corrections of hypotheses are those of the first."""
        values = {each.name: getattr(self.statistics, each.name) for each in STATISTICS}
        correction = self.statistics.correction if test == "permutation" else None
        return StatisticsSettings(cav=self.cav, significance=test, correction=correction, **values)

    def with_overrides(self, values: Mapping[str, Any]) -> "Experiment":
        """The same experiment with other values of some recording settings."""
        return self.model_validate({**self.model_dump(exclude_unset=True), **values})

    def identity(self) -> dict[str, Any]:
        """Everything that results depend on: the experiment without settings that change none."""
        free = {each.name for each in RECORDING if not each.info.changes_results}
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in free}

    def _single(self) -> Model:
        assert self.model is not None
        return as_model(self.model)

    def all_concepts(self) -> dict[str, Where]:
        """Every concept by its name; a pair is two."""
        found: dict[str, Where] = {}
        for name, where in self.concepts.items():
            if isinstance(where, Pair):
                found |= {f"{name}/static": where.static, f"{name}/dynamic": where.dynamic}
            else:
                found[name] = where
        return found

    def all_twins(self) -> tuple[Twin, ...]:
        """The twins of the file, and those that its hypotheses need."""
        parts = {one.part for one in self.hypotheses}
        needed: tuple[tuple[EffectPart, Twin], ...] = (("motion", "frozen"), ("order", "reversed"))
        return tuple(dict.fromkeys((*self.twins, *(twin for part, twin in needed if part in parts))))


def as_model(one: str | Model) -> Model:
    return Model(spec=one) if isinstance(one, str) else one  # pyright: ignore[reportCallIssue]


SCHEMA = Path(__file__).parent / "experiment.schema.json"


def json_schema() -> dict[str, Any]:
    """JSON Schema of the file, by which editors complete and check it; the package carries it as `experiment.schema.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "video-tcav experiment",
        **{key: value for key, value in Experiment.model_json_schema().items() if key != "title"},
    }
