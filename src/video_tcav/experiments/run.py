"""Running an experiment: from its file to verdicts, in a directory that survives being killed."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from video_tcav.core.errors import ExperimentError, MediaError
from video_tcav.core.escaping import one_line
from video_tcav.core.files import write_json
from video_tcav.core.progress import progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.core.tables import write_csv, write_parquet
from video_tcav.core.terminal import console
from video_tcav.experiments.analyses import Which, finish_folder, load_analysis, save_analysis
from video_tcav.experiments.clips import ClipSets, find_clips, left_out_of
from video_tcav.experiments.completed_run import Run, load_run
from video_tcav.experiments.digests import DIGESTS, check_folder, write_digests
from video_tcav.experiments.directory import RunDirectory, held, prepare
from video_tcav.experiments.example_clips import save_shown, show_clips
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.previews import PER_SET, sets_of, write_previews
from video_tcav.experiments.validate import check_file, check_grouping, checked
from video_tcav.experiments.verdicts import judge
from video_tcav.experiments.yaml_lines import YamlFile
from video_tcav.media import VideoSource, source_digest
from video_tcav.media.used_steps import used_steps
from video_tcav.models import VideoModel
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav import run_tcav
from video_tcav.tcav.comparison import GroupOf


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Everything that a run needs."""

    experiment: Experiment
    file: YamlFile
    models: Mapping[str, VideoModel]
    directory: RunDirectory
    progress: bool

    def recording(self, which: Which) -> RecordingSettings:
        """How clips are passed for an analysis; where no store is given, the run's own serves all of them."""
        settings = self.experiment.recording(which.space)
        return settings.with_values(store=settings.store or self.directory.store)


def run_experiment(
    path: str | Path,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = False,
    **overrides: Any,
) -> Run:
    """Answer the hypotheses of an experiment file.

    Everything is checked before anything is computed or written. A run that was killed goes on with `resume`, and its results
    are those of a run that was not; what was finished is not computed again.

    Args:
        path: the experiment file.
        out: run directory; `runs/` and the file's name, where the command runs, if not given.
        resume: whether to go on with the run that is there; a finished one is read again.
        progress: whether to show progress bars on standard error.
        overrides: settings of the recording (`RecordingSettings`, but for `space`) in place of the file's, such as `store`,
            `workers` or `precision`. Without a store, the run's own is removed when it is finished.

    Raises:
        ExperimentError: for a mistake in the file, with its line, or a directory that cannot be used.
        VideoTcavError: one of its other kinds, with a cure in the message.
    """
    experiment, file, models = check_file(path, overrides)
    group_of = check_grouping(experiment, file)
    folder = Path(out) if out is not None else Path("runs") / Path(path).stem
    digests = {name: model.weights_digest for name, model in models.items()}
    directory = prepare(folder, experiment, file, resume=resume, facts={"model_digests": digests})
    if _is_finished(directory):
        return load_run(folder)  # needs no lock, which a read-only directory could not have
    with held(directory):
        if _is_finished(directory):
            return load_run(folder)
        work = _Work(
            experiment=experiment,
            file=file,
            models=models,
            directory=directory,
            progress=progress,
        )
        clips = find_clips(experiment, file, directory.clips, progress=progress)
        _check_groups(clips, group_of, file)
        _analyse(work, clips)
        _show(work, clips)
        _finish(work, clips)
        if experiment.store is None:
            shutil.rmtree(directory.store, ignore_errors=True)
    return load_run(folder)


def _is_finished(directory: RunDirectory) -> bool:
    """Whether nothing is left to do: a finished run of which a part was deleted, as damaged, makes that part again."""
    return bool(directory.record().get("finished")) and directory.is_complete()


def _check_groups(clips: ClipSets, group_of: GroupOf, file: YamlFile) -> None:
    """A pattern that does not match is found before the long work."""
    for sources in (
        clips.random,
        *clips.concepts.values(),
        *(one for one in clips.targets.values() if one is not None),
    ):
        for source in sources:
            checked(file, ("group",), lambda source=source: group_of(source))


def _analyse(work: _Work, clips: ClipSets) -> None:
    """Every analysis that is not there yet."""
    experiment = work.experiment
    wanted = _wanted(experiment)
    for number, which in enumerate(wanted, start=1):
        folder = work.directory.analyses / which.folder_name(number)
        if folder.is_dir():
            check_folder(folder, f"Delete the folder {folder}, and run the experiment again with --resume.")
            _check_same_clips(folder, clips, which.target)
            continue
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        if work.progress:
            _say(f"analysis {number} of {len(wanted)}: {which.model}, {which.target}, {which.space}, {which.test}")
        result = run_tcav(
            work.models[which.model],
            target=which.target,
            clips=clips.targets[which.target],
            concepts=clips.concepts,
            random=clips.random,
            layers=experiment.layers,
            against=experiment.against,
            at=experiment.at,
            twins=experiment.all_twins(),
            relative=_relative(experiment, which),
            negatives=experiment.negatives,
            group=experiment.group,
            seed=experiment.seed,
            recording=work.recording(which),
            statistics=experiment.statistics_settings(which.test),
            out=partial,
            detail=True,
            progress=work.progress,
        )
        save_analysis(partial, which, result)
        write_digests(partial)
        finish_folder(partial, folder)


