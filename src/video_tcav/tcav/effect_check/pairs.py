"""`pairs`: what a concept does to a class, measured on clips with and without it."""

from collections.abc import Sequence
from dataclasses import replace

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources, left_out_notes
from video_tcav.core.checks import at_least
from video_tcav.core.settings import takes_settings
from video_tcav.media.digest import content_digests
from video_tcav.media.grouping import listed_groups
from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target
from video_tcav.recording.settings import RecordingSettings, Space
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.effect_check.checking import LEFT_OUT
from video_tcav.tcav.effect_check.estimate_plan import MOST_RERUN, plan_keywords
from video_tcav.tcav.effect_check.kept import kept_pairs
from video_tcav.tcav.effect_check.measure_pairs import PairPlan
from video_tcav.tcav.effect_check.pair_matching import match_pairs, pair_groups
from video_tcav.tcav.effect_check.pair_result import PairedEffects
from video_tcav.tcav.settings import MOST_PAIRS


@takes_settings(recording=RecordingSettings, leave_out=LEFT_OUT)
def pairs(
    model: VideoModel,
    *,
    target: str | int,
    with_concept: Sources,
    without: Sources,
    random: Sources | None = None,
    layers: Sequence[str] | None = None,
    space: Space | Sequence[Space] = "flatten",
    against: str = "log_odds",
    group: str = "video",
    intervene_at: str = "deepest",
    most_pairs: int = MOST_PAIRS,
    most_rerun: int = MOST_RERUN,
    seed: int = 0,
    progress: bool = False,
    recording: RecordingSettings,
) -> PairedEffects:
    """What does a concept do to a class? Measured on pairs: the same clip with and without it.

    With pairs nothing needs to be estimated: the change of the target between the two clips is the truth, and its mean with an
    interval over groups of pairs is the result. Beside it stand, at each layer, the paired estimate (the slope at each clip times
    its own shift of activations), the estimates that a test without pairs has (slope, step and clamp along the mean shift), and
    the plain difference of mean targets. They say how far each may be believed on this model.

    A clip's pair is what the column `pair` of its manifest says. Where no clip has one, it is the file's name without folder and
    ending; arrays without a name are numbered as they come.

    Args:
        model: from `load_model`.
        target: class to explain, by name or number.
        with_concept: clips with the concept, one of each pair.
        without: the same clips without it, one of each pair.
        random: further clips without it, of no pair; slope, step and clamp are then taken there as well, and the plain difference
            from them stands beside.
        layers: dotted module names, from the first to the deepest; the model's stages if not given.
        space: feature space, or several.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        group: what is independent: `video`, what a published list names (`participant`), or a pattern on the path. The groups
            of both clips of a pair are one.
        intervene_at: where steps and clamps are measured beside slopes: the `deepest` layer, `all`, or names with commas between;
            the first layers take longest.
        most_pairs: that are measured, drawn from as many groups as there are; fewer, but 6, where activations at these layers
            would not fit into `memory`, or 2 GB if that is less, which a note then says.
        most_rerun: clips of each kind that steps and clamps are taken at.
        seed: of every draw.
        progress: whether to show a progress bar.
        recording: how clips are passed; some of its fields are keywords of this function. What a `store` holds is not
            computed again.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message; such as a clip whose pair has no other.
    """
    aim = parse_target(model, target, against)
    matched = match_pairs(with_concept, without)
    pool = () if random is None else as_sources(random, clip_name="random clip")
    keywords = plan_keywords(
        model,
        layers=layers,
        space=space,
        intervene_at=intervene_at,
        group=group,
        most_rerun=most_rerun,
        seed=seed,
        recording=recording,
    )
    sides = [source for pair in matched for source in (pair.with_concept, pair.without)]
    named = listed_groups((*sides, *pool), keywords["group_of"], group)
    keywords["group_of"] = pair_groups(matched, pool, keywords["group_of"])
    plan = PairPlan(pairs=matched, random=pool, most_pairs=at_least("most_pairs", most_pairs, 2), **keywords)
    left_out = [note for clips in (with_concept, without, random) for note in left_out_notes(clips)]
    with Workspace(recording, progress=progress) as work:
        digests = content_digests((*sides, *pool), work.digest)
        result = kept_pairs(model, aim, plan, digests, work)
    return replace(result, notes=(*model.remarks(), *result.notes, *named, *left_out))
