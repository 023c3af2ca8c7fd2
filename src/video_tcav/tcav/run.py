"""Video-TCAV from clips to results: the function behind `video-tcav test`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from video_tcav.concepts.concept import Sources, left_out_notes
from video_tcav.core.checks import at_least, one_of
from video_tcav.core.errors import InputError
from video_tcav.core.escaping import well_formed
from video_tcav.core.files import check_writable
from video_tcav.core.progress import progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.core.scratch import scratch_folder
from video_tcav.gram.cavs import CAV_KINDS, CavKind
from video_tcav.gram.gram import Gram
from video_tcav.gram.significance import CORRECTIONS, SIGNIFICANCES, Correction, Significance
from video_tcav.media import source_digest
from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target
from video_tcav.recording.cache import ActivationStore, opened, read_only_words, recall_for
from video_tcav.recording.fast.precision import PRECISIONS, AskedPrecision, choose_precision
from video_tcav.recording.feature_spaces import SPACES, Space
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import SpillSpace, parse_bytes
from video_tcav.recording.sketched_rows import LEAST_SKETCH, SketchedRows
from video_tcav.recording.workers import Ahead, Backend, backend_for
from video_tcav.tcav.comparison import Comparison, grouping
from video_tcav.tcav.detail import Detail
from video_tcav.tcav.diagnostics import diagnose, layouts_of
from video_tcav.tcav.measure import Measured, Settings, corrected, measure
from video_tcav.tcav.plan import MOST_WINDOWS, make_plan
from video_tcav.tcav.record_plan import class_groups_of, comparisons_of, grams_of, record_plan
from video_tcav.tcav.result import TcavResult
from video_tcav.tcav.result_files import save_result
from video_tcav.tcav.saved_cavs import cavs_of
from video_tcav.tcav.settings import PLACES, At, Negatives
from video_tcav.tcav.summaries import cautions, sketch_cautions


def run_tcav(
    model: VideoModel,
    *,
    target: str | int,
    clips: Sources | None = None,
    concepts: Mapping[str, Sources],
    random: Sources,
    layers: Sequence[str] | None = None,
    against: str = "log_odds",
    at: At = "class",
    space: Space = "flatten",
    cav: CavKind = "mean",
    twins: Sequence[str] = (),
    relative: Sequence[tuple[str, str]] = (),
    negatives: Negatives = "matched",
    correction: Correction | None = None,
    significance: Significance = "permutation",
    permutations: int = 9999,
    random_sets: int = 500,
    bootstraps: int = 1000,
    windows: int = 1,
    group: str = "video",
    memory: str | int = "2GB",
    seed: int = 0,
    strict: bool = False,
    threads: int = 2,
    out: str | Path | None = None,
    detail: bool = False,
    store: ActivationStore | str | Path | None = None,
    workers: int | None = None,
    backend: str = "local",
    sketch: int | None = None,
    precision: AskedPrecision = "float32",
    progress: bool = False,
) -> TcavResult:
    """Measure how much each concept matters for a class, at each layer, and whether it is the motion or the picture.

    Args:
        model: from `load_model`.
        target: class to explain, by name or number.
        clips: clips of that class: a file, folder, glob or manifest, clips in memory, or an iterable of these, see
            `concepts.as_sources`; not needed where `at` is `random`.
        concepts: clips of each concept, by its name.
        random: clips without the concepts; they go through the same transforms as the concept clips.
        layers: dotted module names; the model's stages if not given.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        at: where the gradient is taken: at clips of the class (`class`, Kim et al. 2018: what raises it there?), or at
            random clips that are set aside for it (`random`: what would make a clip one of the class?). Where a model is
            sure of its class, its gradient there says little, above all behind a normalisation layer; `random` then
            agrees better with what interventions show.
        space: feature space: `flatten`, `space`, `time` or `spacetime`.
        cav: `mean`, `ridge`, `logistic` or `svm`.
        twins: `frozen` adds the motion effect, `reversed` the order effect; `shuffled` stands between the two.
        relative: pairs of concepts to compare with each other (relative TCAV).
        negatives: `matched` freezes random clips where a concept does not move, so that its CAV does not learn that; `moving`
            leaves them as they are.
        correction: `holm`, `bonferroni`, `bh`, `maxt` or `none`; Holm if not given, Bonferroni for the t-test.
        significance: `permutation`, or the source paper's `ttest`, which is anti-conservative.
        permutations: relabellings of the permutation test.
        random_sets: random sets for the spread of the TCAV score, and for the t-test.
        bootstraps: draws for the 95 % interval of the effect.
        windows: clips taken from each video.
        group: what is independent: `video`, or a regular expression on the path.
        memory: budget for activations and gradients; what goes beyond it is kept on disk during the run.
        seed: of every random draw.
        strict: whether a file that cannot be used ends the run instead of being listed.
        threads: files decoded at once, beside the model.
        out: folder for tables and CAVs.
        detail: whether the result keeps what is behind its numbers: effects at each class clip, all draws, and diagnostics,
            which are quick for `mean`, but take minutes for classifiers that are fitted step by step.
        store: an activation store, or its folder: what it holds is neither decoded nor passed again, what it lacks is added.
            It changes no result.
        workers: processes that share the passes, each with the model; it changes no result, if PyTorch's threads stay as many.
            With Ray, actors; as many as the cluster has room for, if not given.
        backend: where workers are: `local`, `ray` or `ray:ADDRESS` (extra `scale`).
        sketch: values to keep of each row of activations; all if not given. Memory is then linear in the clips, and nothing
            goes to disk. Effects of the `mean` CAV, their p-values and intervals, and TCAV scores stay exact; accuracies,
            magnitudes and other CAVs come from the sketch, whose error is checked on a sample (`provenance["sketch"]`).
            CAVs are not written, and diagnostics say nothing about place and time.
        precision: `float32` passes clips in the model's own type; `bfloat16` takes products in bfloat16, which processors
            with AMX or AVX-512 BF16 do about twice as fast, and changes effects in the third digit or so;
            `auto` does so where the hardware has it and the model bears it.
        progress: whether to show progress bars on standard error.

    Returns:
        One result for each concept, version and layer, with what was skipped and what to beware of.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.

    Source:
        Saha et al. 2024, arXiv:2404.09067; Kim et al. 2018, arXiv:1711.11279.
    """
    scalar = parse_target(model, target, against)
    settings = Settings(
        target=model.classes[model.class_index(target)],
        against="number" if scalar.kind == "number" else against,
        at=one_of("at", at, PLACES),
        space=one_of("space", space, SPACES),
        cav=one_of("cav", cav, CAV_KINDS),
        correction=one_of(
            "correction", correction or ("bonferroni" if significance == "ttest" else "holm"), CORRECTIONS
        ),
        significance=one_of("significance", significance, SIGNIFICANCES),
        permutations=at_least("permutations", permutations, 1, 10**9),
        random_sets=at_least("random_sets", random_sets, 2, 10**6),
        bootstraps=at_least("bootstraps", bootstraps, 2, 10**7),
        seed=at_least("seed", seed, 0),
    )
    if settings.significance == "ttest" and settings.correction == "maxt":
        raise InputError(
            "`correction` must not be maxt with the t-test. Got maxt, which needs relabellings. Use bonferroni."
        )
    concepts = {well_formed(name): where for name, where in concepts.items()}
    relative = [(well_formed(first), well_formed(second)) for first, second in relative]
    chosen = tuple(dict.fromkeys(layers or model.stages()))
    for name in chosen:
        model.layer(name)
    products = choose_precision(model, one_of("precision", precision, PRECISIONS))
    group_of, budget = grouping(group), parse_bytes(memory)
    at_least("windows", windows, 1, MOST_WINDOWS)
    if sketch is not None:
        at_least("sketch", sketch, LEAST_SKETCH)
    helpers = backend_for(backend, workers)
    folder = check_writable(Path(out)) if out is not None else None
    seconds: dict[str, float] = {}
    with scratch_folder() as spill, _opened(store, helpers, spill) as cache:
        known_damage = 0 if cache is None else len(cache.warnings)
        plan = make_plan(
            clips,
            concepts,
            random,
            relative,
            twins,
            windows=windows,
            group_of=group_of,
            at=at,
            seed=seed,
            negatives=negatives,
            digest=source_digest if cache is None else cache.source_digest,
        )
        plan.check_room(len(chosen), windows=windows, sketch=sketch, budget=budget)
        recorder = Recorder(
            model=model,
            layers=chosen,
            space=space,
            storage=SpillSpace(budget, spill),
            windows=windows,
            threads=threads,
            strict=strict,
            seed=seed,
            recall=recall_for(cache, model, chosen, space, windows, plan.digests, seed, precision=products),
            full_batches=True,
            sketch=sketch,
            precision=products,
        )
        ahead = None
        if helpers is not None and cache is not None:
            ahead = Ahead(backend=helpers, store=cache, digests=plan.digests, progress=progress)
        with _timed(seconds, "passes"):
            record_plan(recorder, plan, scalar, progress, ahead)
        try:
            comparisons = comparisons_of(recorder, plan, group_of)
            class_groups = class_groups_of(recorder, plan, group_of)
        except InputError as error:
            if recorder.skipped:
                first = recorder.skipped[0]
                raise InputError(
                    f"{error} {len(recorder.skipped)} files could not be used, the first: {first.path}: {first.reason}"
                ) from error
            raise
        with _timed(seconds, "gram"):
            grams = grams_of(recorder, progress)
        with _timed(seconds, "statistics"):
            measured = _statistics(comparisons, grams, class_groups, settings, progress)
        sketched = {name: rows.error() for name, rows in recorder.activations.items() if isinstance(rows, SketchedRows)}
        results = corrected(measured, settings.correction)
        known: Detail | None = None
        if detail:
            with _timed(seconds, "diagnostics"):
                layouts = layouts_of(recorder)
                trusted = diagnose(
                    comparisons, grams, class_groups=class_groups, cav=settings.cav, seed=seed, layouts=layouts
                )
            known = Detail(
                measured=tuple(measured),
                class_clips=tuple(recorder.class_rows),
                n_class_groups=len(set(class_groups)),
                diagnostics=trusted,
            )
        elsewhere = () if ahead is None else ahead.warnings(recorder)
        damaged = () if cache is None else tuple(cache.warnings[known_damage:])
        result = TcavResult(
            results=results,
            skipped=tuple(recorder.skipped),
            warnings=(
                *model.remarks(),
                *cautions(results, trained=model.trained, permutations=permutations),
                *(warning for comparison in comparisons for warning in comparison.warnings),
                *plan.copies(group_of),
                *plan.overlap(),
                *dict.fromkeys(note for part in (clips, random, *concepts.values()) for note in left_out_notes(part)),
                *damaged,
                *read_only_words(cache),
                *elsewhere,
                *sketch_cautions(sketched),
            ),
            provenance=provenance(
                settings={
                    **asdict(settings),
                    "layers": chosen,
                    "twins": plan.twins,
                    "windows": windows,
                    "group": group,
                    "negatives": plan.negatives,
                    "sketch": sketch,
                    "precision": products,
                },
                model={
                    "name": model.name,
                    "weights": model.weights_digest,
                    "trained": model.trained,
                    "outputs": model.outputs.kind,
                },
                clip_spec=asdict(model.clip_spec),
                clips={"gradient": plan.digests_of(plan.class_sources), "random": plan.digests_of(plan.random)}
                | {concept.name: plan.digests_of(concept.sources) for concept in plan.concepts},
                spilled=[name for name, store in recorder.activations.items() if store.spilled],
                sketch={name: asdict(error) for name, error in sketched.items()},
            ),
            seconds=seconds,
            detail=known,
        )
        if folder is not None:
            cavs = None if sketch is not None else partial(cavs_of, recorder, comparisons, grams, settings.cav)
            save_result(folder, result, cavs)
    return result


def _opened(
    store: ActivationStore | str | Path | None, helpers: Backend | None, folder: Path
) -> AbstractContextManager[ActivationStore | None]:
    """The store of a run; where there are workers and none is given, one that goes with the run."""
    if store is None and helpers is not None:
        return ActivationStore.open(folder / "store", durable=False)
    return opened(store)


def _statistics(
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    class_groups: Sequence[int],
    settings: Settings,
    progress: bool,
) -> list[Measured]:
    places = sum(len(comparison.rows) for comparison in comparisons) * len(grams)
    with progress_bar("statistics (draws)", places * settings.steps(), visible=progress) as advance:
        return [one for part in comparisons for one in measure(part, grams, class_groups, settings, advance)]


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[part] = round(time.perf_counter() - start, 3)
