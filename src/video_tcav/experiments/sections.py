"""Sections of an experiment file that stand by themselves: a model, and sources of clips."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, create_model, model_validator
from pydantic_core import PydanticCustomError

from video_tcav.core.model_settings import ModelSettings
from video_tcav.core.settings import Setting, settings_of
from video_tcav.models.loaders.loader import spec_help
from video_tcav.rendered.factors import FACTORS

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class Section(BaseModel):
    """A mapping in the file; an unknown key is an error."""

    # Frozen, as a run's settings do not change; infinity and NaN are valid YAML, but no valid setting.
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        # pydantic's own error for an unknown key does not name the known ones.
        for key in values if isinstance(values, Mapping) else ():
            if key not in cls.model_fields:
                near = difflib.get_close_matches(str(key), cls.model_fields, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(cls.model_fields)}."
                raise PydanticCustomError("unknown_key", "{hint}", {"key": key, "hint": hint})
        return values


def setting_fields(name: str, settings: Sequence[Setting]) -> Any:
    """A section of the file with a key for each of these settings."""
    return create_model(name, __base__=Section, **{setting.name: _setting_field(setting) for setting in settings})


def _setting_field(setting: Setting) -> Any:
    # Bounds of JSON Schema, so that editors show them, and pydantic enforces them.
    kind = Literal[setting.choices] if setting.choices else setting.type
    bounds = {"ge": setting.info.least, "le": setting.info.most} if setting.info.least is not None else {}
    return (
        Union[kind, None] if setting.optional else kind,  # noqa: UP007 - a Literal at run time
        Field(setting.default, description=setting.info.help, **bounds),
    )


class Model(setting_fields("ModelFields", settings_of(ModelSettings)), Section):
    """A model and its options, as `load_model` takes them."""

    spec: Name = Field(description=spec_help())


# Two forms of one key, told apart by the type of the value: without a discriminator pydantic lists the errors of both.
def _model_form(value: Any) -> str:
    return "model" if isinstance(value, Mapping | Model) else "spec"


ModelEntry = Annotated[Annotated[Name, Tag("spec")] | Annotated[Model, Tag("model")], Discriminator(_model_form)]


class Rendered(Section):
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
        for factor, allowed in FACTORS.items():
            values = fixed.get(factor, ())
            for value in (values,) if isinstance(values, str) else values:
                if value not in allowed:
                    raise ValueError(f"{factor} must be one of {', '.join(allowed)}. Got {value!r}. Choose one")
        return self

    def fixed(self) -> dict[str, Any]:
        """Factors with a value or a choice of values; all others are random."""
        factors = {"motion": self.motion, "object": self.object, "scene": self.scene}
        return {factor: value for factor, value in factors.items() if value is not None}


class RenderedSource(Section):
    """Clips that are rendered when the experiment runs."""

    rendered: Rendered


def _source_form(value: Any) -> str:
    """Discriminator of a union: errors then name the keys of one form, not of all."""
    if isinstance(value, Mapping | RenderedSource):
        return "rendered"
    return "paths" if isinstance(value, list | tuple) else "path"


ClipSource = Annotated[
    Annotated[Name, Tag("path")]
    | Annotated[tuple[Name, ...], Tag("paths"), Field(min_length=1)]
    | Annotated[RenderedSource, Tag("rendered")],
    Discriminator(_source_form),
    Field(
        description="a file, folder, glob, manifest, PATH::LABEL or BANK::CONCEPT[:KIND], several of these, or rendered"
    ),
]


class Pair(Section):
    """A concept in two versions: they become two concepts, NAME/static and NAME/dynamic."""

    static: ClipSource = Field(description="pictures, or clips that do not move")
    dynamic: ClipSource = Field(description="clips that move")


def _concept_form(value: Any) -> str:
    is_pair = isinstance(value, Pair) or (isinstance(value, Mapping) and "rendered" not in value)
    return "pair" if is_pair else "source"


# A mapping is a pair, unless it says `rendered`.
ConceptClips = Annotated[
    Annotated[ClipSource, Tag("source")] | Annotated[Pair, Tag("pair")], Discriminator(_concept_form)
]
