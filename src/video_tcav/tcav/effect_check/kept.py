"""Effect checks in the activation store: a check that was made with the same model, clips and settings is read again."""

from collections.abc import Mapping

from video_tcav.models import VideoModel
from video_tcav.models.targets import Target
from video_tcav.recording.workspace import Workspace
from video_tcav.tcav.effect_check.check import CheckPlan, measure_check
from video_tcav.tcav.effect_check.result import EffectCheck

_VERSION = 1
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

    sources = [
        [(source.key, digests.get(source.key), plan.group_of(source)) for source in each]
        for each in (plan.clips, plan.random)
    ]
    values = (plan.at, plan.layers, plan.spaces, plan.edits, plan.reruns, plan.only_right)
    numbers = (plan.most_clips, plan.most_rerun, plan.seed)
    key = ("effect check", _VERSION, vars(target), sources, values, numbers)
    return EffectCheck.from_dict(work.kept_fact(model, digests, *key, make=make))
