"""The clips of an experiment: found beside its file, or rendered into the run directory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import left_out_notes
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.files import atomic_folder, beside
from video_tcav.core.progress import progress_bar
from video_tcav.core.yaml_lines import YamlFile, YamlPath, dotted
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.sections import ClipSource, Rendered, RenderedSource
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
    for path, source in _sources_by_path(experiment).items():
        if not isinstance(source, RenderedSource):
            _sources_at(source, path, file)


def find_clips(experiment: Experiment, file: YamlFile, folder: Path, *, progress: bool) -> ClipSets:
    """Find all clips as `check_clips` does, and render those that are to be rendered into `folder`."""
    folder_names: set[str] = set()

    def clips_of(path: YamlPath, source: ClipSource) -> tuple[VideoSource, ...]:
        if not isinstance(source, RenderedSource):
            return _sources_at(source, path, file)
        name = "-".join(str(key).replace("/", "_") for key in path)
        while name.casefold() in folder_names:  # a pair `a: {static, dynamic}` beside a concept `a-static`
            name += "_"
        folder_names.add(name.casefold())
        return _rendered(source.rendered, folder / name, advance)

    sources = _sources_by_path(experiment).values()
    total = sum(source.rendered.count for source in sources if isinstance(source, RenderedSource))
    with progress_bar("rendering (clips)", total, visible=progress and total > 0) as advance:
        return ClipSets(
            targets={
                name: None if source is None else clips_of(("targets", name), source)
                for name, source in experiment.targets.items()
            },
            concepts={
                name: clips_of(_concept_path(name, experiment), source)
                for name, source in experiment.all_concepts().items()
            },
            random=clips_of(("random",), experiment.random),
        )


def _sources_by_path(experiment: Experiment) -> dict[YamlPath, ClipSource]:
    """Every set of clips by its place in the file."""
    targets = {("targets", name): source for name, source in experiment.targets.items() if source is not None}
    concepts = {_concept_path(name, experiment): source for name, source in experiment.all_concepts().items()}
    return {**targets, **concepts, ("random",): experiment.random}


def _concept_path(name: str, experiment: Experiment) -> YamlPath:
    # A pair NAME: {static, dynamic} is two concepts, whose values have the paths concepts.NAME.static and .dynamic.
    return ("concepts", name) if name in experiment.concepts else ("concepts", *name.rsplit("/", 1))


def left_out_of(experiment: Experiment, file: YamlFile) -> tuple[str, ...]:
    """A line for each folder and glob with files that are left out because of their endings."""
    sources = _sources_by_path(experiment).values()
    return left_out_notes([path for source in sources for path in _paths(source, file)])


def _paths(source: ClipSource, file: YamlFile) -> list[str]:
    """The paths of a source, relative to the file's folder; none where it is rendered."""
    if isinstance(source, RenderedSource):
        return []
    return [beside(path, file.path.absolute().parent) for path in ([source] if isinstance(source, str) else source)]


def _sources_at(source: ClipSource, path: YamlPath, file: YamlFile) -> tuple[VideoSource, ...]:
    try:
        return as_sources(_paths(source, file))
    except VideoTcavError as error:
        raise file.error(path, f"`{dotted(path)}`: {error}") from error
    except OSError as error:
        raise file.error(path, f"`{dotted(path)}` must be readable. Got: {error.strerror}.") from error


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
