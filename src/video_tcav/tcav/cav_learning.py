"""CAVs alone, without a test: what a concept map needs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import at_least, one_of
from video_tcav.core.scratch import scratch_folder
from video_tcav.gram.cavs import CAV_KINDS, CavKind
from video_tcav.gram.gate import cross_validated_accuracies
from video_tcav.gram.kernel import kernel_of
from video_tcav.media import source_digest
from video_tcav.models import VideoModel
from video_tcav.recording.cache import ActivationStore, opened, recall_for
from video_tcav.recording.feature_spaces import SPACES, Space
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import SpillSpace, parse_bytes
from video_tcav.tcav.comparison import grouping
from video_tcav.tcav.plan import MOST_WINDOWS, cav_plan
from video_tcav.tcav.record_plan import comparisons_of, record_plan
from video_tcav.tcav.saved_cavs import SavedCav, cavs_of


def learn_cavs(
    model: VideoModel,
    *,
    concepts: Mapping[str, Sources],
    random: Sources,
    layers: Sequence[str] | None = None,
    space: Space = "flatten",
    cav: CavKind = "mean",
    windows: int = 1,
    group: str = "video",
    memory: str | int = "2GB",
    seed: int = 0,
    strict: bool = False,
    store: ActivationStore | str | Path | None = None,
    progress: bool = False,
) -> tuple[SavedCav, ...]:
    """Learn the CAV of each concept against random clips, at each layer; nothing is tested.

    Args:
        model: from `load_model`.
        concepts: clips of each concept, by its name.
        random: clips without the concepts; frozen where the concept is one of stills.
        layers: dotted module names; the model's stages if not given.
        space: feature space; a concept map wants `flatten`.
        cav: `mean`, `ridge`, `logistic` or `svm`.
        windows: clips taken from each video.
        group: what is held out together for the accuracy: `video`, or a regular expression on the path.
        memory: budget for activations.
        seed: of the folds.
        strict: whether a file that cannot be used ends the run instead of being left out.
        store: an activation store, or its folder: what it holds is neither decoded nor passed again, what it lacks is added.
        progress: whether to show a progress bar.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.
    """
    kind, chosen = one_of("cav", cav, CAV_KINDS), tuple(dict.fromkeys(layers or model.stages()))
    for name in chosen:
        model.layer(name)
    group_of = grouping(group)
    at_least("windows", windows, 1, MOST_WINDOWS)
    one_of("space", space, SPACES)
    with scratch_folder() as spill, opened(store) as cache:
        digest = source_digest if cache is None else cache.source_digest
        plan = cav_plan(concepts, random, windows=windows, group_of=group_of, digest=digest)
        recorder = Recorder(
            model=model,
            layers=chosen,
            space=space,
            storage=SpillSpace(parse_bytes(memory), spill),
            windows=windows,
            strict=strict,
            recall=recall_for(cache, model, chosen, space, windows, plan.digests),
            full_batches=True,
        )
        record_plan(recorder, plan, None, progress)
        comparisons = comparisons_of(recorder, plan, group_of)
        grams = {layer: recorder.gram(layer) for layer in chosen}
        accuracy = {}
        for one in comparisons:
            kernels = {layer: kernel_of(found.kernel, one.rows["none"]) for layer, found in grams.items()}
            labels, folds = one.design.labels[None], one.design.folds(seed)[None]
            for layer, value in cross_validated_accuracies(kind, kernels, labels, folds).items():
                accuracy[one.concept, one.versus, layer] = float(value[0])
        return tuple(cavs_of(recorder, comparisons, grams, kind, accuracy))
