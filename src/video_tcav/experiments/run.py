"""Run an experiment, from its file to verdicts; a run that was killed is resumed from its directory."""

import shutil
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from video_tcav.core.cache_folder import logit_folder
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.files import atomic_folder
from video_tcav.core.progress import progress_bar
from video_tcav.experiments.analyses import AnalysisKey, load_analysis, save_analysis
from video_tcav.experiments.audits import compute_audits
from video_tcav.experiments.clips import ClipSets, find_clips
from video_tcav.experiments.completed_run import Run, load_run
from video_tcav.experiments.digests import DIGESTS, RESUME, check_folder, write_digests
from video_tcav.experiments.directory import locked, prepare_directory
from video_tcav.experiments.example_clips import save_shown, show_clips
from video_tcav.experiments.final_tables import write_verdicts
from video_tcav.experiments.measured_pairs import check_same_pairs, measure_pairs
from video_tcav.experiments.previews import PER_SET, sets_of, write_previews
from video_tcav.experiments.run_context import RunContext
from video_tcav.experiments.same_clips import check_same_clips
from video_tcav.experiments.text_tests import compute_texts
from video_tcav.experiments.validate import InMemory, check_file, check_grouping, check_value, unchanged
from video_tcav.models import parse_target
from video_tcav.models.targets import target_name
from video_tcav.tcav import EffectCheck, TcavResult, check_effects, run_tcav


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
    experiment, file, loaded, encoder = check_file(path, overrides, models)
    group_of = check_grouping(experiment, file)
    folder = Path(out) if out is not None else Path("runs") / path.stem
    digests = {name: model.weights_digest for name, model in loaded.items()}
    directory = prepare_directory(folder, experiment, file, resume=resume, facts={"model_digests": digests})
    if directory.is_finished():
        return load_run(folder)  # needs no lock, which a read-only directory could not have
    with locked(directory):
        if directory.is_finished():  # by another process, since the check above
            return load_run(folder)
        context = RunContext(
            experiment=experiment, file=file, models=loaded, directory=directory, progress=progress, encoder=encoder
        )
        clips = find_clips(experiment, file, directory.clips, progress=progress)
        for source in clips.sources():  # a pattern that does not match a clip, before the long work
            check_value(file, ("group",), lambda source=source: group_of(source))
        _analyse(context, clips)
        compute_texts(context, clips)
        compute_audits(context, clips.audit or ())
        _write_example_clips(context, clips)
        write_verdicts(context, clips)
        if experiment.store is None:
            for store in (directory.store, logit_folder(directory.store)):
                shutil.rmtree(store, ignore_errors=True)
    return load_run(folder)


def _analyse(context: RunContext, clips: ClipSets) -> None:
    """Compute every analysis that is not in the directory yet."""
    experiment, checks = context.experiment, {}
    for number, (key, folder) in enumerate(context.analyses.items(), start=1):
        if folder.is_dir():
            check_folder(folder, f"Delete the folder {folder}, {RESUME}")
            check_same_clips(folder, clips, key.target)
            check_same_pairs(folder, clips)
            continue
        context.say(f"analysis {number} of {len(context.analyses)}: {', '.join(astuple(key))}")
        about = (key.model, key.target)
        if experiment.check_effects and about not in checks:
            checks[about] = _check_effects(context, clips, key)
        with atomic_folder(folder) as partial:
            if (key.space, key.test) == context.judging:
                measure_pairs(context, clips, key, partial)
            save_analysis(partial, key, _run_analysis(context, clips, key, checks.get(about), partial))
            write_digests(partial)


def _check_effects(context: RunContext, clips: ClipSets, key: AnalysisKey) -> EffectCheck:
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
            masks=experiment.check_masks(context.file.path.absolute().parent),
            # where hypotheses about interventions are judged, too
            intervene_at=experiment.intervention_settings(key.model, key.target).intervene_at,
            seed=experiment.seed,
            recording=context.recording(key.space),
            progress=context.progress,
        )
    except VideoTcavError as error:  # what stops the analyses, too, they will say themselves
        return EffectCheck.not_made(
            model.classes[model.class_index(key.target)],
            target_name(model, parse_target(model, key.target, experiment.against)),
            str(error),
        )


def _run_analysis(
    context: RunContext, clips: ClipSets, key: AnalysisKey, effect_check: EffectCheck | None, out: Path
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
        recording=context.recording(key.space),
        statistics=experiment.statistics_settings(key.test),
        effect_check=effect_check,
        interventions=experiment.intervention_settings(
            key.model, key.target, judging=(key.space, key.test) == context.judging
        ),
        out=out,
        detail=True,
        progress=context.progress,
    )


def _write_example_clips(context: RunContext, clips: ClipSets) -> None:
    """Write a few clips of every set, and maps and timelines of example clips of the class, for each model and target."""
    experiment, folder = context.experiment, context.directory.shown
    if (folder / DIGESTS).exists():
        check_folder(folder, f"Delete the folder {folder}, {RESUME}")
        return
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run: it has no digests yet
    folder.mkdir()
    # Example clips are the same for all spaces and tests: those of the first ones, which judge the hypotheses.
    judging = context.judging
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
