"""From a plan to a recording, and from both to comparisons."""

from collections.abc import Mapping

from video_tcav.core.errors import InputError
from video_tcav.core.memory import freed_memory_kept
from video_tcav.core.progress import progress_bar
from video_tcav.gram.design import numbering
from video_tcav.recording.clip_id import Version
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.recording import Recording
from video_tcav.recording.stream_sinks import CombinedRows
from video_tcav.recording.workers import PassSpec
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.comparison import Comparison, compare, concept_moves
from video_tcav.tcav.interventions.plan import NO_INTERVENTIONS, InterventionPlan
from video_tcav.tcav.plan import Plan
from video_tcav.tcav.saved_cavs import Coefficients, Vectors, combined_rows


def record(
    plan: Plan, recorder: Recorder, work: Workspace, interventions: InterventionPlan = NO_INTERVENTIONS
) -> Recording:
    """Pass every clip of a plan, and what else interventions need: twins of the class clips, whole outputs of random ones.

    The class comes first, since sketched rows need its gradients at once; then the concepts, since whether they move decides
    whether random clips are frozen, too; then the random clips.

    Where there are workers, they pass clips ahead, and what follows finds the rows in the store.

    Raises:
        VideoTcavError: what the passes raise.
    """
    concepts = list({source.key: source for concept in plan.concepts for source in concept.sources}.values())
    keys = {source.key for source in concepts}
    random = [source for source in plan.random if source.key not in keys]
    versions: tuple[Version, ...] = ("none", *plan.twins)
    class_twins = interventions.twins
    class_pass = [] if plan.target is None else [PassSpec(plan.class_sources, ("none",), plan.target)]
    if plan.target is not None and class_twins:
        class_pass.append(PassSpec(plan.class_sources, class_twins, plan.target))
    # with every value kept, the recorded rows are the whole outputs
    is_pooled = recorder.settings.space != "flatten"
    whole_of = {source.key for source in interventions.step_sources} if is_pooled else set()
    work.fill(recorder, *class_pass, PassSpec(concepts, versions), PassSpec(random, versions, outputs=bool(whole_of)))
    total = len(concepts) + len(random) + len(plan.class_sources)
    with progress_bar("model passes (videos)", total, visible=work.progress) as advance, freed_memory_kept():
        if plan.target is not None:
            recorder.record_class(plan.class_sources, plan.target, advance)
            if class_twins:
                recorder.record_class_twins(plan.class_sources, class_twins, plan.target, lambda _steps: None)
        recorder.record_concepts(concepts, versions, advance)
        if "frozen" not in versions and not all(
            concept_moves(concept, recorder.windows, recorder.stills) for concept in plan.concepts
        ):
            moving = [source for source in concepts if source.key not in recorder.stills]
            if plan.negatives == "matched":
                versions = (*versions, "frozen")
            matched = PassSpec(random if plan.negatives == "matched" else [], ("frozen",), outputs=bool(whole_of))
            work.fill(recorder, PassSpec(moving, ("frozen",)), matched)
            recorder.record_concepts(moving, ("frozen",), lambda _steps: None)
        recorder.record_concepts(random, versions, advance, whole_of=whole_of)
    return recorder.recording()


def only_right_clips(plan: Plan, recording: Recording) -> Recording:
    """The recording without gradients at class clips that the model calls another class, where the plan leaves them out.

    Raises:
        InputError: if no class clip is left.
    """
    if not plan.only_right or plan.target is None:
        return recording
    answers = zip(recording.class_rows, recording.answers, strict=True)
    right = {clip for clip, answer in answers if not answer.is_wrong(plan.target.class_index)}
    if recording.class_rows and not right:
        name = recording.model.classes[plan.target.class_index]
        raise InputError(
            f"`clips` must hold a clip that the model calls {name}, for --only-right. Got {len(recording.class_rows)} clips that "
            "it calls otherwise. Give other clips, or leave --only-right out."
        )
    return recording.at_class_clips(right)


def cav_vectors(
    plan: Plan, recording: Recording, coefficients: Mapping[str, Coefficients], work: Workspace
) -> tuple[Mapping[str, Coefficients], Mapping[str, Vectors]]:
    """The vectors in activation space that coefficients of all recorded rows stand for, and the coefficients, by layer.

    A sketch cannot be turned back into rows, so sketched ones come once more: from an activation store, or by another pass. The
    length of a CAV, which a sketch only estimates, is then known, and coefficients and vectors are scaled to length one.
    """
    if recording.settings.sketch is None:
        return coefficients, combined_rows(recording, coefficients)
    sinks = {layer: CombinedRows(alphas) for layer, alphas in coefficients.items()}
    record(plan, work.recorder(recording.model, plan.layers, plan.digests, seed=plan.seed, sinks=sinks), work)
    scaled, vectors = {}, {}
    for layer, sink in sinks.items():
        lengths = sink.combined.norm(dim=1, keepdim=True)
        lengths[-1] = 1.0  # the mean row, which stands last, is no CAV
        lengths = lengths.where(lengths > 0, 1.0)  # a CAV of a layer that tells nothing apart
        scaled[layer] = coefficients[layer] / lengths.numpy()
        vectors[layer] = (sink.combined / lengths).float()
    return scaled, vectors


def compare_recorded(plan: Plan, recording: Recording) -> list[Comparison]:
    """Every pair of the plan, laid out from what could be recorded.

    Raises:
        InputError: if too little could be used; files that could not be are named.
    """
    clip_numbers, group_numbers = numbering([source.key for source in plan.compared()]), plan.group_numbers()
    moving = {concept.name: concept_moves(concept, recording.windows, recording.stills) for concept in plan.concepts}
    try:
        return [
            compare(
                concept,
                negatives,
                recording,
                versus=versus,
                moving=moving[concept.name] and (versus == "random" or moving[versus]),
                freeze=versus != "random" or plan.negatives == "matched",
                twins=plan.twins,
                group_of=plan.group_of,
                units=clip_numbers,
                groups=group_numbers,
            )
            for concept, versus, negatives in plan.pairs()
        ]
    except InputError as error:
        raise _with_skipped(error, recording) from error


def class_groups(plan: Plan, recording: Recording) -> list[int]:
    """Group of each class clip.

    Raises:
        InputError: if no class clip could be used.
    """
    if not recording.class_rows:
        error = InputError(
            "`clips` must hold a clip for the gradient that can be used. Got none. See the files listed as skipped."
        )
        raise _with_skipped(error, recording)
    sources = {source.key: source for source in plan.class_sources}
    numbers = numbering([plan.group_of(source) for source in plan.class_sources])
    return [numbers[plan.group_of(sources[clip.source])] for clip in recording.class_rows]


def _with_skipped(error: InputError, recording: Recording) -> InputError:
    if not recording.skipped:
        return error
    first = recording.skipped[0]
    return InputError(
        f"{error} {len(recording.skipped)} files could not be used, the first: {first.path}: {first.reason}"
    )
