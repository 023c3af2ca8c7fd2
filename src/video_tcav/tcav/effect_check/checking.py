"""`check_effects`: the effect check as a function of its own, without concepts."""

from collections.abc import Sequence
from pathlib import Path

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.concepts.edits import EDITS, Edit
from video_tcav.core.checks import at_least, one_of, require
from video_tcav.core.settings import takes_settings
from video_tcav.masks import MaskSource, parse_mask_source
from video_tcav.media.digest import content_digests
from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target
from video_tcav.recording.settings import RecordingSettings, Space
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.effect_check.check import MOST_CLIPS, CheckPlan
from video_tcav.tcav.effect_check.estimate_plan import MOST_RERUN, plan_keywords
from video_tcav.tcav.effect_check.kept import kept_check
from video_tcav.tcav.effect_check.mask_edits import MASK_EDITS, MaskEdit
from video_tcav.tcav.effect_check.result import EffectCheck
from video_tcav.tcav.plan import check_only_right

LEFT_OUT = ("space", "windows", "sketch", "workers", "backend")


@takes_settings(recording=RecordingSettings, leave_out=LEFT_OUT)
def check_effects(
    model: VideoModel,
    *,
    target: str | int,
    clips: Sources | None = None,
    random: Sources,
    layers: Sequence[str] | None = None,
    space: Space | Sequence[Space] = "flatten",
    against: str = "log_odds",
    only_right: bool = False,
    group: str = "video",
    edits: Sequence[Edit | MaskEdit] | None = None,
    masks: str | Path | MaskSource | None = None,
    intervene_at: str = "deepest",
    most_clips: int = MOST_CLIPS,
    most_rerun: int = MOST_RERUN,
    seed: int = 0,
    progress: bool = False,
    recording: RecordingSettings,
) -> EffectCheck:
    """How well do effects predict what plain edits of these clips do to the target?

    The truth of an edit is the mean change of the target when the clips themselves are edited. At each layer, edited and plain
    clips then stand for concept and random clips, and every estimate (slope, step, clamp) is compared with the truth. It says
    how far effects on this model may be believed, at which layer, and by which estimator.

    Args:
        model: from `load_model`.
        target: class to explain, by name or number.
        clips: clips of that class, which are edited; if there are none, random clips are.
        random: clips without a concept.
        layers: dotted module names, from the first to the deepest; the model's stages if not given.
        space: feature space, or several.
        against: `log_odds`, `logit` or `contrast:CLASS`.
        only_right: whether class clips that the model calls another class are left out.
        group: what is independent: `video`, what a published list names (`participant`), or a pattern on the path.
        edits: which of `EDITS`, and, with masks, of `person_only`, `scene_only` and `other_scene`; all if not given. 4 or more,
            or no rank correlation is shown.
        masks: who is the person: a spec, see `parse_mask_source`, or a source. Clips in which nobody is found are left out of the
            three edits that need it.
        intervene_at: where steps and clamps are measured beside slopes: the `deepest` layer, `all`, or names with commas between;
            the first layers take longest.
        most_clips: that are edited, and random ones that estimates are taken at; drawn from as many groups as there are. Fewer,
            but 6, where activations at these layers would not fit into `memory`, or 2 GB if that is less.
        most_rerun: clips of each kind that steps and clamps are taken at, which cost four runs of the rest of the network an
            edit and clip.
        seed: of every draw.
        progress: whether to show a progress bar.
        recording: how clips are passed; some of its fields are keywords of this function. What a `store` holds is not
            computed again.

    Raises:
        VideoTcavError: one of its kinds, with a cure in the message.
    """
    aim = parse_target(model, target, against)
    at = "random" if clips is None else "class"
    check_only_right(only_right, at, aim)
    chosen = _chosen_edits(edits, has_masks=masks is not None)
    pool = as_sources(random, clip_name="random clip")
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
    plan = CheckPlan(
        clips=pool if clips is None else as_sources(clips),
        at=at,
        random=() if clips is None else pool,
        edits=tuple(edit for edit in EDITS if edit in chosen),
        mask_edits=tuple(edit for edit in MASK_EDITS if edit in chosen),
        masks=None if masks is None else parse_mask_source(masks, threads=recording.threads, device=model.device),
        only_right=only_right,
        most_clips=at_least("most_clips", most_clips, 2),
        **keywords,
    )
    with Workspace(recording, progress=progress) as work:
        digests = content_digests((*plan.clips, *plan.random), work.digest)
        return kept_check(model, aim, plan, digests, work)


def _chosen_edits(edits: Sequence[str] | None, *, has_masks: bool) -> tuple[str, ...]:
    """The edits that are asked for.

    Raises:
        InputError: for an unknown one, one that needs masks where there are none, or masks that none needs.
    """
    chosen = (*EDITS, *(MASK_EDITS if has_masks else ())) if edits is None else tuple(edits)
    for edit in chosen:
        one_of("edits", edit, (*EDITS, *MASK_EDITS))
    by_masks = [edit for edit in chosen if edit in MASK_EDITS]
    cure = "Name masks, such as motion." if by_masks else f"Add one of {', '.join(MASK_EDITS)}, or leave out masks."
    rule = "be made with masks" if by_masks else "need the masks that are given"
    require(bool(by_masks) == has_masks, "edits", rule, by_masks[0] if by_masks else "plain ones alone", cure)
    return chosen
