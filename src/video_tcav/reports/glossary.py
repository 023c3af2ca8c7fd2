"""Glossary of a page: words of the field, each with a sentence that a reader sees where the word stands."""

import re

from markupsafe import Markup, escape

WORDS = {
    "log-odds": (
        "Of a class: the logarithm of its odds, which are its probability divided by that of all other classes. +1 multiplies "
        "the odds by 2.7, +2.3 by 10, −1 divides them by 2.7."
    ),
    "odds": "A probability divided by what is left of it: 80 % is odds of 4 to 1. Three times the odds makes 12 to 1, or 92 %.",
    "effect": (
        "How much the target changes, to first order, when a clip is pushed in the layer by as much as clips of the concept "
        "differ from random clips."
    ),
    "adjusted p": "A p-value that was made larger for the number of tests, since one of many is small by chance alone.",
    "equivalence p": (
        "How often chance alone would make an effect as large as the margin look as small as this one. Small: the effect is "
        "shown to be too small to matter."
    ),
    "beyond p": (
        "How often chance alone would make an effect no larger than the margin look as large as this one. Small: the effect is "
        "shown to be larger than the margin."
    ),
    "p": "How often chance alone would give an effect as large as this one, if there were none.",
    "interval": "A 95 % interval is made by a rule that covers the true value in 95 of 100 such experiments.",
    "margin": "The size, set before the run, below which an effect does not matter in practice.",
    "layer": "A step of the network. The deepest is the last one before the answer.",
    "CAV": "Concept activation vector: in a layer, the direction from random clips to clips of the concept.",
    "twin": "The same clip with one thing taken away: its motion (frozen) or the order of its frames (reversed, shuffled).",
    "frozen": "One frame of the clip, held: the picture without the motion.",
    "reversed": "The clip played backwards: the same frames in another order.",
    "motion effect": "What freezing takes away: the effect of the clips minus that of the same clips frozen.",
    "order effect": "What playing backwards takes away: the effect of the clips minus that of the same clips reversed.",
    "represented": "The layer tells clips of the concept from random clips. Where it does not, an effect says nothing.",
    "TCAV score": "Share of the class clips that a push towards the concept raises: 0.5 is none, 0 and 1 are all.",
    "AUC": "How often the CAV puts a concept clip that it has not seen above a random one: 0.5 is chance, 1 is always.",
    "cosine": "How alike two directions are: 1 is the same, 0 is nothing in common, −1 is the opposite.",
    "consistency": "Whether a concept is the same thing at two layers: both put its clips in the same order.",
    "entanglement": "How alike two concepts are in a layer: where they are nearly the same, their effects cannot be told apart.",
    "group": "Clips that are not independent, such as those of one video. The sample size is the number of groups.",
    "feature space": "What is taken of a layer: all of it, or means over place or time.",
    "permutation": "Exchanging which clips are called the concept, to see what chance alone would give.",
}
"""Definition of each word; longer ones before those that they contain."""
_PATTERN = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, WORDS))})s?(?![\w-])", re.IGNORECASE)
_WORDS_BY_CASE = {word.lower(): word for word in WORDS}


def explained(text: object) -> Markup:
    """A text whose words of the glossary lead to their definitions, each at its first place; escaped unless it is `Markup`."""
    met: set[str] = set()

    def link(match: re.Match[str]) -> str:
        word = _WORDS_BY_CASE.get(match[0].lower()) or _WORDS_BY_CASE[match[0].lower().removesuffix("s")]
        # `P` at the start of a sentence, or in a name, is no p-value.
        if word in met or (word == "p" and match[0] != "p"):
            return match[0]
        met.add(word)
        return f'<a class="term" href="#{word_id(word)}">{match[0]}</a>'

    return Markup(_PATTERN.sub(link, str(escape(text))))


def word_id(word: str) -> str:
    """The id of a word's definition in the page."""
    return f"word-{word.lower().replace(' ', '-')}"
