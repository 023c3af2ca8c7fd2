"""How far the slopes that a hypothesis rests on may be believed: steps along the same CAVs, and edits of the clips themselves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.experiments.analyses import Analysis
from video_tcav.experiments.decisions import VerdictWord
from video_tcav.experiments.hypothesis import Hypothesis, Kind
from video_tcav.tcav.effect_check.estimates import Estimator
from video_tcav.tcav.wording import step_disagrees, step_remark

_OF_PAIRS: tuple[Kind, ...] = ("matters", "does_not_matter", "would_change")
"""Kinds about what having a concept does to the target, which pairs show."""


@dataclass(frozen=True, kw_only=True)
class EffectTrust:
    """What steps and effect checks say of the effects of one hypothesis.

    Attributes:
        warnings: that belong beside the verdict.
        facts: that do, too, and cast no doubt: what pairs show, where the effect is like it.
        agreement: share of right signs at the layer, of two models the smaller one; NaN where none was measured.
        signs: the same in words.
    """

    warnings: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    agreement: float = math.nan
    signs: str = ""

    @classmethod
    def of(cls, hypothesis: Hypothesis, analyses: Sequence[Analysis], layer: str, effect: float) -> "EffectTrust":
        """From the analyses of the hypothesis's model, or of both its models; `effect` is what was measured, or NaN."""
        # all interventions that hypotheses are about put another coordinate along the CAV into activations, as clamp does
        estimator: Estimator = "slope" if hypothesis.operation is None else "clamp"
        if hypothesis.kind in ("needed", "carries"):
            effect = math.nan  # a share, which has no place in the range of the target
        warnings: list[str] = []
        facts: list[str] = []
        shares: list[tuple[float, str]] = []
        for analysis in analyses:
            check, first = analysis.effect_check, analysis.found[0].result
            model = f"{analysis.which.model}: " if len(analyses) > 1 else ""
            if hypothesis.operation is None:
                warnings += [f"{model}{text}" for text in _steps(hypothesis, analysis, layer)]
            measured = analysis.pairs.get(hypothesis.about.concept)
            if measured is not None and hypothesis.kind in _OF_PAIRS and hypothesis.part == "whole":
                remark = measured.remark(effect)
                (facts if remark is None else warnings).append(remark or measured.truth_text)
            if check is None:
                continue
            remarks = check.remarks(layer, effect, space=first.space, at=first.at, estimator=estimator)
            warnings += [f"{model}{text}" for text in (*remarks, *check.notes)]
            agreement = check.get(layer, space=first.space, at=first.at, estimator=estimator)
            if agreement is not None and agreement.counted:
                shares.append((agreement.right / agreement.counted, agreement.signs_text))
        agreement, signs = min(shares, default=(math.nan, ""))
        return cls(warnings=tuple(dict.fromkeys(warnings)), facts=tuple(facts), agreement=agreement, signs=signs)

    def verdict(self, verdict: VerdictWord, reason: str, least_agreement: float | None) -> tuple[VerdictWord, str]:
        """A verdict with its warnings; undecided where effects agree less with edits than the hypothesis asks for."""
        if least_agreement is not None and verdict in ("supported", "contradicted"):
            asked = f"the least agreement of {least_agreement:g} that is asked for"
            if math.isnan(self.agreement):
                verdict, reason = "undecided", f"{reason}; but {asked} could not be checked by edits"
            elif self.agreement < least_agreement:
                verdict, reason = "undecided", f"{reason}; but {self.signs} of edits are right there, below {asked}"
        return verdict, "; ".join([reason, *self.facts, *(f"caution: {text}" for text in self.warnings)])


def _steps(hypothesis: Hypothesis, analysis: Analysis, layer: str) -> list[str]:
    """A remark on each slope that the hypothesis is about and that a step does not bear out."""
    concept, twin = hypothesis.about.concept, "none" if hypothesis.part == "whole" else hypothesis.part
    compared = hypothesis.more_than
    direct = None if compared is None else analysis.get(concept, layer, versus=compared.than)
    if compared is None or direct is not None:
        rows = [direct or analysis.get(concept, layer, twin=twin)]
    else:
        rows = [analysis.get(name, layer) for name in (concept, compared.than)]
    return [step_remark(row.result) for row in rows if row is not None and step_disagrees(row.result)]
