"""Parse and check an experiment file; an error is one message with file, line and cure, before any work."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from video_tcav.core.errors import ExperimentError
from video_tcav.core.limits import excerpt, shortened
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.sections import Pair
from video_tcav.experiments.yaml_lines import YamlFile, YamlPath, dotted, read_yaml

# Names among which difflib looks for a similar one: each takes some 50 microseconds.
_COMPARED = 500


def read_experiment(path: str | Path) -> tuple[Experiment, YamlFile]:
    """Read and check an experiment file, without its models and clips.

    Returns:
        The experiment, and the file with its lines.

    Raises:
        ExperimentError: for the first mistake, with file, line and cure.
    """
    file = read_yaml(Path(path))
    if not isinstance(file.values, Mapping):
        raise file.error(
            (), f"the file must be an experiment. Got {_excerpt(file.values)}. Write title, model, targets and so on."
        )
    try:
        experiment = Experiment.model_validate(file.values)
    except ValidationError as error:
        # The first in the file, as a person reads it; pydantic orders them by its fields.
        first = min(error.errors(), key=lambda detail: file.line(_yaml_path(detail["loc"], file.values)))
        raise _mistake(first, file) from error
    for at, message in _contradictions(experiment):
        raise file.error(at, message)
    return experiment, file


def _mistake(error: ErrorDetails, file: YamlFile) -> ExperimentError:
    """The error of pydantic in the form of all messages: argument, rule, value, cure."""
    path = _yaml_path(error["loc"], file.values)
    name = dotted(path) or "the file"
    got, facts = _excerpt(error.get("input")), error.get("ctx", {})
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
        case _:
            rule = error["msg"].replace("Input should", "must").replace("after validation, not 0", "")
            return file.error(path, f"`{name}`: {rule.strip()}. Got {got}. Change it.")


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


def _contradictions(experiment: Experiment) -> Iterator[tuple[YamlPath, str]]:
    """Contradictions within the file, each with its path."""
    names: dict[str, int] = {}
    for name in experiment.concepts:
        base, _, version = name.rpartition("/")
        if version in ("static", "dynamic") and isinstance(experiment.concepts.get(base), Pair):
            message = f"`concepts.{name}` must have a name of its own. Got that of a version of another. Rename it."
            yield ("concepts", name), message
    for target, source in experiment.targets.items():
        if source is None and experiment.at == "class":
            message = f"`targets.{target}` must have clips, unless at is random. Got none. Name its clips."
            yield ("targets", target), message
        if source is not None and experiment.at == "random":
            yield ("targets", target), f"`targets.{target}` must have no clips with at: random. Got some. Remove them."
    for number, hypothesis in enumerate(experiment.hypotheses):
        path: YamlPath = ("hypotheses", number)
        yield from _contradictions_of(hypothesis, path, experiment)
        if hypothesis.name is not None and hypothesis.name in names:
            first = names[hypothesis.name]
            message = f"`hypotheses.{number}.name` must be its own. Got that of hypothesis {first}. Change one of them."
            yield (*path, "name"), message
        names.setdefault(hypothesis.name or "", number)


def _contradictions_of(
    hypothesis: Hypothesis, path: YamlPath, experiment: Experiment
) -> Iterator[tuple[YamlPath, str]]:
    claim_path: YamlPath = (*path, hypothesis.kind)
    about, models = hypothesis.about, experiment.all_models()
    yield from _check_name("target", about.target, experiment.targets, (*claim_path, "target"))
    for key in ("concept", "than"):
        if hasattr(about, key):
            yield from _check_name(key, getattr(about, key), experiment.all_concepts(), (*claim_path, key))
    if hypothesis.more_than is not None and hypothesis.more_than.than == hypothesis.more_than.concept:
        yield (*claim_path, "than"), "`than` must be another concept. Got the same one twice. Compare with another."
    if hypothesis.same_in is not None:
        for number, name in enumerate(hypothesis.same_in.models):
            yield from _check_name("models", name, models, (*claim_path, "models", number))
        if len(set(hypothesis.same_in.models)) == 1:
            yield (*claim_path, "models"), "`models` must be two different ones. Got one twice. Name another."
    elif hypothesis.model is not None:
        yield from _check_name("model", hypothesis.model, models, (*path, "model"))
    elif len(models) > 1:
        cure = f"Add model: and one of {shortened(list(models))}."
        yield path, f"`model` must be named where there are several. Got none. {cure}"
    if hypothesis.layer is not None and experiment.layers is not None:
        yield from _check_name("layer", hypothesis.layer, experiment.layers, (*path, "layer"))


def _check_name(key: str, value: str, allowed: Iterable[str], path: YamlPath) -> Iterator[tuple[YamlPath, str]]:
    names = list(allowed)
    if value not in names:
        near = difflib.get_close_matches(value, names[:_COMPARED], n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}?" if near else f"Choose one of {shortened(names)}, or add it there."
        yield path, f"`{key}` must be one that the experiment names. Got {value!r}. {hint}"


def _excerpt(value: Any) -> str:
    return "nothing" if value is None else excerpt(value)
