"""Prompts: the sentence around a text, neutral prompts, and the list of common words that a text is compared with."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from video_tcav.core.checks import at_least, require
from video_tcav.core.errors import InputError
from video_tcav.core.files import reason_of
from video_tcav.core.limits import LimitError, read_bounded

TEMPLATE = "a video of {}"
LONGEST_TEXT = 60  # characters: a text names a concept of a bank
FEWEST_WORDS = 19  # below, no p-value could reach 0.05: the smallest is 1 / (words + 1)
_LISTS = Path(__file__).parent / "lists"
_MOST_BYTES = 2**24


def common_words() -> tuple[str, ...]:
    """A thousand common English words: what is done, in its -ing form, and things."""
    return _packaged("common_words")


def neutral_prompts() -> tuple[str, ...]:
    """Fifty prompts that name nothing, such as "a video of something": their mean is what every text has in common."""
    return _packaged("neutral_prompts")


@cache
def _packaged(name: str) -> tuple[str, ...]:
    return tuple((_LISTS / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1])


def read_words(path: str | Path) -> tuple[str, ...]:
    """Words of a text file, one a line; empty lines are left out.

    Raises:
        InputError: if the file cannot be read as text.
    """
    try:
        text = read_bounded(Path(path).expanduser(), most=_MOST_BYTES).decode("utf-8")
    except (OSError, ValueError, LimitError) as error:
        raise InputError(
            f"`words` must be a text file in UTF-8, a word a line. Got {path}: {reason_of(error)}. Check it."
        ) from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def prompts(texts: Sequence[str], template: str = TEMPLATE) -> list[str]:
    """Each text in the sentence that encoders know texts in.

    Raises:
        InputError: if the template has no place for it.
    """
    require(template.count("{}") == 1, "template", "hold {} once", template, f"Write, for example, {TEMPLATE!r}.")
    return [template.replace("{}", text) for text in texts]


def checked_texts(texts: Sequence[str]) -> tuple[str, ...]:
    """Texts without blanks around them, each once.

    Raises:
        InputError: if there is none, or one is empty, too long or not printable.
    """
    if isinstance(texts, str):
        texts = [texts]
    clean = tuple(dict.fromkeys(" ".join(text.split()) for text in texts))
    if not clean:
        raise InputError("`text` must name a concept in words. Got none. Write, for example, 'swinging a racket'.")
    for text in clean:
        good = 0 < len(text) <= LONGEST_TEXT and text.isprintable()
        require(good, "text", f"be 1 to {LONGEST_TEXT} printable characters", text, "Name the concept in a few words.")
    return clean


def words_digest(words: Sequence[str]) -> str:
    """Names a list of words by its content, as results depend on every word of it."""
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def other_words(words: Sequence[str] | None, texts: Sequence[str]) -> tuple[str, ...]:
    """The words that texts are compared with: the common ones if not given, without the texts themselves.

    Raises:
        InputError: if there are too few for a test.
    """
    asked = {text.lower() for text in texts}
    chosen = tuple(dict.fromkeys(word for word in words or common_words() if word.lower() not in asked))
    at_least("words", len(chosen), FEWEST_WORDS, cure="Give more words, or leave them out for a thousand common ones.")
    return chosen
