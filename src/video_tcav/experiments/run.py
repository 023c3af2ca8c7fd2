"""Run an experiment, from its file to verdicts; a run that was killed is resumed from its directory."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from video_tcav.core.errors import VideoTcavError
from video_tcav.core.escaping import one_line
from video_tcav.core.files import atomic_folder, write_json
from video_tcav.core.progress import progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.core.tables import write_csv, write_parquet
from video_tcav.core.terminal import console
from video_tcav.core.yaml_lines import YamlFile
from video_tcav.experiments.analyses import AnalysisKey, load_analysis, save_analysis
from video_tcav.experiments.clips import ClipSets, find_clips, left_out_of
from video_tcav.experiments.completed_run import Run, load_run
from video_tcav.experiments.digests import DIGESTS, RESUME, check_folder, write_digests
from video_tcav.experiments.directory import RunDirectory, locked, prepare_directory
from video_tcav.experiments.example_clips import save_shown, show_clips
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.previews import PER_SET, sets_of, write_previews
from video_tcav.experiments.same_clips import check_same_clips
from video_tcav.experiments.validate import InMemory, check_file, check_grouping, check_value, unchanged
from video_tcav.experiments.verdicts import judge
from video_tcav.media.used_steps import used_steps
from video_tcav.models import VideoModel, parse_target
from video_tcav.models.targets import target_name
from video_tcav.recording.settings import RecordingSettings, Space
from video_tcav.tcav import EffectCheck, TcavResult, check_effects, run_tcav
from video_tcav.tcav.settings import Significance


@dataclass(frozen=True, kw_only=True)
class _RunContext:
    """An experiment, its models and directory, and how to compute it."""

    experiment: Experiment
    file: YamlFile
    models: Mapping[str, VideoModel]
    directory: RunDirectory
    progress: bool

    def recording(self, key: AnalysisKey) -> RecordingSettings:
        """Settings of the passes of an analysis; without a store, the run's own serves all of them."""
        settings = self.experiment.recording(key.space)
        return settings.with_values(store=settings.store or self.directory.store)

    @cached_property
    def analyses(self) -> dict[AnalysisKey, Path]:
        """The folder of every analysis, in order."""
        experiment = self.experiment
        keys = product(experiment.all_models(), experiment.targets, experiment.spaces, experiment.statistics.tests)
        folders: dict[AnalysisKey, Path] = {}
        for number, (model, target, space, test) in enumerate(keys, start=1):
            key = AnalysisKey(model=model, target=target, space=space, test=test)
            folders[key] = self.directory.analyses / key.folder_name(number)
        return folders


def run_experiment(
    path: str | Path,
    *,
    out: str | Path | None = None,
    models: InMemory | Mapping[str, InMemory] | None = None,
    resume: bool = False,
    progress: bool = False,
    **overrides: Any,
) -> Run:
    """Answer the hypotheses of an experiment file.

    Everything is checked before anything is computed or written. With `resume` a run that was killed goes on: finished analyses
    are not computed again, and the results are those of a run that was not killed.

    Args:
        path: the experiment file.
        out: run directory; `runs/` and the file's name, where the command runs, if not given.
        models: networks or loaded models in memory in place of those that the file names: one alone for a file with one
            model, or several by its names. A network gets the clip, classes and outputs that the file says, and stays where
            and as it is; a `VideoModel` has its own.
        resume: whether to continue the run in the directory; a finished one is only read.
        progress: whether to show progress bars on standard error.
        overrides: settings of the recording (`RecordingSettings`, but for `space`) in place of the file's, such as `store`,
            `workers` or `precision`. Without a store, the run's own is removed when it is finished.

    Raises:
        InputError: for a model in memory that the file does not name.
        ExperimentError: for a mistake in the file, with its line, or a directory that cannot be used.
        VideoTcavError: one of its other kinds, with a cure in the message.
    """
    with unchanged(models):
        return _run(Path(path), out, models, overrides, resume=resume, progress=progress)


