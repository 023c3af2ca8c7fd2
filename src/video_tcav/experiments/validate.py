"""Validation of an experiment with its models and clips, before anything is computed or written."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.core.files import beside
from video_tcav.core.yaml_lines import YamlFile, YamlPath
from video_tcav.experiments.audit_section import masks_beside
from video_tcav.experiments.audits import check_audit
from video_tcav.experiments.clips import check_clips
from video_tcav.experiments.file import RECORDING, Experiment
from video_tcav.experiments.parse import read_experiment
from video_tcav.experiments.text_tests import check_words
from video_tcav.masks import parse_mask_source
from video_tcav.media.grouping import GroupOf, grouping
from video_tcav.models import VideoModel, load_model, parse_target
from video_tcav.models.hooks import untouched
from video_tcav.models.model_file import Model, with_paths_in
from video_tcav.models.repeatability import random_state_kept
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.interventions.plan import plan_interventions
from video_tcav.tcav.plan import check_only_right
from video_tcav.tcav.settings import InterventionSettings
from video_tcav.words.encoder import TextVideoEncoder

Result = TypeVar("Result")
InMemory = nn.Module | VideoModel
"""A network, which is described by the clip, classes and outputs of the experiment file, or a model that is loaded already."""


def check_experiment(
    path: str | Path, *, models: InMemory | Mapping[str, InMemory] | None = None, **overrides: Any
) -> Experiment:
    """Check an experiment file, its paths and models, as a run would before it computes anything.

    Args:
        path: the experiment file.
        models: models in memory, as `run_experiment` takes them.
        overrides: settings of the recording in place of the file's.

    Raises:
        InputError: for an override that cannot be used, or a model in memory that the file does not name.
        ExperimentError: for the first mistake, with its line.
    """
    with unchanged(models):
        return check_file(path, overrides, models)[0]


@contextmanager
def unchanged(models: InMemory | Mapping[str, InMemory] | None) -> Iterator[None]:
    """Networks in memory, and the global random numbers that their training draws, are as before at the end."""
    given = models.values() if isinstance(models, Mapping) else () if models is None else (models,)
    with ExitStack() as stack:
        for model in given:
            module = model if isinstance(model, nn.Module) else model.module
            stack.enter_context(untouched(module))
            stack.enter_context(random_state_kept(_device(module)))
        yield


def _device(module: nn.Module) -> torch.device:
    tensor = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def check_file(
    path: str | Path, overrides: Mapping[str, Any], models: InMemory | Mapping[str, InMemory] | None = None
) -> tuple[Experiment, YamlFile, dict[str, VideoModel], TextVideoEncoder | None]:
    """As `check_experiment`; also returns the file with its lines, the loaded models, and the encoder of texts, if any."""
    experiment, file = read_experiment(path)
    experiment = _with_settings(experiment, file, overrides)
    check_clips(experiment, file)
    check_grouping(experiment, file)
    in_memory = _by_name(models, tuple(experiment.all_models()))
    loaded: dict[str, VideoModel] = {}
    for name, settings in experiment.all_models().items():
        entry: YamlPath = ("models", name) if experiment.models else ("model",)
        loaded[name] = _load(name, settings, in_memory.get(name), file, entry)
        _check_model(name, loaded[name], experiment, file, entry)
    return experiment, file, loaded, check_words(experiment, file)


def _by_name(models: InMemory | Mapping[str, InMemory] | None, names: tuple[str, ...]) -> Mapping[str, InMemory]:
    """Models in memory by the names of the experiment; that of a file with one model needs none."""
    if models is None:
        return {}
    if not isinstance(models, Mapping):
        first, *others = names
        if others:
            raise InputError(
                f"`models` must be named where the experiment has several. Got {type(models).__name__}."
                f" Write {{{first!r}: model}}; names are {', '.join(names)}."
            )
        return {first: models}
    for name in models:
        one_of("models", name, names)
    return models


def _with_settings(experiment: Experiment, file: YamlFile, overrides: Mapping[str, Any]) -> Experiment:
    """Check the recording settings of an experiment, and replace those with an override."""
    names = [setting.name for setting in RECORDING]
    for name in overrides:
        one_of("override", name, names)
    settings = experiment.recording(experiment.spaces[0])
    # Each alone, so that an error has the line of its key; then together, as some refuse each other.
    for name in names:
        check_value(file, (name,), lambda name=name: Workspace(RecordingSettings(**{name: getattr(settings, name)})))
    check_value(file, (), lambda: Workspace(settings))
    if experiment.store is not None:
        experiment = experiment.with_overrides({"store": beside(str(experiment.store), file.path.absolute().parent)})
    checked = RecordingSettings(**overrides)
    chosen = experiment.with_overrides({name: getattr(checked, name) for name in overrides})
    Workspace(chosen.recording(experiment.spaces[0]))
    return chosen


def check_grouping(experiment: Experiment, file: YamlFile) -> GroupOf:
    """The function that names a clip's group."""
    return check_value(file, ("group",), lambda: grouping(experiment.group))


