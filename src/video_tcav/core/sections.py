"""Sections of settings files: mappings that are checked by pydantic, with errors that name file, line, rule and cure."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from video_tcav.core.checks import closest_hint
from video_tcav.core.errors import ExperimentError
from video_tcav.core.limits import excerpt
from video_tcav.core.settings import Setting
from video_tcav.core.yaml_lines import YamlFile, YamlPath, dotted

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
                hint = closest_hint(str(key), cls.model_fields)
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


def first_mistake(error: ValidationError, file: YamlFile, section: YamlPath = ()) -> ExperimentError:
    """The error of the first mistake in the file, as a person reads it: argument, rule, value, cure.

    Args:
        error: of pydantic, which orders mistakes by its fields.
        file: with the lines of its values.
        section: where the values that were checked stand in the file.
    """
    mistakes = [{**detail, "loc": (*section, *detail["loc"])} for detail in error.errors()]
    return _mistake(min(mistakes, key=lambda detail: file.line(_yaml_path(detail["loc"], file.values))), file)  # pyright: ignore[reportArgumentType]


def _mistake(error: ErrorDetails, file: YamlFile) -> ExperimentError:
    path = _yaml_path(error["loc"], file.values)
    name = dotted(path) or "the file"
    value, facts = error.get("input"), error.get("ctx", {})
    got = "nothing" if value is None else excerpt(value)
    match error["type"]:
        case "missing":
            return file.error(path, f"`{dotted((*path, error['loc'][-1]))}` must be given. Got none. Add it.")
        case "unknown_key":
            key, hint = facts["key"], facts["hint"]
            return file.error((*path, key), f"`{dotted((*path, key))}` must be a known key. Got {key!r}. {hint}")
        case "value_error":
            return file.error(path, f"`{name}`: {error['msg'].removeprefix('Value error, ')}.")
        case "literal_error":
            return file.error(path, f"`{name}` must be {facts.get('expected')}. Got {got}. Choose one.")
        case "dict_type" | "model_type":
            return file.error(
                path, f"`{name}` must hold names, each with its value behind a colon. Got {got}. Write `name: …`."
            )
        case "too_short":
            return file.error(
                path, f"`{name}` must hold at least {facts['min_length']}. Got {got}. Add some, or leave it empty."
            )
        case _:
            rule = error["msg"].replace("Input should", "must").partition(", ")[0]
            return file.error(path, f"`{name}` {rule}. Got {got}. Change it.")


def _yaml_path(loc: Sequence[str | int], values: Any) -> YamlPath:
    """Map a location of pydantic to a path in the file: names of union members, which pydantic adds, are left out."""
    path: list[str | int] = []
    key: Any
    for key in loc:
        keys = range(len(values)) if isinstance(values, list) else values if isinstance(values, Mapping) else ()
        if key in keys:
            values = values[key]
            path.append(key)
    return tuple(path)
