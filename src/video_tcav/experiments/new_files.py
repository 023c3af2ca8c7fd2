"""New files: a model file and an experiment file, with comments, from a model and folders of clips."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from video_tcav.concepts import as_sources
from video_tcav.core.errors import InputError, OutputError
from video_tcav.core.files import beside, write_text
from video_tcav.core.limits import shortened
from video_tcav.core.model_settings import ModelSettings
from video_tcav.core.settings import settings_of
from video_tcav.models import VideoModel
from video_tcav.models.model_file import Model, with_paths_in

MODEL_FILE, EXPERIMENT_FILE = "model.yaml", "experiment.yaml"
RANDOM, CONCEPTS = "random", "concepts"

_MODEL_HEAD = """\
# A model, and the clips that it takes. Try it: video-tcav layers --model model.yaml
# Paths are relative to this file. Options of the command line win over what stands here.
"""
_MODEL_UNSET = """
# What is in use without being set here; remove the # of a line to change it.
"""
_EXPERIMENT = """\
# What does the model rely on? Change what is claimed at the end, then check the file, and run it:
#   video-tcav run experiment.yaml --check
#   video-tcav run experiment.yaml
# Paths are relative to this file: a folder, a file, a glob, a manifest, or a list of these in [ ].
title: {title}

model: {model}

# Clips of the class that is explained, by the name of the class.
targets:
{targets}

# Clips of each concept, by a name of your own. Pictures serve for what does not move.
concepts:
{concepts}

# Clips without the concepts, otherwise of the same kind; the more, the better.
random: {random}

# What is independent: video, that is, each file. Where several files show the same person or scene, write a regular expression
# for the part of the path that names it, such as '([a-z]+)_'. Otherwise p-values are too small.
group: video
{against}
statistics:
  margin: 0.5  # in units of the target: an effect that is smaller does not matter in practice

seed: 0  # of every random draw

