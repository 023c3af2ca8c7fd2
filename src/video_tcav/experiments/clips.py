"""The clips of an experiment: found beside its file, or rendered into the run directory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from video_tcav.tcav.effect_check.pair_matching import match_pairs

AUDIT_CLIPS: YamlPath = ("audit", "clips")


@dataclass(frozen=True, kw_only=True)
class ClipSets:
    """The clips of an experiment, by what they are for.

    Attributes:
        targets: by class; `None` where gradients are taken at random clips.
        concepts: by name.
        random: the pool; empty without concepts.
        audit: labelled clips that are audited; `None` without an audit.
        pairs: by concept the same clips with and without it; see `match_pairs`.
    """

    targets: Mapping[str, tuple[VideoSource, ...] | None]
    concepts: Mapping[str, tuple[VideoSource, ...]]
    random: tuple[VideoSource, ...]
    audit: tuple[VideoSource, ...] | None = None
    pairs: Mapping[str, tuple[tuple[VideoSource, ...], tuple[VideoSource, ...]]] = field(default_factory=dict)

    def sources(self) -> list[VideoSource]:
        """Clips of all sets."""
        targets = [sources for sources in self.targets.values() if sources is not None]
        paired = [side for sides in self.pairs.values() for side in sides]
        sets = (*targets, *self.concepts.values(), self.random, self.audit or (), *paired)
        return [source for sources in sets for source in sources]


def check_clips(experiment: Experiment, file: YamlFile) -> None:
    """Find all clips that are named by a path, without opening one, and match those of pairs.

    Raises:
        ExperimentError: with file and line, if there is none behind a path, or no other clip of a pair.
    """
    found = {path: _sources_before(source, path, file) for path, source in _sources_by_path(experiment).items()}
    _paired(experiment, file, found)


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
        targets = {
            name: None if source is None else clips_of(("targets", name), source)
            for name, source in experiment.targets.items()
        }
        concepts = {
            name: clips_of(_concept_path(name, experiment), source)
            for name, source in experiment.all_concepts().items()
        }
        paired = {path: clips_of(path, source) for path, source in _paired_by_path(experiment).items()}
        paired |= {_concept_path(name, experiment): sources for name, sources in concepts.items()}
        return ClipSets(
            targets=targets,
            concepts=concepts,
            random=() if experiment.random is None else clips_of(("random",), experiment.random),
            audit=_audited(experiment, targets, clips_of),
            pairs=_paired(experiment, file, paired),
        )


def _paired(
    experiment: Experiment, file: YamlFile, found: Mapping[YamlPath, tuple[VideoSource, ...]]
) -> dict[str, tuple[tuple[VideoSource, ...], tuple[VideoSource, ...]]]:
    """Clips of pairs by concept; those with it are the concept's own where the file names no others.

    Raises:
        ExperimentError: with the line of the pairs, if some have not exactly one clip on each side.
    """
    sides = {}
    for name, entry in experiment.pairs.items():
        own = entry.with_concept is None
        with_concept = found[_concept_path(name, experiment) if own else ("pairs", name, "with")]
        without = found["pairs", name, "without"]
        try:
            match_pairs(with_concept, without)
        except VideoTcavError as error:
            raise file.error(("pairs", name), f"`pairs.{name}`: {error}") from error
        sides[name] = (with_concept, without)
    return sides


def _paired_by_path(experiment: Experiment) -> dict[YamlPath, ClipSource]:
    """Clips of pairs that the file names, by their place in it."""
    return {
        ("pairs", name, side): source
        for name, entry in experiment.pairs.items()
        for side, source in (("with", entry.with_concept), ("without", entry.without))
        if source is not None
    }


def _audited(
    experiment: Experiment,
    targets: Mapping[str, tuple[VideoSource, ...] | None],
    clips_of: Callable[[YamlPath, ClipSource], tuple[VideoSource, ...]],
) -> tuple[VideoSource, ...] | None:
    """The clips of the audit; those of a mapping, or of targets, have the label that they stand under."""
    if experiment.audit is None:
        return None
    clips = experiment.audit.clips
    if clips is not None and not isinstance(clips, Mapping):
        return clips_of(AUDIT_CLIPS, clips)
    # the label that a folder gives a clip says less than where the file puts it
    by_label = (
        targets if clips is None else {name: clips_of((*AUDIT_CLIPS, name), each) for name, each in clips.items()}
    )
    return tuple(replace(source, label=label) for label, sources in by_label.items() for source in sources or ())


def audited_sources(experiment: Experiment, file: YamlFile) -> tuple[VideoSource, ...]:
    """The labelled clips of an audit before any is rendered: those that will be have the names that they will get.

    Raises:
        ExperimentError: with file and line, if there is none behind a path.
    """
    targets = {
        name: None if source is None else _sources_before(source, ("targets", name), file)
        for name, source in experiment.targets.items()
    }
    return _audited(experiment, targets, lambda path, source: _sources_before(source, path, file)) or ()


def _sources_before(source: ClipSource, path: YamlPath, file: YamlFile) -> tuple[VideoSource, ...]:
    """The clips of a source before any is rendered."""
    if not isinstance(source, RenderedSource):
        return _sources_at(source, path, file)
    # nothing is rendered for a check: labels, versions and pairs can be told by the names alone
    folder = Path("-".join(map(str, path)))
    return tuple(VideoSource(path=folder / f"{n:05d}.mp4", kind="video") for n in range(source.rendered.count))


def _sources_by_path(experiment: Experiment) -> dict[YamlPath, ClipSource]:
    """Every set of clips by its place in the file."""
    paths: dict[YamlPath, ClipSource] = {
        ("targets", name): source for name, source in experiment.targets.items() if source is not None
    }
    paths |= {_concept_path(name, experiment): source for name, source in experiment.all_concepts().items()}
    if experiment.random is not None:
        paths["random",] = experiment.random
    paths |= _paired_by_path(experiment)
    clips = None if experiment.audit is None else experiment.audit.clips
    if isinstance(clips, Mapping):
        paths |= {(*AUDIT_CLIPS, name): source for name, source in clips.items()}
    elif clips is not None:
        paths[AUDIT_CLIPS] = clips
    return paths


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