def _check_same_clips(folder: Path, clips: ClipSets, target: str) -> None:
    """A run goes on with the clips it began with: what is finished would otherwise stand beside what saw others.

    Raises:
        ExperimentError: if a file was added, removed or changed.
    """
    before = {
        key: digest
        for part in load_analysis(folder).record["provenance"]["clips"].values()
        for key, digest in part.items()
    }
    sets = (clips.random, *clips.concepts.values(), clips.targets[target] or ())
    now = {source.key: source for sources in sets for source in sources}
    for key in dict.fromkeys([*before, *now]):
        if key not in before or key not in now or _digest(now[key]) != before[key]:
            word = "a new" if key not in before else "no longer a" if key not in now else "a changed"
            raise ExperimentError(
                f"{folder.parent.parent}: a run must go on with the same clips. Got {word} {key}. Give another --out."
            )


def _digest(source: VideoSource) -> str | None:
    try:
        return source_digest(source)
    except (MediaError, OSError):
        return None


def _wanted(experiment: Experiment) -> list[Which]:
    return [
        Which(model=model, target=target, space=space, test=test)
        for model in experiment.all_models()
        for target in experiment.targets
        for space in experiment.spaces
        for test in experiment.statistics.tests
    ]


def _relative(experiment: Experiment, which: Which) -> list[tuple[str, str]]:
    """The pairs that hypotheses compare for this model and target."""
    pairs = [
        (one.more_than.concept, one.more_than.than)
        for one in experiment.hypotheses
        if one.more_than is not None
        and one.more_than.target == which.target
        and which.model == (one.model or which.model)
    ]
    return list(dict.fromkeys(pairs))


def _show(work: _Work, clips: ClipSets) -> None:
    """A few clips of every set, and maps and timelines of the class clips worth seeing, for each model and target."""
    experiment, folder = work.experiment, work.directory.shown
    if (folder / DIGESTS).exists():
        check_folder(folder, f"Delete the folder {folder}, and run the experiment again with --resume.")
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    first = [
        (number, which)
        for number, which in enumerate(_wanted(experiment), start=1)
        if (which.space, which.test) == (experiment.spaces[0], experiment.statistics.tests[0])
    ]
    previews = sum(min(PER_SET, len(sources)) for *_, sources in sets_of(clips))
    full = 0 if experiment.at == "random" else experiment.shown
    shown = 0
    with progress_bar("clips to look at", previews + len(first) * full, visible=work.progress) as advance:
        write_previews(folder / "previews", next(iter(work.models.values())), clips, advance)
        for number, which in first if full else ():
            analysis = load_analysis(work.directory.analyses / which.folder_name(number))
            sources = {source.key: source for source in clips.targets[which.target] or ()}
            chosen = show_clips(
                work.models[which.model],
                analysis,
                sources,
                layer=analysis.found[-1].result.layer,
                against=experiment.against,
                count=full,
                windows=experiment.windows,
                advance=advance,
            )
            for one in chosen:
                shown += 1
                save_shown(folder, shown, one)
    write_digests(folder)


def _finish(work: _Work, clips: ClipSets) -> None:
    """Verdicts and tables of all analyses; the record says last that the run is finished."""
    directory, experiment = work.directory, work.experiment
    analyses = [
        load_analysis(directory.analyses / which.folder_name(number))
        for number, which in enumerate(_wanted(experiment), start=1)
    ]
    lines = [work.file.line(("hypotheses", number)) for number in range(len(experiment.hypotheses))]
    outcomes = judge(experiment, analyses, lines)
    write_tables(directory.path, "hypotheses", pd.DataFrame([vars(one) for one in outcomes]))
    write_json(directory.path / "hypotheses.json", [vars(one) for one in outcomes])
    write_tables(directory.path, "results", pd.concat([one.to_frame() for one in analyses], ignore_index=True))
    parts = []
    for one in analyses:
        frame = pd.read_parquet(one.folder / "clip_effects.parquet")
        for place, name in enumerate(("model", "space", "test")):
            frame.insert(place, name, getattr(one.which, name))
        parts.append(frame)
    write_tables(directory.path, "clip_effects", pd.concat(parts, ignore_index=True))
    record = {name: value for name, value in directory.record().items() if name not in ("format", "digest")}
    made_by = provenance(models=[one.record["provenance"].get("model") for one in analyses])
    facts = {"lines": lines, "provenance": made_by, "left_out": left_out_of(experiment, work.file)}
    sources = [source for *_, members in sets_of(clips) for source in members]
    facts["steps"] = {name: asdict(used_steps(sources, model.clip_spec)) for name, model in work.models.items()}
    directory.write_record(**{**record, **facts, "digests": directory.digests(), "finished": True})


def write_tables(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """A table as Parquet and as CSV.

    Raises:
        OutputError: if the folder cannot be written to.
    """
    write_parquet(folder / f"{name}.parquet", frame)
    write_csv(folder / f"{name}.csv", frame)


def _say(text: str) -> None:
    console(error=True).print(one_line(text), style="dim", markup=False)