def _load(name: str, settings: Model, in_memory: InMemory | None, file: YamlFile, entry: YamlPath) -> VideoModel:
    """The model of an entry of the file; one in memory stands in place of its `spec` and `weights`."""
    if isinstance(in_memory, VideoModel):
        return in_memory
    try:
        located = with_paths_in(settings, file.path.absolute().parent)
        if in_memory is None:
            return load_model(**located.model_dump())
        # Where it is: moving the weights of a network in training would break its optimiser.
        options = located.model_dump(exclude={"spec", "weights", "device"})
        model = load_model(in_memory, device=_device(in_memory), **options)
    except VideoTcavError as error:
        raise file.error(entry, f"model {name}: {error}") from error
    note = f"A network in memory, {model.name}, was used in place of {settings.spec}."
    return replace(model, notes=(*model.notes, note))


def _check_model(name: str, model: VideoModel, experiment: Experiment, file: YamlFile, entry: YamlPath) -> None:
    """Check targets, layers, audit and hypotheses against a model."""
    check_audit(name, model, experiment, file)
    if not experiment.targets:  # an audit alone
        return
    check_value(
        file, ("against",), lambda: parse_target(model, _other_class(model, experiment.against), experiment.against)
    )
    # Log-odds and contrasts compare classes: outputs of a regression are none.
    if not model.outputs.has_probabilities and experiment.against != "number":
        problem = f"`against` must be number, since the outputs of model {name} are plain numbers."
        raise file.error(("against",), f"{problem} Got {experiment.against}. Write against: number.")
    for target in experiment.targets:
        scalar = check_value(
            file, ("targets", target), lambda target=target: parse_target(model, target, experiment.against)
        )
        check_value(
            file,
            ("only_right",),
            lambda scalar=scalar: check_only_right(experiment.only_right, experiment.at, scalar),
        )
    for number, layer in enumerate(experiment.layers or ()):
        check_value(file, ("layers", number), lambda layer=layer: model.layer(layer))
    if not experiment.layers:  # the default layers, which not every network has
        check_value(file, entry, model.stages)
    _check_interventions(name, model, experiment, file)
    if experiment.masks is not None:
        masks = masks_beside(experiment.masks, file.path.absolute().parent)
        check_value(file, ("masks",), lambda: parse_mask_source(masks, device=model.device))
    # Only now: names of default layers are known when the model is loaded.
    layers = experiment.layers or model.default_layers
    for number, hypothesis in enumerate(experiment.hypotheses):
        concerned = name in (hypothesis.same_in.models if hypothesis.same_in else (hypothesis.model or name,))
        if concerned and hypothesis.layer is not None and hypothesis.layer not in layers:
            path: YamlPath = ("hypotheses", number, "layer")
            raise file.error(
                path, f"`layer` must be one of {', '.join(layers)}. Got {hypothesis.layer!r}. Add it to layers."
            )


def _check_interventions(name: str, model: VideoModel, experiment: Experiment, file: YamlFile) -> None:
    """Check the layers of interventions, and that what hypotheses need can be made."""
    recording, twins = experiment.recording(experiment.spaces[0]), experiment.all_twins()
    layers = experiment.layers or model.default_layers
    settings = InterventionSettings(**experiment.interventions.model_dump())
    check_value(
        file, ("interventions", "intervene_at"), lambda: plan_interventions(model, layers, twins, settings, recording)
    )
    for number, hypothesis in enumerate(experiment.hypotheses):
        if hypothesis.operation is not None and recording.sketch is not None:
            raise file.error(
                ("hypotheses", number, hypothesis.kind),
                f"`sketch` must not be set with {hypothesis.kind}: sketched rows cannot be turned back into CAVs. Got "
                f"{recording.sketch}. Leave it out.",
            )


def _other_class(model: VideoModel, against: str) -> str:
    """A class to try `against` with: of `contrast:CLASS`, another than CLASS."""
    compared = against.partition(":")[2]
    return next((name for name in model.classes if name != compared), model.classes[0])


def check_value(file: YamlFile, path: YamlPath, check: Callable[[], Result]) -> Result:
    """Run a check whose errors belong to a value of the file, and give them its line."""
    try:
        return check()
    except VideoTcavError as error:
        raise file.error(path, str(error)) from error