def _run(
    path: Path,
    out: str | Path | None,
    models: InMemory | Mapping[str, InMemory] | None,
    overrides: Mapping[str, Any],
    *,
    resume: bool,
    progress: bool,
) -> Run:
    experiment, file, loaded = check_file(path, overrides, models)
    group_of = check_grouping(experiment, file)
    folder = Path(out) if out is not None else Path("runs") / path.stem
    digests = {name: model.weights_digest for name, model in loaded.items()}
    directory = prepare_directory(folder, experiment, file, resume=resume, facts={"model_digests": digests})
    if directory.is_finished():
        return load_run(folder)  # needs no lock, which a read-only directory could not have
    with locked(directory):
        if directory.is_finished():  # by another process, since the check above
            return load_run(folder)
        context = _RunContext(experiment=experiment, file=file, models=loaded, directory=directory, progress=progress)
        clips = find_clips(experiment, file, directory.clips, progress=progress)
        for source in clips.sources():  # a pattern that does not match a clip, before the long work
            check_value(file, ("group",), lambda source=source: group_of(source))
        _analyse(context, clips)
        _write_example_clips(context, clips)
        _write_verdicts(context, clips)
        if experiment.store is None:
            shutil.rmtree(directory.store, ignore_errors=True)
    return load_run(folder)


def _analyse(context: _RunContext, clips: ClipSets) -> None:
    """Compute every analysis that is not in the directory yet."""
    experiment, checks = context.experiment, {}
    for number, (key, folder) in enumerate(context.analyses.items(), start=1):
        if folder.is_dir():
            check_folder(folder, f"Delete the folder {folder}, {RESUME}")
            check_same_clips(folder, clips, key.target)
            continue
        if context.progress:
            text = f"analysis {number} of {len(context.analyses)}: {', '.join(astuple(key))}"
            console(error=True).print(one_line(text), style="dim", markup=False)
        about = (key.model, key.target)
        if experiment.check_effects and about not in checks:
            checks[about] = _check_effects(context, clips, key)
        with atomic_folder(folder) as partial:
            save_analysis(partial, key, _run_analysis(context, clips, key, checks.get(about), partial))
            write_digests(partial)


def _check_effects(context: _RunContext, clips: ClipSets, key: AnalysisKey) -> EffectCheck:
    """How far effects on a target predict edits of its clips, in every space; the store keeps it for a resumed run."""
    experiment, model = context.experiment, context.models[key.model]
    try:
        return check_effects(
            model,
            target=key.target,
            clips=clips.targets[key.target],
            random=clips.random,
            layers=experiment.layers,
            space=experiment.spaces,
            against=experiment.against,
            only_right=experiment.only_right,
            group=experiment.group,
            # where hypotheses about interventions are judged, too
            intervene_at=experiment.intervention_settings(key.model, key.target).intervene_at,
            seed=experiment.seed,
            recording=context.recording(key),
            progress=context.progress,
        )
    except VideoTcavError as error:  # what stops the analyses, too, they will say themselves
        return EffectCheck.not_made(
            model.classes[model.class_index(key.target)],
            target_name(model, parse_target(model, key.target, experiment.against)),
            str(error),
        )


def _run_analysis(
    context: _RunContext, clips: ClipSets, key: AnalysisKey, effect_check: EffectCheck | None, out: Path
) -> TcavResult:
    experiment = context.experiment
    # Pairs of concepts that hypotheses compare for this model and target.
    relative = [
        (hypothesis.more_than.concept, hypothesis.more_than.than)
        for hypothesis in experiment.hypotheses
        if hypothesis.more_than is not None
        and hypothesis.more_than.target == key.target
        and key.model == (hypothesis.model or key.model)
    ]
    return run_tcav(
        context.models[key.model],
        target=key.target,
        clips=clips.targets[key.target],
        concepts=clips.concepts,
        random=clips.random,
        layers=experiment.layers,
        against=experiment.against,
        at=experiment.at,
        only_right=experiment.only_right,
        twins=experiment.all_twins(),
        relative=list(dict.fromkeys(relative)),
        negatives=experiment.negatives,
        group=experiment.group,
        seed=experiment.seed,
        recording=context.recording(key),
        statistics=experiment.statistics_settings(key.test),
        effect_check=effect_check,
        interventions=experiment.intervention_settings(
            key.model, key.target, judging=(key.space, key.test) == _judging(experiment)
        ),
        out=out,
        detail=True,
        progress=context.progress,
    )


