"""The clips of an experiment: found beside its file, or rendered into the run directory."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import left_out_notes
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.progress import progress_bar
from video_tcav.experiments.file import Experiment, Rendered, RenderedSource, Where
from video_tcav.experiments.yaml_lines import Place, YamlFile
from video_tcav.media import VideoSource, write_picture, write_video
from video_tcav.rendered import render, sample_factors
from video_tcav.rendered.dataset import FPS


@dataclass(frozen=True, kw_only=True)
class ClipSets:
    """Where the clips of each part of an experiment are.

    Attributes:
        targets: by class; `None` where gradients are taken at random clips.
        concepts: by name.
        random: the pool.
    """

    targets: Mapping[str, tuple[VideoSource, ...] | None]
    concepts: Mapping[str, tuple[VideoSource, ...]]
    random: tuple[VideoSource, ...]


def check_clips(experiment: Experiment, file: YamlFile) -> None:
    """Find all clips that are named by a path, without opening one.

    Raises:
        ExperimentError: with file and line, if there is none behind a path.
    """
    for place, where in _parts(experiment):
        if where is not None and not isinstance(where, RenderedSource):
            _found(where, place, file)


def find_clips(experiment: Experiment, file: YamlFile, folder: Path, *, progress: bool) -> ClipSets:
    """Find all clips, and render those that are to be rendered into `folder`.

    Raises:
        ExperimentError: with file and line, if there is none behind a path.
        OutputError: if the folder cannot be written to.
    """
    parts = dict(_parts(experiment))
    wanted = {place: where.rendered for place, where in parts.items() if isinstance(where, RenderedSource)}
    total = sum(one.count for one in wanted.values())
    found: dict[Place, tuple[VideoSource, ...] | None] = {}
    with progress_bar("rendering (clips)", total, visible=progress and total > 0) as advance:
        for place, where in parts.items():
            if isinstance(where, RenderedSource):
                name = "-".join(str(part).replace("/", "_") for part in place)
                found[place] = _rendered(where.rendered, folder / name, advance)
            else:
                found[place] = None if where is None else _found(where, place, file)
    random = found[("random",)]
    assert random is not None
    concepts: dict[str, tuple[VideoSource, ...]] = {}
    for place, sources in found.items():
        if place[0] == "concepts":
            assert sources is not None
            concepts["/".join(str(part) for part in place[1:])] = sources
    return ClipSets(
        targets={str(place[1]): sources for place, sources in found.items() if place[0] == "targets"},
        concepts=concepts,
        random=random,
    )


def _parts(experiment: Experiment) -> list[tuple[Place, Where | None]]:
    """Every set of clips with its place in the file."""
    pairs: list[tuple[Place, Where | None]] = [(("targets", name), where) for name, where in experiment.targets.items()]
    for name, where in experiment.all_concepts().items():
        base, _, version = name.rpartition("/")
        paired = name not in experiment.concepts
        pairs.append((("concepts", base, version) if paired else ("concepts", name), where))
    return [*pairs, (("random",), experiment.random)]


def left_out_of(experiment: Experiment, file: YamlFile) -> tuple[str, ...]:
    """A line for each folder and glob of which files are left out, since their endings are none that are read."""
    named = [where for _, where in _parts(experiment) if where is not None and not isinstance(where, RenderedSource)]
    paths = [path for where in named for path in ([where] if isinstance(where, str) else where)]
    return left_out_notes([beside(path, file.path) for path in paths])


def _found(where: str | Sequence[str], place: Place, file: YamlFile) -> tuple[VideoSource, ...]:
    paths = [where] if isinstance(where, str) else list(where)
    try:
        return as_sources([beside(path, file.path) for path in paths])
    except VideoTcavError as error:
        raise file.error(place, f"`{'.'.join(map(str, place))}`: {error}") from error
    except OSError as error:
        raise file.error(place, f"`{'.'.join(map(str, place))}` must be readable. Got: {error.strerror}.") from error


def beside(path: str, file: Path) -> str:
    """A path as it is meant in an experiment file: relative to the file's folder."""
    return path if Path(path).is_absolute() or path.startswith("~") else str(file.absolute().parent / path)


def _rendered(wanted: Rendered, folder: Path, advance) -> tuple[VideoSource, ...]:
    """Render into a folder that gets its name when it is whole."""
    if not folder.is_dir():
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for number, factors in enumerate(sample_factors(wanted.count, seed=wanted.seed, **wanted.fixed())):
            frames = render(factors).clip
            if wanted.still:
                write_picture(partial / f"still-{number:05d}.png", frames[len(frames) // 2])
            else:
                write_video(partial / f"{number:05d}.mp4", frames, fps=FPS)
            advance(1)
        partial.rename(folder)
    else:
        advance(wanted.count)
    return as_sources(folder)