# What is claimed. Each is answered: supported, contradicted, undecided, or not represented.
hypotheses:
{hypotheses}
"""


@dataclass(frozen=True, kw_only=True)
class ClipPaths:
    """Where the clips of a new experiment are.

    Attributes:
        target: class that is explained.
        clips: of that class.
        concepts: by name.
        random: clips without the concepts.
    """

    target: str
    clips: Sequence[str]
    concepts: Mapping[str, Sequence[str]]
    random: Sequence[str]


def clip_paths(
    model: VideoModel,
    folder: str | Path | None = None,
    *,
    target: str | None = None,
    clips: Sequence[str] = (),
    concepts: Mapping[str, Sequence[str]] | None = None,
    random: Sequence[str] = (),
) -> ClipPaths:
    """Find the clip sets of an experiment in a folder that holds a folder of each.

    Of its folders, `random` holds random clips, one with the name of the class clips of that class, and every other clips of a
    concept, or the folders in `concepts`, where there is such a folder.

    Args:
        model: whose classes are looked for among the folders.
        folder: with the folders; not needed where all sets are given.
        target: the class; by default the only one that a folder is named after.
        clips: paths of its clips, in place of a folder of that name.
        concepts: paths by name, in place of the other folders.
        random: paths, in place of the folder `random`.

    Raises:
        InputError: if a set is missing, or several folders have the name of a class and none is chosen.
        ClassNotFoundError: if the model has no class `target`.
    """
    folders = {} if folder is None else _folders(Path(folder).expanduser())
    found_random = folders.pop(RANDOM, None)
    target = model.classes[model.class_index(target)] if target is not None else class_folder(model, folders)
    class_clips = next((folders.pop(name) for name in list(folders) if _plain(name) == _plain(target)), None)
    others = _folders(folders[CONCEPTS]) if CONCEPTS in folders else folders
    sets = {
        "clips": list(clips) or ([] if class_clips is None else [str(class_clips)]),
        "concept": dict(concepts or {name: [str(path)] for name, path in others.items()}),
        "random": list(random) or ([] if found_random is None else [str(found_random)]),
    }
    for option, paths in sets.items():
        if not paths:
            place = "no folder was given" if folder is None else f"{folder} holds no folder for it"
            name = {"clips": f"named {target}", "concept": "for each concept", "random": "named random"}[option]
            raise InputError(f"`--{option}` must be given where {place}. Got none. Give it, or add a folder {name}.")
    return ClipPaths(target=target, clips=sets["clips"], concepts=sets["concept"], random=sets["random"])


def class_folder(model: VideoModel, folders: Mapping[str, Path]) -> str:
    """The class that one of the folders is named after.

    Raises:
        InputError: if there is none, or several.
    """
    names = {_plain(name) for name in folders}
    classes = [name for name in model.classes if _plain(name) in names]
    if len(classes) != 1:
        got = f"several: {shortened(classes)}" if classes else f"none of its {len(model.classes)} classes"
        raise InputError(
            f"`--target` must be given unless just one folder has the name of a class. Got {got}. Give --target CLASS."
        )
    return classes[0]


def check_new(out: str | Path, *, force: bool = False) -> None:
    """Refuse to overwrite files, unless `force` is set."""
    for name in (MODEL_FILE, EXPERIMENT_FILE):
        path = Path(out) / name
        if path.exists() and not force:
            raise OutputError(
                f"`{path}` must be new. Got one that is there. Give --force to replace it, or another --out."
            )


def write_new_files(
    out: str | Path,
    model: Model,
    loaded: VideoModel,
    paths: ClipPaths,
    *,
    title: str | None = None,
    force: bool = False,
) -> tuple[Path, Path]:
    """Write a model file and an experiment file into the folder `out`; relative paths are then relative to it.

    Args:
        out: the folder.
        model: the model and its options.
        loaded: that model.
        paths: of its clips.
        title: of the experiment.
        force: whether to replace files that are there.

    Returns:
        The paths of both files.

    Raises:
        OutputError: if one of them is there, or cannot be written.
        SourceError: if there is no clip behind a path.
    """
    check_new(out, force=force)
    out = Path(out)
    hypotheses = "\n".join(_hypotheses(paths))  # finds all clips, before anything is written
    upwards = Path(os.path.relpath(Path.cwd(), out))
    sets = {
        "targets": f"  {_yaml(paths.target)}: {_sources(paths.clips, upwards)}",
        "concepts": "\n".join(f"  {_yaml(name)}: {_sources(each, upwards)}" for name, each in paths.concepts.items()),
        "random": _sources(paths.random, upwards),
    }
    # Outputs of a regression are plain numbers, without odds.
    against = "" if loaded.outputs.has_probabilities else "against: number\n"
    heading = title or f'What makes the model say "{paths.target}"?'
    text = _EXPERIMENT.format(title=_yaml(heading), model=MODEL_FILE, against=against, hypotheses=hypotheses, **sets)
    write_text(out / MODEL_FILE, model_text(with_paths_in(model, upwards, out), loaded))
    write_text(out / EXPERIMENT_FILE, text)
    return out / MODEL_FILE, out / EXPERIMENT_FILE


def model_text(model: Model, loaded: VideoModel) -> str:
    """A model file: the options that were given, and the others as comments, with the values in use."""
    given, clip = model.options_given(), loaded.clip_spec
    in_use = {**vars(clip), "size": clip.size or "native", "outputs": loaded.outputs.kind}
    lines, unset = [f"spec: {_yaml(model.spec)}"], []
    for setting in settings_of(ModelSettings):
        value = given.get(setting.name)
        if value is not None:
            lines.append(f"{setting.name}: {_yaml(value)}  # {setting.info.help}")
        # A stride would turn off a frame rate that the model was published with.
        elif setting.name in in_use and not (setting.name == "stride" and clip.fps):
            unset.append(f"# {setting.name}: {_yaml(in_use[setting.name])}  # {setting.info.help}")
    return _MODEL_HEAD + "\n".join(lines) + "\n" + _MODEL_UNSET + "\n".join(unset) + "\n"


def _hypotheses(paths: ClipPaths) -> Iterator[str]:
    for sources in (paths.clips, paths.random):
        as_sources(list(sources))
    target = _yaml(paths.target)
    for name, sources in paths.concepts.items():
        moves = any(source.kind != "still" for source in as_sources(list(sources)))
        about = f"{{concept: {_yaml(name)}, target: {target}}}"
        yield f"  - matters: {about}  # it raises the class; add expect: negative or either for other claims"
        if moves:
            yield f"  - motion_matters: {about}  # not its picture alone: its motion"


def _sources(paths: Sequence[str], upwards: Path) -> str:
    written = [beside(path, upwards) for path in paths]
    return _yaml(written[0] if len(written) == 1 else written)


def _yaml(value: Any) -> str:
    """A value on one line of YAML, within a list or mapping as well."""
    plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    # As the only member of a list: YAML quotes there what would be a list or mapping within one.
    text = yaml.safe_dump([plain], default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    return text.strip()[1:-1]


def _folders(folder: Path) -> dict[str, Path]:
    """The folders in a folder by name, sorted."""
    try:
        return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    except OSError as error:
        raise InputError(
            f"`folder` must be a folder of folders with clips. Got {folder}: {error.strerror}. Check the path."
        ) from error


def _plain(name: str) -> str:
    """A name as it is compared: folders often write `playing_tennis`."""
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())
