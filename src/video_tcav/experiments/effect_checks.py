"""Effect checks of an experiment: how far the effects that a hypothesis rests on predict edits of the clips themselves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.experiments.analyses import Analysis
from video_tcav.experiments.decisions import VerdictWord
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.tcav.effect_check.estimates import Estimator


@dataclass(frozen=True, kw_only=True)
class EffectTrust:
    """What effect checks say of the effects of one hypothesis.

    Attributes:
        warnings: that belong beside the verdict.
        agreement: share of right signs at the layer, of two models the smaller one; NaN where none was measured.
        signs: the same in words.
    """

    warnings: tuple[str, ...] = ()
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
        shares: list[tuple[float, str]] = []
        for analysis in analyses:
            check, first = analysis.effect_check, analysis.found[0].result
            if check is None:
                continue
            model = f"{analysis.which.model}: " if len(analyses) > 1 else ""
            remarks = check.remarks(layer, effect, space=first.space, at=first.at, estimator=estimator)
            warnings += [f"{model}{text}" for text in (*remarks, *check.notes)]
            agreement = check.get(layer, space=first.space, at=first.at, estimator=estimator)
            if agreement is not None and agreement.counted:
                shares.append((agreement.right / agreement.counted, agreement.signs_text))
        agreement, signs = min(shares, default=(math.nan, ""))
        return cls(warnings=tuple(dict.fromkeys(warnings)), agreement=agreement, signs=signs)

    def verdict(self, verdict: VerdictWord, reason: str, least_agreement: float | None) -> tuple[VerdictWord, str]:
        """A verdict with its warnings; undecided where effects agree less with edits than the hypothesis asks for."""
        if least_agreement is not None and verdict in ("supported", "contradicted"):
            asked = f"the least agreement of {least_agreement:g} that is asked for"
            if math.isnan(self.agreement):
                verdict, reason = "undecided", f"{reason}; but {asked} could not be checked by edits"
            elif self.agreement < least_agreement:
                verdict, reason = "undecided", f"{reason}; but {self.signs} of edits are right there, below {asked}"
        return verdict, "; ".join([reason, *(f"caution: {text}" for text in self.warnings)])
