"""Sections of an experiment file that stand by themselves: an entry of a model, and sources of clips."""

from collections.abc import Mapping
from typing import Annotated, Any, Union

from pydantic import Discriminator, Field, Tag, create_model, model_validator

from video_tcav.core.sections import Name, Section
from video_tcav.models.model_file import Model
from video_tcav.rendered.factors import FACTORS


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


# `with` is a word of Python, which a class statement cannot have for a field
_OwnClips: Any = Annotated[
    Union[ClipSource, None],  # noqa: UP007 - of an Annotated
    Field(description="clips with the concept; its own if not given"),
]
_fields: Any = {"with": (_OwnClips, None)}
_WithField: Any = create_model("WithField", __base__=Section, **_fields)


class PairedClips(_WithField):
    """The same clips with and without a concept; a pair is named by a manifest's column `pair`, or by the files' names."""

    without: ClipSource = Field(description="the same clips without it")

    @property
    def with_concept(self) -> ClipSource | None:
        """Clips with the concept; those of the concept itself if there are none."""
        return getattr(self, "with")


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
