"""CAVs alone, without a test: what a concept map needs."""

from collections.abc import Mapping, Sequence

from video_tcav.concepts.concept import Sources
from video_tcav.core.settings import takes_settings
from video_tcav.gram.representation import fold_auc
from video_tcav.models import VideoModel
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.plan import Question, make_plan
from video_tcav.tcav.record_plan import cav_vectors, compare_recorded, record
from video_tcav.tcav.saved_cavs import SavedCav, cav_coefficients, cavs_of
from video_tcav.tcav.settings import Cav, StatisticsSettings


@takes_settings(recording=RecordingSettings)
def learn_cavs(
    model: VideoModel,
    *,
    concepts: Mapping[str, Sources],
    random: Sources,
    layers: Sequence[str] | None = None,
    cav: Cav = "mean",
    group: str = "video",
    seed: int = 0,
    progress: bool = False,
    recording: RecordingSettings,
) -> tuple[SavedCav, ...]:
    """Learn the CAV of each concept against random clips, at each layer; nothing is tested.

    Args:
        model: from `load_model`.
        concepts: clips of each concept, by its name.
        random: clips without the concepts; frozen where the concept is one of stills.
        layers: dotted module names; the model's stages if not given.
        cav: `mean`, `ridge`, `logistic`, `svm`, another registered kind, or a `CavFitter`.
        group: what is held out together for the AUC: `video`, or a regular expression on the path.
        seed: of the folds.
        progress: whether to show a progress bar.
        recording: how clips are passed; its fields are keywords of this function. A concept map wants the space `flatten`. With
            `sketch`, clips are passed twice, unless a store holds them: CAVs are built of whole rows that are not kept.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.
    """
    fitter = StatisticsSettings(cav=cav).fitter
    question = Question(concepts=concepts, random=random, layers=layers, group=group, seed=seed)
    with Workspace(recording, progress=progress) as work:
        plan = make_plan(model, question, recording, work.digest)
        recorded = record(plan, work.recorder(model, plan.layers, plan.digests), work)
        comparisons, grams = compare_recorded(plan, recorded), recorded.grams()
        coefficients, vectors = cav_vectors(plan, recorded, cav_coefficients(comparisons, grams, fitter), work)
        auc = {
            comparison.key(layer): fold_auc(
                fitter, gram.kernel, comparison.design.labels, comparison.design.folds(seed)
            )
            for comparison in comparisons
            for layer, gram in comparison.grams(grams).items()
        }
        return tuple(cavs_of(recorded, comparisons, grams, coefficients, vectors, auc))
