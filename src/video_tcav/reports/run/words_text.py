"""Text on concepts in words in the report of a run: what was decided, and the methods."""

from video_tcav.experiments import Outcome, Run
from video_tcav.reports.run.text import listed
from video_tcav.tcav.wording import interval, signed, verb


def in_words_sentence(outcome: Outcome) -> str:
    """What was decided about a text."""
    as_claimed = "" if outcome.verdict == "supported" else ", which is not what was claimed"
    size = f"{signed(outcome.effect)} {outcome.unit}, interval {interval(outcome.effect_low, outcome.effect_high)}"
    return f"In words, “{outcome.concept}” {verb(outcome.effect)} “{outcome.target}”: {size}{as_claimed}."


def words_text(run: Run) -> str:
    """A paragraph on how concepts in words were tested; nothing where there were none."""
    if not run.texts:
        return ""
    constants, words = run.texts[0].result.constants, run.experiment.words
    texts = [] if words is None else [f"“{text}”" for text in words.texts]
    return (
        f"CAVs of {listed(texts)} were made of words alone. A ridge map was learned from the embeddings of "
        f"{constants.n_clips} random clips in {constants.n_groups} groups by {constants.encoder} to the activations of the "
        "same clips (Moayeri et al., 2023; Nicolson et al., 2024); a text's direction is its embedding in "
        f"“{constants.template.format('…')}” less the mean neutral prompt. Effects were compared with those of "
        f"{constants.words:,} other words, and tested by t over a bootstrap of random and class groups; the larger p counts. A "
        "text counts as represented where the map predicts activations of groups that it has not seen, and how much of the text "
        "there is in them. These claims are weaker than those about clips."
    )