def _judging(experiment: Experiment) -> tuple[Space, Significance]:
    """Feature space and test of the analyses that judge the hypotheses: the first ones."""
    return experiment.spaces[0], experiment.statistics.tests[0]


def _write_example_clips(context: _RunContext, clips: ClipSets) -> None:
    """Write a few clips of every set, and maps and timelines of example clips of the class, for each model and target."""
    experiment, folder = context.experiment, context.directory.shown
    if (folder / DIGESTS).exists():
        check_folder(folder, f"Delete the folder {folder}, {RESUME}")
        return
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run: it has no digests yet
    folder.mkdir()
    # Example clips are the same for all spaces and tests: those of the first ones, which judge the hypotheses.
    judging = _judging(experiment)
    first = {key: folder for key, folder in context.analyses.items() if (key.space, key.test) == judging}
    # Maps need gradients at class clips, which `at: random` does not have.
    previews = sum(min(PER_SET, len(sources)) for *_, sources in sets_of(clips))
    full = 0 if experiment.at == "random" else experiment.shown
    written = 0  # files are numbered over all analyses
    with progress_bar("clips to look at", previews + len(first) * full, visible=context.progress) as advance:
        write_previews(folder / "previews", next(iter(context.models.values())), clips, advance)
        for key, analysis_folder in first.items() if full else ():
            analysis = load_analysis(analysis_folder)
            sources = {source.key: source for source in clips.targets[key.target] or ()}
            chosen = show_clips(
                context.models[key.model],
                analysis,
                sources,
                layer=analysis.found[-1].result.layer,
                experiment=experiment,
                advance=advance,
            )
            for example in chosen:
                written += 1
                save_shown(folder, written, example)
    write_digests(folder)


def _write_verdicts(context: _RunContext, clips: ClipSets) -> None:
    """Write verdicts and the tables of all analyses; last, that the run is finished."""
    directory, experiment = context.directory, context.experiment
    analyses = [load_analysis(folder) for folder in context.analyses.values()]
    lines = [context.file.line(("hypotheses", number)) for number in range(len(experiment.hypotheses))]
    outcomes = [vars(outcome) for outcome in judge(experiment, analyses, lines)]
    _write_tables(directory.path, "hypotheses", pd.DataFrame(outcomes))
    write_json(directory.path / "hypotheses.json", outcomes)
    results = pd.concat([analysis.to_frame() for analysis in analyses], ignore_index=True)
    _write_tables(directory.path, "results", results)
    edits = pd.concat([analysis.interventions_frame() for analysis in analyses], ignore_index=True)
    _write_tables(directory.path, "interventions", edits)
    frames = []
    for analysis in analyses:
        frame = pd.read_parquet(analysis.folder / "clip_effects.parquet")
        for position, name in enumerate(("model", "space", "test")):
            frame.insert(position, name, getattr(analysis.which, name))
        frames.append(frame)
    _write_tables(directory.path, "clip_effects", pd.concat(frames, ignore_index=True))
    # Last: with `finished` and all digests the run is complete, and a killed one is resumed up to here.
    record = {name: value for name, value in directory.record().items() if name not in ("format", "digest")}
    made_by = provenance(models=[analysis.record["provenance"].get("model") for analysis in analyses])
    facts = {"lines": lines, "provenance": made_by, "left_out": left_out_of(experiment, context.file)}
    facts["steps"] = {
        name: asdict(used_steps(clips.sources(), model.clip_spec)) for name, model in context.models.items()
    }
    directory.write_record(**{**record, **facts, "digests": directory.digests(), "finished": True})


def _write_tables(folder: Path, name: str, frame: pd.DataFrame) -> None:
    write_parquet(folder / f"{name}.parquet", frame)
    write_csv(folder / f"{name}.csv", frame)
