"""A hypothesis and its verdict, with every number behind it."""

import math
from dataclasses import dataclass

from video_tcav.experiments.decisions import SHARES, VerdictWord
from video_tcav.experiments.hypothesis import Kind


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A hypothesis and its verdict: a row of `hypotheses.csv`.

    Attributes:
        number: its place in the file, from one.
        line: its line there.
        name: as the file has it, or the claim.
        claim: the hypothesis in words.
        kind: of hypothesis.
        verdict: supported, contradicted, undecided, or not represented.
        reason: why, in words.
        model: name of the model; of both with `same_in`.
        target: class; of a claim about a model that of its clips, empty for all classes.
        concept: the concept, or the text of a claim about a concept in words; empty for a claim about a model.
        than: what it is compared with; empty where it is not.
        layer: where; empty for a claim about a model.
        expect: the direction it claims; of a claim about a model `at least` or `at most`.
        margin: an effect below it does not matter; of a claim about a model the share that is claimed; 0 of a claim about a text.
        effect: in `unit`; NaN where there is nothing to measure, as for all numbers below.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end.
        standard_error: of the effect.
        p_value: two-sided, of no effect.
        p_perm: its part from label permutations; NaN where there are none.
        p_t: its part from the effect over its standard error.
        p_adjusted: `p_value` after correction in its family.
        equivalence_p: of an effect of the margin or more: small where the effect is shown to be smaller than the margin.
        equivalence_p_adjusted: after correction in its family.
        beyond_p: of an effect of the margin or less: small where the effect is shown to be larger than the margin.
        beyond_p_adjusted: after correction in its family.
        represented: whether the layer encodes the concept.
        concept_clips: that were used; of a claim about a model the clips that it was judged by, of a claim about a text the
            random clips that its CAV was learned from.
        more_clips: of the concept that would decide it, others in proportion, with the probability that the experiment asks
            for (`power`); `None` where it is decided, or no practical number would.
        family: it was corrected in.
        family_size: how many hypotheses of it were tested.
        level: of significance that the adjusted p-values were compared with.
        agreement: share of plain edits of the class clips whose sign effects at the layer predict; NaN where not measured.
        unit: of effect, interval and margin; empty in runs of earlier versions, where it is that of the target.
        doubted: whether the reason has a caution that the effect may not be what the model would say.
    """

    number: int
    line: int
    name: str
    claim: str
    kind: Kind
    verdict: VerdictWord
    reason: str
    model: str
    target: str
    concept: str
    than: str
    layer: str
    expect: str
    margin: float
    effect: float
    effect_low: float
    effect_high: float
    standard_error: float
    p_value: float
    p_adjusted: float
    equivalence_p: float
    equivalence_p_adjusted: float
    represented: bool
    concept_clips: int
    more_clips: int | None
    family: str
    # what runs of version 0.1 do not have
    p_perm: float = math.nan
    p_t: float = math.nan
    beyond_p: float = math.nan
    beyond_p_adjusted: float = math.nan
    family_size: int = 0
    level: float = math.nan
    agreement: float = math.nan
    # of runs before there were shares
    unit: str = ""
    doubted: bool = False

    @property
    def is_in_words(self) -> bool:
        """Whether it is a claim about a concept in words: a weaker one than about clips, shown apart from these."""
        return self.kind == "text_matters"

    @property
    def is_about_model(self) -> bool:
        """Whether it is a claim about a model, which its audit judges, and not about a concept."""
        return not self.concept  # `kind` alone does not tell: order may matter for a concept and for a model

    @property
    def is_share(self) -> bool:
        """Whether its effect is a share, or else a number in units of the target."""
        return self.kind in SHARES or self.is_about_model

    @property
    def place(self) -> str:
        """Where it was judged: at a layer, or on the pixels."""
        return self.layer or "pixels"
