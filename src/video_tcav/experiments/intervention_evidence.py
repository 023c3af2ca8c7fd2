"""Evidence on hypotheses about interventions: a clamp effect, a share of changed first classes, a share that is restored."""

import math
from dataclasses import dataclass

from video_tcav.experiments.analyses import Analysis
from video_tcav.experiments.evidence import Evidence
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.gram.grouped_share import GroupedShare
from video_tcav.tcav.concept_result import ConceptResult
from video_tcav.tcav.interventions.effects import InterventionEffect


@dataclass(frozen=True, kw_only=True)
class ShareEvidence(Evidence):
    """A share of class clips and its uncertainty, which is no normal one near 0 and 1.

    Attributes:
        grouped: the share, as well known as from so many independent clips.
    """

    grouped: GroupedShare

    def smaller_p(self, margin: float) -> float:
        return self.grouped.below_p(margin)

    def larger_p(self, margin: float) -> float:
        return self.grouped.above_p(margin)


def intervention_evidence(hypothesis: Hypothesis, analysis: Analysis, layer: str) -> Evidence | None:
    """The evidence on a hypothesis at a layer.

    Returns:
        `None` where the operation was not made, for a reason that is among the warnings of the run.
    """
    concept, operation = hypothesis.about.concept, str(hypothesis.operation)
    # restored frozen twins stand in the rows of the motion effect, reversed ones in those of the order effect
    twin = hypothesis.part if hypothesis.carries else "none"
    effect, stored = analysis.edited(concept, layer, operation, twin=twin), analysis.get(concept, layer)
    if effect is None or stored is None:
        return None
    return _share(effect, stored.result) if hypothesis.needed else _change(effect, stored.result)


def _change(effect: InterventionEffect, result: ConceptResult) -> Evidence:
    """What other CAVs of the same clips do not do, and what other clips would show as well: the larger p of the two."""
    return Evidence(
        effect=effect.effect,
        low=effect.effect_low,
        high=effect.effect_high,
        standard_error=effect.standard_error,
        freedom=effect.freedom,
        p_value=max(effect.p_value, effect.p_t),
        p_perm=effect.p_value,
        p_t=effect.p_t,
        represented=result.represented,
        concept_groups=result.n_concept_groups,
        concept_clips=result.n_concept_clips,
    )


def _share(effect: InterventionEffect, result: ConceptResult) -> ShareEvidence | None:
    if math.isnan(effect.changed):  # no class comes first
        return None
    grouped = GroupedShare(share=effect.changed, effective_clips=effect.changed_clips)
    return ShareEvidence(
        effect=effect.changed,
        low=effect.changed_low,
        high=effect.changed_high,
        standard_error=math.sqrt(effect.changed * (1 - effect.changed) / effect.changed_clips),
        freedom=max(1.0, effect.changed_clips - 1),
        p_value=effect.changed_p,
        p_perm=effect.changed_p,
        represented=result.represented,
        concept_groups=result.n_concept_groups,
        concept_clips=result.n_concept_clips,
        grouped=grouped,
    )
