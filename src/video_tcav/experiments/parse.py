"""Reading an experiment file: every mistake is one line with file, line and cure, and comes before any work."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from video_tcav.core.errors import ExperimentError
from video_tcav.core.limits import excerpt, shortened
from video_tcav.experiments.file import Experiment, Hypothesis
from video_tcav.experiments.yaml_lines import Place, YamlFile, read_yaml

_SHOWN = 60
_COMPARED = 500
"""Names among which a similar one is looked for: each takes some 50 microseconds."""


def read_experiment(path: str | Path) -> tuple[Experiment, YamlFile]:
    """Read and check an experiment file, as far as that goes without its model and clips.

    Returns:
        The experiment, and the file with its lines.

    Raises:
        ExperimentError: for the first mistake, with file, line and cure.
    """
    found = read_yaml(Path(path))
    if not isinstance(found.values, Mapping):
        raise found.error(
            (), f"the file must be an experiment. Got {_shown(found.values)}. Write title, model, targets and so on."
        )
    for place, name in _names(found.values):
        if not isinstance(name, str):
            raise found.error(place, f"a name must be text. Got {excerpt(name)}. Put it in quotes.")
    try:
        experiment = Experiment.model_validate(found.values)
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: found.line(_place(one["loc"], found.values)))
        raise _mistake(first, found) from error
    for place, message in _contradictions(experiment):
        raise found.error(place, message)
    return experiment, found


def _names(values: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """All keys of the file, by their place."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield (*place, name), name
            yield from _names(value, (*place, name))
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from _names(value, (*place, number))


def _mistake(error: ErrorDetails, found: YamlFile) -> ExperimentError:
    """What pydantic found, in the words that all messages have."""
    place = _place(error["loc"], found.values)
    name = ".".join(str(part) for part in place) or "the file"
    got = _shown(error.get("input"))
    match error["type"]:
        case "missing":
            wanted = ".".join(str(part) for part in (*place, error["loc"][-1]))
            return found.error(place, f"`{wanted}` must be given. Got none. Add it.")
        case "extra_forbidden":
            return found.error(place, _unknown(name, place, error))
        case "value_error":
            return found.error(place, f"`{name}`: {error['msg'].removeprefix('Value error, ')}.")
        case "literal_error":
            return found.error(
                place, f"`{name}` must be {error.get('ctx', {}).get('expected')}. Got {got}. Choose one."
            )
        case _:
            rule = error["msg"].replace("Input should", "must").replace("after validation, not 0", "")
            return found.error(place, f"`{name}`: {rule.strip()}. Got {got}. Change it.")


def _unknown(name: str, place: Place, error: ErrorDetails) -> str:
    owner = _owner(error["loc"][:-1])
    near = difflib.get_close_matches(str(place[-1]), owner, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(owner)}."
    return f"`{name}` must be a known key. Got {place[-1]!r}. {hint}"


def _owner(loc: Sequence[str | int]) -> list[str]:
    """The keys of the part of the file at a location, found in the schema."""
    schema = Experiment.model_json_schema()
    names, here = schema["$defs"], [schema]
    for part in loc:
        inner: list[Any] = []
        for one in here:
            properties = one.get("properties", {})
            if part in properties:
                inner.append(properties[part])
            elif isinstance(one.get("additionalProperties"), Mapping):
                inner.append(one["additionalProperties"])
            elif "items" in one and isinstance(part, int):
                inner.append(one["items"])
            else:
                inner.append(one)
        here = [leaf for one in inner for leaf in _alternatives(one, names)]
    keys = [list(one["properties"]) for one in here if "properties" in one]
    return list(dict.fromkeys(key for found in keys for key in found))


def _alternatives(schema: Mapping[str, Any], names: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in schema:
        yield from _alternatives(names[schema["$ref"].rpartition("/")[2]], names)
    elif "anyOf" in schema or "oneOf" in schema:
        for one in schema.get("anyOf") or schema.get("oneOf") or ():
            yield from _alternatives(one, names)
    else:
        yield schema


def _place(loc: Sequence[str | int], values: Any) -> Place:
    """The place in the file that a location of pydantic stands for: names of alternatives are left out."""
    place: list[str | int] = []
    part: Any
    for part in loc:
        known = range(len(values)) if isinstance(values, list) else values if isinstance(values, Mapping) else ()
        if part in known:
            values = values[part]
            place.append(part)
    return tuple(place)


def _contradictions(experiment: Experiment) -> Iterator[tuple[Place, str]]:
    """What does not fit together within the file."""
    concepts, models = experiment.all_concepts(), experiment.all_models()
    clashes = [
        name for name in experiment.concepts if "/" in name and name in concepts and _is_version(name, experiment)
    ]
    for name in clashes:
        yield (
            ("concepts", name),
            f"`concepts.{name}` must have a name of its own. Got that of a version of another. Rename it.",
        )
    for target, where in experiment.targets.items():
        if where is None and experiment.at == "class":
            yield (
                ("targets", target),
                f"`targets.{target}` must have clips, unless at is random. Got none. Name its clips.",
            )
        if where is not None and experiment.at == "random":
            yield ("targets", target), f"`targets.{target}` must have no clips with at: random. Got some. Remove them."
    names: dict[str, int] = {}
    for number, one in enumerate(experiment.hypotheses):
        place: Place = ("hypotheses", number)
        yield from _about(one, place, experiment, concepts, models)
        if one.name is not None and one.name in names:
            yield (
                (*place, "name"),
                (
                    f"`hypotheses.{number}.name` must be its own. Got that of hypothesis {names[one.name]}. Change one of them."
                ),
            )
        names.setdefault(one.name or "", number)


def _is_version(name: str, experiment: Experiment) -> bool:
    base, _, version = name.rpartition("/")
    return version in ("static", "dynamic") and base in experiment.concepts


def _about(
    one: Hypothesis, place: Place, experiment: Experiment, concepts: Mapping[str, Any], models: Mapping[str, Any]
) -> Iterator[tuple[Place, str]]:
    inside: Place = (*place, one.kind)
    about = one.about
    yield from _known("target", about.target, experiment.targets, (*inside, "target"))
    for key in ("concept", "than"):
        if hasattr(about, key):
            yield from _known(key, getattr(about, key), concepts, (*inside, key))
    if one.more_than is not None and one.more_than.than == one.more_than.concept:
        yield (*inside, "than"), "`than` must be another concept. Got the same one twice. Compare with another."
    if one.same_in is not None:
        for number, name in enumerate(one.same_in.models):
            yield from _known("models", name, models, (*inside, "models", number))
        if len(set(one.same_in.models)) == 1:
            yield (*inside, "models"), "`models` must be two different ones. Got one twice. Name another."
    elif one.model is not None:
        yield from _known("model", one.model, models, (*place, "model"))
    elif len(models) > 1:
        yield (
            place,
            f"`model` must be named where there are several. Got none. Add model: and one of {shortened(list(models))}.",
        )
    if one.layer is not None and experiment.layers is not None:
        yield from _known("layer", one.layer, experiment.layers, (*place, "layer"))


def _known(key: str, value: str, known: Iterable[str], place: Place) -> Iterator[tuple[Place, str]]:
    names = list(known)
    if value not in names:
        near = difflib.get_close_matches(value, names[:_COMPARED], n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}?" if near else f"Choose one of {shortened(names)}, or add it there."
        yield place, f"`{key}` must be one that the experiment names. Got {value!r}. {hint}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return excerpt(value, _SHOWN)
