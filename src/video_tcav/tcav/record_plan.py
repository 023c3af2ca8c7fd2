"""All passes of a plan, and the comparisons that they make possible."""

from video_tcav.core.errors import InputError
from video_tcav.core.memory import freed_memory_kept
from video_tcav.core.progress import progress_bar
from video_tcav.gram.design import numbering
from video_tcav.gram.gram import Gram
from video_tcav.models.targets import Target
from video_tcav.recording.clip_id import Version
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.workers import Ahead, Part
from video_tcav.tcav.comparison import Comparison, GroupOf, compare, moving_kind
from video_tcav.tcav.plan import Plan


def record_plan(
    recorder: Recorder, plan: Plan, scalar: Target | None, progress: bool, ahead: Ahead | None = None
) -> None:
    """All passes of a plan, in an order that matters.

    The class comes first, since sketched rows need its gradients at once; then the concepts, since whether they move decides
    how the random clips are matched.

    Where there are workers, they do the passes ahead, and what follows finds the rows in the store.
    """
    concept_sources = {source.key: source for concept in plan.concepts for source in concept.sources}
    random = [source for source in plan.random if source.key not in concept_sources]
    total = len(concept_sources) + len(random) + len(plan.class_sources)
    versions: tuple[Version, ...] = ("none", *plan.twins)
    if ahead is not None:
        shown: list[Part] = [] if scalar is None else [(plan.class_sources, ("none",), scalar)]
        ahead.fill(recorder, [*shown, ([*concept_sources.values(), *random], versions, None)])
    with progress_bar("model passes (videos)", total, visible=progress) as advance, freed_memory_kept():
        if scalar is not None:
            recorder.record_class(plan.class_sources, scalar, advance)
        recorder.record_concepts(list(concept_sources.values()), versions, advance)
        random_versions = versions
        if not all(moving_kind(concept, recorder) for concept in plan.concepts) and "frozen" not in versions:
            frozen: tuple[Version, ...] = ("frozen",)  # the matched negatives of clips that do not move
            random_versions = (*versions, *frozen) if plan.negatives == "matched" else versions
            moving = [source for source in concept_sources.values() if source.key not in recorder.static]
            if ahead is not None:
                frozen_random = random if plan.negatives == "matched" else []
                ahead.fill(recorder, [([*moving, *frozen_random], frozen, None)])
            recorder.record_concepts(moving, frozen, lambda _steps: None)
        recorder.record_concepts(random, random_versions, advance)


def comparisons_of(recorder: Recorder, plan: Plan, group_of: GroupOf) -> list[Comparison]:
    """Every pair of the plan, laid out from what could be recorded."""
    everyone = list({s.key: s for part in (plan.random, *(c.sources for c in plan.concepts)) for s in part}.values())
    used = [source for source in everyone if source.key in recorder.clips]
    shared = {
        "twins": plan.twins,
        "group_of": group_of,
        "units": numbering([source.key for source in used]),
        "groups": numbering([group_of(source) for source in used]),
    }
    moving = {concept.name: moving_kind(concept, recorder) for concept in plan.concepts}
    return [
        compare(
            concept,
            negatives,
            recorder,
            versus=versus,
            moving=moving[concept.name] and (versus == "random" or moving[versus]),
            freeze=versus != "random" or plan.negatives == "matched",
            **shared,
        )
        for concept, versus, negatives in plan.pairs()
    ]


def class_groups_of(recorder: Recorder, plan: Plan, group_of: GroupOf) -> list[int]:
    """Group of each class clip.

    Raises:
        InputError: if no class clip could be used.
    """
    by_key = {source.key: source for source in plan.class_sources}
    if not recorder.class_rows:
        raise InputError(
            "`clips` must hold a clip for the gradient that can be used. Got none. See the files listed as skipped."
        )
    groups = [group_of(by_key[clip.source]) for clip in recorder.class_rows]
    numbers = numbering(groups)
    return [numbers[group] for group in groups]


def grams_of(recorder: Recorder, progress: bool) -> dict[str, Gram]:
    """K and C of each layer, over all recorded rows."""
    grams = {}
    with progress_bar("inner products (layers)", len(recorder.layers), visible=progress) as advance:
        for layer in recorder.layers:
            grams[layer] = recorder.gram(layer)
            advance(1)
    return grams
