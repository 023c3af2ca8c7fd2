"""Model files: a model and its options in YAML, alone or as the section `model:` of an experiment file."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from video_tcav.core.files import beside
from video_tcav.core.limits import excerpt, shortened
from video_tcav.core.model_settings import ModelSettings
from video_tcav.core.sections import Name, Section, first_mistake, setting_fields
from video_tcav.core.settings import settings_of
from video_tcav.core.yaml_lines import YamlFile, YamlPath, read_yaml
from video_tcav.models.clip_fields import parse_clip_fields
from video_tcav.models.loaders.loader import LOADERS, spec_help

_log = logging.getLogger(__name__)
_UNNAMED = ""  # the only model of a file
_SUFFIXES = (".yaml", ".yml")
_WEIGHTS_SUFFIXES = (".safetensors", ".pt", ".pth")


class Model(setting_fields("ModelFields", settings_of(ModelSettings)), Section):
    """A model and its options, as `load_model` takes them."""

    spec: Name = Field(description=f"{spec_help()}; or a model file, FILE.yaml")

    @field_validator("device")
    @classmethod
    def _default_device(cls, device: str | None) -> str | None:
        return None if device == "auto" else device  # what runs of version 0.1 noted without being told a device

    def options_given(self) -> dict[str, Any]:
        """The options that were given, without the spec."""
        return {name: getattr(self, name) for name in self.model_fields_set if name != "spec"}


def is_model_file(spec: str) -> bool:
    """Whether a spec is the path of a YAML file, with `#NAME` where the file has several models."""
    path, _ = _path_and_name(spec, Path())
    return path.lower().endswith(_SUFFIXES) and spec.partition(":")[0] not in LOADERS.names()


def read_model_file(spec: str, folder: Path = Path()) -> Model:
    """The model that a file describes.

    The file has the keys of an experiment's `model:` section at its top, or it is an experiment file, of which nothing but the
    models is read.

    Args:
        spec: path of the file; `FILE#NAME` for a file with several models.
        folder: what a relative path is relative to; paths of the result are then relative to it, too.

    Raises:
        ExperimentError: if the file cannot be read, with the line of a mistake, or if it does not say which model is meant.
    """
    path, name = _path_and_name(spec, folder)
    file = read_yaml(folder / Path(path).expanduser())
    models = _sections(file)
    if name is None and len(models) > 1:
        cure = f"Write {path}#{next(iter(models))}."
        raise file.error(("models",), f"`model` must name one of {shortened(list(models))}. Got none. {cure}")
    if name is not None and name not in models:
        allowed = (
            "be the file alone, whose model has no name"
            if _UNNAMED in models
            else f"name one of {shortened(list(models))}"
        )
        raise file.error((), f"`model` must {allowed}. Got {excerpt(name)} behind the #. Correct it.")
    section, values = next(iter(models.values())) if name is None else models[name]
    try:
        model = Model(spec=values) if isinstance(values, str) else Model.model_validate(values)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        raise first_mistake(error, file, section) from error
    if is_model_file(model.spec):
        raise file.error(
            (*section, "spec"), f"`spec` must be a model. Got {model.spec}, a model file. Name that file instead."
        )
    _log.info("model file: %s", file.path)
    return with_paths_in(model, Path(path).parent, folder)


def described(model: Model, folder: Path) -> Model:
    """The model itself; where its spec is a model file in `folder`, what that file says, under the options beside it."""
    if not is_model_file(model.spec):
        return model
    return read_model_file(model.spec, folder).model_copy(update=model.options_given())


def described_model(spec: str, **options: Any) -> Model:
    """As `described`, for a spec and options of a command line, whose sizes and colours may be text."""
    fields = parse_clip_fields(options, source="the options")
    parsed = {name: value for name, value in fields.items() if value is not None}  # size: native stays as it is
    return described(Model.model_validate({**options, **parsed, "spec": spec}), Path())


def with_paths_in(model: Model, prefix: Path, folder: Path = Path()) -> Model:
    """A model with its relative paths below `prefix`, itself a path in `folder`; published names of weights stay."""
    scheme, _, source = model.spec.partition(":")
    changed: dict[str, Any] = {}
    if scheme in LOADERS.names() and LOADERS[scheme].is_path(source, (folder / prefix).absolute()):
        changed["spec"] = f"{scheme}:{beside(source, prefix)}"
    if model.weights is not None:
        changed["weights"] = _weights_in(model.weights, prefix, folder)
    for name in ("classes", "adapter", "probe", "erased"):
        if (path := getattr(model, name)) is not None:
            changed[name] = Path(beside(str(path), prefix))
    return model.model_copy(update=changed)


def _weights_in(weights: str, prefix: Path, folder: Path) -> str:
    """Path of a weights file with the set of weights chosen in it (`FILE::KEY`), or else a published name."""
    # A published name such as KINETICS400_V1 has neither a slash nor an ending.
    near, name = beside(weights, prefix), weights.partition("::")[0]
    exists = (folder / near).exists() or (folder / near.partition("::")[0]).exists()
    return near if exists or "/" in weights or name.endswith(_WEIGHTS_SUFFIXES) else weights


def _path_and_name(spec: str, folder: Path) -> tuple[str, str | None]:
    """Path and name of `FILE#NAME`; a `#` may also be part of the path."""
    path, mark, name = spec.partition("#")
    whole = not mark or (folder / Path(spec).expanduser()).exists()
    return (spec, None) if whole else (path, name)


def _sections(file: YamlFile) -> Mapping[str, tuple[YamlPath, Any]]:
    """The models of a file by their names, each with its place and values."""
    values = file.values
    if isinstance(values, Mapping):
        if "spec" in values:
            return {_UNNAMED: ((), values)}
        if isinstance(values.get("model"), str | Mapping):
            return {_UNNAMED: (("model",), values["model"])}
        several = values.get("models")
        if isinstance(several, Mapping) and several:
            return {str(name): (("models", name), entry) for name, entry in several.items()}
    raise file.error((), "the file must describe a model. Got none. Add spec: and a model, such as torchvision:r3d_18.")
