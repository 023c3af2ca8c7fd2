"""The clips of an experiment: found beside its file, or rendered into the run directory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import left_out_notes
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.files import atomic_folder
from video_tcav.core.progress import progress_bar
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.sections import ClipSource, Rendered, RenderedSource
from video_tcav.experiments.yaml_lines import YamlFile, YamlPath
from video_tcav.media import VideoSource, write_picture, write_video
from video_tcav.rendered import render, sample_factors
from video_tcav.rendered.dataset import FPS


@dataclass(frozen=True, kw_only=True)
class ClipSets:
    """The clips of an experiment, by what they are for.

    Attributes:
        targets: by class; `None` where gradients are taken at random clips.
        concepts: by name.
        random: the pool.
    """

    targets: Mapping[str, tuple[VideoSource, ...] | None]
    concepts: Mapping[str, tuple[VideoSource, ...]]
    random: tuple[VideoSource, ...]

    def sources(self) -> list[VideoSource]:
        """Clips of all sets."""
        targets = [sources for sources in self.targets.values() if sources is not None]
        return [source for sources in (*targets, *self.concepts.values(), self.random) for source in sources]


def check_clips(experiment: Experiment, file: YamlFile) -> None:
    """Find all clips that are named by a path, without opening one.

    Raises:
        ExperimentError: with file and line, if there is none behind a path.
    """
    for path, source in _sources_by_path(experiment):
        if source is not None and not isinstance(source, RenderedSource):
            _sources_at(source, path, file)


def find_clips(experiment: Experiment, file: YamlFile, folder: Path, *, progress: bool) -> ClipSets:
    """Find all clips, and render those that are to be rendered into `folder`.

    Raises:
        ExperimentError: with file and line, if there is none behind a path.
        OutputError: if the folder cannot be written to.
    """
    sources_by_path = dict(_sources_by_path(experiment))
    wanted = {path: source.rendered for path, source in sources_by_path.items() if isinstance(source, RenderedSource)}
    total = sum(rendered.count for rendered in wanted.values())
    sources: dict[YamlPath, tuple[VideoSource, ...] | None] = {}
    with progress_bar("rendering (clips)", total, visible=progress and total > 0) as advance:
        for path, source in sources_by_path.items():
            if isinstance(source, RenderedSource):
                name = "-".join(str(key).replace("/", "_") for key in path)
                sources[path] = _rendered(source.rendered, folder / name, advance)
            else:
                sources[path] = None if source is None else _sources_at(source, path, file)
    random = sources[("random",)]
    assert random is not None
    concepts: dict[str, tuple[VideoSource, ...]] = {}
    for path, files in sources.items():
        if path[0] == "concepts":
            assert files is not None
            concepts["/".join(str(key) for key in path[1:])] = files
    return ClipSets(
        targets={str(path[1]): files for path, files in sources.items() if path[0] == "targets"},
        concepts=concepts,
        random=random,
    )


def _sources_by_path(experiment: Experiment) -> list[tuple[YamlPath, ClipSource | None]]:
    """Every set of clips with its place in the file."""
    # A pair NAME: {static, dynamic} is two concepts, whose values have the paths concepts.NAME.static and .dynamic.
    pairs: list[tuple[YamlPath, ClipSource | None]] = [
        (("targets", name), source) for name, source in experiment.targets.items()
    ]
    for name, source in experiment.all_concepts().items():
        base, _, version = name.rpartition("/")
        paired = name not in experiment.concepts
        pairs.append((("concepts", base, version) if paired else ("concepts", name), source))
    return [*pairs, (("random",), experiment.random)]


def left_out_of(experiment: Experiment, file: YamlFile) -> tuple[str, ...]:
    """A line for each folder and glob with files that are left out because of their endings."""
    named = [
        source
        for _, source in _sources_by_path(experiment)
        if source is not None and not isinstance(source, RenderedSource)
    ]
    paths = [path for source in named for path in ([source] if isinstance(source, str) else source)]
    return left_out_notes([beside(path, file.path) for path in paths])


def _sources_at(source: str | Sequence[str], path: YamlPath, file: YamlFile) -> tuple[VideoSource, ...]:
    paths = [source] if isinstance(source, str) else list(source)
    try:
        return as_sources([beside(path, file.path) for path in paths])
    except VideoTcavError as error:
        raise file.error(path, f"`{'.'.join(map(str, path))}`: {error}") from error
    except OSError as error:
        raise file.error(path, f"`{'.'.join(map(str, path))}` must be readable. Got: {error.strerror}.") from error


def beside(path: str, file: Path) -> str:
    """A path as it is meant in an experiment file: relative to the file's folder."""
    # `~` is expanded where paths are read.
    return path if Path(path).is_absolute() or path.startswith("~") else str(file.absolute().parent / path)


def _rendered(wanted: Rendered, folder: Path, advance: Callable[[int], None]) -> tuple[VideoSource, ...]:
    """Render into a folder, unless a killed run has finished it."""
    # The folder has its name only when all its clips were written, so its presence is enough.
    if folder.is_dir():
        advance(wanted.count)
        return as_sources(folder)
    with atomic_folder(folder) as partial:
        for number, factors in enumerate(sample_factors(wanted.count, seed=wanted.seed, **wanted.fixed())):
            frames = render(factors).clip
            if wanted.still:
                write_picture(partial / f"still-{number:05d}.png", frames[len(frames) // 2])
            else:
                write_video(partial / f"{number:05d}.mp4", frames, fps=FPS)
            advance(1)
    return as_sources(folder)
