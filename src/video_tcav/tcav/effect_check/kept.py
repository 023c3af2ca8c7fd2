"""Effect checks and pairs in the activation store: what was measured with the same model, clips and settings is read again."""

from collections.abc import Iterable, Mapping
from typing import Any

from video_tcav.masks.identity import mask_identity
from video_tcav.media import VideoSource
from video_tcav.models import VideoModel
from video_tcav.models.targets import Target
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.effect_check.check import CheckPlan, measure_check
from video_tcav.tcav.effect_check.estimate_plan import EstimatePlan
from video_tcav.tcav.effect_check.measure_pairs import PairPlan, measure_pairs
from video_tcav.tcav.effect_check.pair_result import PairedEffects
from video_tcav.tcav.effect_check.result import EffectCheck

_VERSION = 2
"""Raise it when the same clips give other numbers: edits, estimates, draws."""


def kept_check(
    model: VideoModel, target: Target, plan: CheckPlan, digests: Mapping[str, str], work: Workspace
) -> EffectCheck:
    """The check of a plan, from the store of the workspace if it is there.

    Args:
        model: the explained model.
        target: what is explained.
        plan: what is checked.
        digests: content digest of each source that can be read, by its key.
        work: of the run.
    """

    def make() -> dict:
        return measure_check(model, target, plan, progress=work.progress).to_dict()

    # nothing tells when the code behind another package's masks changes
    masks = mask_identity(plan.masks)
    if masks is None:
        return EffectCheck.from_dict(make())
    sources = [_contents(each, digests, plan) for each in (plan.clips, plan.random)]
    values = (plan.at, plan.layers, plan.spaces, plan.edits, plan.mask_edits, masks, plan.reruns, plan.only_right)
    numbers = (plan.most_clips, plan.most_rerun, plan.seed, plan.room)
    key = ("effect check", _VERSION, vars(target), sources, values, numbers)
    return EffectCheck.from_dict(work.kept_fact(model, digests, *key, make=make))


def kept_pairs(
    model: VideoModel, target: Target, plan: PairPlan, digests: Mapping[str, str], work: Workspace
) -> PairedEffects:
    """Likewise what pairs show."""

    def make() -> dict:
        return measure_pairs(model, target, plan, progress=work.progress).to_dict()

    pairs = [(pair.name, _contents((pair.with_concept, pair.without), digests, plan)) for pair in plan.pairs]
    values = (plan.layers, plan.spaces, plan.reruns)
    numbers = (plan.most_pairs, plan.most_rerun, plan.seed, plan.room)
    key = ("pairs", _VERSION, vars(target), pairs, _contents(plan.random, digests, plan), values, numbers)
    return PairedEffects.from_dict(work.kept_fact(model, digests, *key, make=make))


def _contents(sources: Iterable[VideoSource], digests: Mapping[str, str], plan: EstimatePlan) -> list[tuple[Any, ...]]:
    """What identifies sources: name, content and group."""
    return [(source.key, digests.get(source.key), plan.group_of(source)) for source in sources]
