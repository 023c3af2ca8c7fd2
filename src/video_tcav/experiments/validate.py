"""An experiment with its models and paths, checked before anything is computed or written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, VideoTcavError
from video_tcav.experiments.clips import beside, check_clips
from video_tcav.experiments.file import RECORDING, Experiment, Model
from video_tcav.experiments.parse import read_experiment
from video_tcav.experiments.yaml_lines import Place, YamlFile
from video_tcav.models import VideoModel, load_model, parse_target
from video_tcav.models.loaders.loader import LOADERS
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.comparison import GroupOf, grouping


def check_experiment(path: str | Path, **overrides: Any) -> Experiment:
    """Check an experiment file, its paths and models, as a run would before it computes anything.

    Raises:
        ExperimentError: for the first mistake, with its line.
    """
    return check_file(path, overrides)[0]


def check_file(
    path: str | Path, overrides: Mapping[str, Any] | None = None
) -> tuple[Experiment, YamlFile, dict[str, VideoModel]]:
    """Everything that can be checked before anything is computed or written: the experiment, its file, and its models.

    Args:
        path: the experiment file.
        overrides: settings of the recording in place of the file's.

    Raises:
        InputError: for an override that cannot be used.
        ExperimentError: for the first mistake, with its line.
    """
    experiment, file = read_experiment(path)
    experiment = _with_settings(experiment, file, overrides or {})
    check_clips(experiment, file)
    check_grouping(experiment, file)
    models = {name: _model(name, one, experiment, file) for name, one in experiment.all_models().items()}
    return experiment, file, models


def _with_settings(experiment: Experiment, file: YamlFile, overrides: Mapping[str, Any]) -> Experiment:
    """The experiment with its settings of the recording checked, and those that were given in their place."""
    names = [each.name for each in RECORDING]
    for name in overrides:
        one_of("override", name, names)
    checked(file, (), lambda: Workspace(experiment.recording(experiment.spaces[0])))
    if experiment.store is not None:
        experiment = experiment.with_overrides({"store": beside(str(experiment.store), file.path)})
    chosen = experiment.with_overrides(RecordingSettings(**overrides).only(overrides))
    Workspace(chosen.recording(experiment.spaces[0]))
    return chosen


def check_grouping(experiment: Experiment, file: YamlFile) -> GroupOf:
    """The function that names a clip's group."""
    try:
        return grouping(experiment.group)
    except InputError as error:
        raise file.error(("group",), str(error)) from error


def _model(name: str, one: Model, experiment: Experiment, file: YamlFile) -> VideoModel:
    """Load a model and check everything that the experiment asks of it."""
    entry: Place = ("models", name) if experiment.models else ("model",)
    try:
        model = load_model(
            _spec_beside(one.spec, file.path),
            weights=_beside_if_there(one.weights, file.path),
            frames=one.frames,
            stride=one.stride,
            size=one.size,
            mean=one.mean,
            std=one.std,
            classes=None if one.classes is None else beside(one.classes, file.path),
            outputs=one.outputs,
            sampling=one.sampling,
            short=one.short,
            allow_impure=one.allow_impure,
            device=one.device,
        )
    except VideoTcavError as error:
        raise file.error(entry, f"model {name}: {error}") from error
    checked(
        file, ("against",), lambda: parse_target(model, _other_class(model, experiment.against), experiment.against)
    )
    if not model.outputs.has_probabilities and experiment.against != "number":
        problem = f"`against` must be number, since the outputs of model {name} are plain numbers."
        raise file.error(("against",), f"{problem} Got {experiment.against}. Write against: number.")
    for target in experiment.targets:
        checked(file, ("targets", target), lambda target=target: parse_target(model, target, experiment.against))
    for number, layer in enumerate(experiment.layers or ()):
        checked(file, ("layers", number), lambda layer=layer: model.layer(layer))
    if not experiment.layers:
        checked(file, entry, model.stages)
    known = experiment.layers or model.default_layers
    for number, hypothesis in enumerate(experiment.hypotheses):
        mine = name in (hypothesis.same_in.models if hypothesis.same_in else (hypothesis.model or name,))
        if mine and hypothesis.layer is not None and hypothesis.layer not in known:
            place: Place = ("hypotheses", number, "layer")
            raise file.error(
                place, f"`layer` must be one of {', '.join(known)}. Got {hypothesis.layer!r}. Add it to layers."
            )
    return model


def _other_class(model: VideoModel, against: str) -> str:
    """A class to try `against` with: not the one that it names itself."""
    other = against.partition(":")[2]
    return next((name for name in model.classes if name != other), model.classes[0])


def checked(file: YamlFile, place: Place, check: Callable[[], object]) -> None:
    """Run a check whose errors belong to a place of the file.

    Raises:
        ExperimentError: with file and line, for what the check raises.
    """
    try:
        check()
    except VideoTcavError as error:
        raise file.error(place, str(error)) from error


def _spec_beside(spec: str, file: Path) -> str:
    scheme, _, source = spec.partition(":")
    is_path = scheme in LOADERS.names() and LOADERS[scheme].is_path(source, file.absolute().parent)
    return f"{scheme}:{beside(source, file)}" if is_path else spec


def _beside_if_there(path: str | None, file: Path) -> str | None:
    """A weights file beside the experiment, with the set of weights chosen in it (`FILE::KEY`), or else a published name."""
    if path is None:
        return None
    near, name = beside(path, file), path.partition("::")[0]
    exists = Path(near).exists() or Path(near.partition("::")[0]).exists()
    return near if exists or "/" in path or name.endswith((".safetensors", ".pt", ".pth")) else path
