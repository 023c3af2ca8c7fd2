"""Claims about concepts in words: mistakes in them, evidence on them, and their verdicts, by rules of their own."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from video_tcav.core.yaml_lines import YamlPath
from video_tcav.experiments.decisions import VerdictWord
from video_tcav.experiments.evidence import Evidence
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.named import check_name
from video_tcav.tcav import TextConceptResult, TextTcavResult
from video_tcav.tcav.text_concepts.result import UNCHECKED
from video_tcav.tcav.wording import p_equals

Mistakes = Iterator[tuple[YamlPath, str]]


def words_contradictions(experiment: Experiment) -> Mistakes:
    """What keeps texts from being checked by clips."""
    words = experiment.words
    for text, concept in ({} if words is None else words.checked_by).items():
        assert words is not None
        path: YamlPath = ("words", "checked_by", text)
        yield from check_name("checked_by", text, words.texts, path)
        if not experiment.tests_concepts:
            yield path, f"`checked_by` must name concepts of the file. Got {concept!r}, and no concepts. Add concepts."
            return
        yield from check_name("checked_by", concept, experiment.all_concepts(), path)


def text_claim_contradictions(hypothesis: Hypothesis, path: YamlPath, experiment: Experiment) -> Mistakes:
    """What keeps a claim about a text from being judged."""
    claim, claim_path = hypothesis.text_matters, (*path, hypothesis.kind)
    assert claim is not None
    if experiment.words is None:
        message = "`text_matters` must be about texts of the file. Got no words. Add words: with encoder and texts."
        yield claim_path, message
        return
    yield from check_name("text", claim.text, experiment.words.texts, (*claim_path, "text"))
    yield from check_name("target", claim.target, experiment.targets, (*claim_path, "target"))
    if hypothesis.layer is not None and experiment.layers is not None:
        yield from check_name("layer", hypothesis.layer, experiment.layers, (*path, "layer"))


@dataclass(frozen=True, kw_only=True)
class TextEvidence(Evidence):
    """The effect of a text; its `concept_clips` and `concept_groups` are those of the unlabelled clips.

    Attributes:
        row: the text at the layer.
        words: how many other words it is compared with.
    """

    row: TextConceptResult
    words: int

    def smaller_p(self, margin: float) -> float:
        # words have no size to be smaller than: a standard deviation of the clips is no whole concept
        return math.nan

    def larger_p(self, margin: float) -> float:
        return math.nan


def text_evidence(hypothesis: Hypothesis, result: TextTcavResult, layer: str) -> TextEvidence | None:
    """The evidence on a claim about a text; `None` where the text was not tested at the layer."""
    claim = hypothesis.text_matters
    assert claim is not None
    row = result.get(claim.text, layer)
    if row is None:
        return None
    return TextEvidence(
        effect=row.effect,
        low=row.effect_low,
        high=row.effect_high,
        standard_error=math.nan,
        freedom=1.0,
        p_value=row.p_value,
        p_t=row.p_t,
        represented=row.represented,
        concept_groups=result.constants.n_groups,
        concept_clips=result.constants.n_clips,
        row=row,
        words=result.constants.words,
    )


def text_cautions(measured: TextEvidence | None) -> tuple[str, ...]:
    """What belongs beside a verdict on a text that no clips check."""
    if measured is None or not measured.represented or measured.row.is_checked:
        return ()
    return (f"{UNCHECKED[:1].lower()}{UNCHECKED[1:].rstrip('.')}: it is what the encoder takes the words to be",)


def decide_text(
    hypothesis: Hypothesis, measured: TextEvidence, p_adjusted: float, *, level: float, unit: str
) -> tuple[VerdictWord, str]:
    """The verdict, and why: an effect counts where the layer represents the text, and clips of it, if any, bear it out."""
    row = measured.row
    if not row.represented:
        return "not represented", f"the layer does not represent the text: {row.gate_text()}"
    size = f"{measured.effect:+.2f} {unit} [{measured.low:+.2f}, {measured.high:+.2f}]"
    among = f"adjusted p {p_equals(p_adjusted)} among {measured.words:,} other words"
    clips = f"; {row.check_text()[:1].lower()}{row.check_text()[1:].rstrip('.')}" if row.is_checked else ""
    if p_adjusted > level:
        return "undecided", f"the effect is {size}; that there is one is not shown ({among}){clips}"
    if row.is_checked and not row.is_borne_out:
        return "undecided", f"an effect is shown: {size}, {among}{clips}, so that it may not be of what the clips show"
    expected = {"positive": measured.effect > 0, "negative": measured.effect < 0, "either": True}[hypothesis.direction]
    direction = "" if hypothesis.direction == "either" else f" in the {'claimed' if expected else 'opposite'} direction"
    return ("supported" if expected else "contradicted"), f"an effect{direction} is shown: {size}, {among}{clips}"
