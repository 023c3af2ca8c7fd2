"""How much clips are like a text: cosine less that of neutral prompts, and its rank among other words; arrays alone.

Cosines of one text over many clips can be ranked. Whether a text is in a set of clips at all is another question: some clips are
always the most like it. It is answered by the same figures of other words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import stats

from video_tcav.words.embedding_files import EmbeddingFiles
from video_tcav.words.encoder import Rows, TextVideoEncoder, text_rows
from video_tcav.words.word_lists import TEMPLATE, neutral_prompts, prompts

_COUNTS = (1, 3, 10, 30)
"""Of best clips that are averaged: a text may be in one clip, or in many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TextRows:
    """Unit embeddings of texts and of the words that they are compared with.

    Attributes:
        texts: one row a text.
        words: one row a word.
        neutral: one row a neutral prompt.
    """

    texts: Rows
    words: Rows
    neutral: Rows

    @classmethod
    def embed(
        cls,
        encoder: TextVideoEncoder,
        texts: Sequence[str],
        words: Sequence[str],
        *,
        template: str = TEMPLATE,
        keep: bool = False,
    ) -> "TextRows":
        """Embed texts and words in the same sentence, and the neutral prompts; see `EmbeddingFiles` for `keep`."""
        of_words = cls.embed_words(encoder, words, template, keep=keep)
        return replace(of_words, texts=text_rows(encoder, prompts(texts, template)))

    @classmethod
    def embed_words(
        cls, encoder: TextVideoEncoder, words: Sequence[str], template: str = TEMPLATE, *, keep: bool = False
    ) -> "TextRows":
        """Embed words and neutral prompts, without any text."""
        files, sentences = EmbeddingFiles(encoder, keep=keep), prompts(words, template)
        # a thousand words take a text tower as long as some dozen clips
        of_words = files.rows("texts", sentences, count=len(words), make=lambda: text_rows(encoder, sentences))
        return cls(texts=of_words[:0], words=of_words, neutral=text_rows(encoder, neutral_prompts()))

    def differences(self) -> tuple[Rows, Rows]:
        """Texts and words less the mean neutral prompt: what is particular about each."""
        centre = self.neutral.mean(0)
        return self.texts - centre, self.words - centre


def text_scores(clips: Rows, texts: Rows, neutral: Rows) -> Float[np.ndarray, "clip text"]:
    """Cosine of each clip and text, less the clip's mean cosine with the neutral prompts; rows are unit vectors."""
    return clips @ texts.T - (clips @ neutral.T).mean(1, keepdims=True)


def presence_p(
    scores: Float[np.ndarray, "clip text"], word_scores: Float[np.ndarray, "clip word"]
) -> Float[np.ndarray, " text"]:
    """Significance of each text's presence in a set of clips: p, if the text were one of the words.

    The best 1, 3, 10 and 30 clips are averaged, each average is ranked among those of the words, and the smallest of the ranks is
    ranked in turn among the smallest of each word. So p is exact for a text that is drawn as the words were.
    """
    levels, word_levels = _levels(scores), _levels(word_scores)
    p_values = []
    for column in levels.T:
        pool = np.column_stack([column, word_levels])  # the text first
        smallest = stats.rankdata(-pool, method="max", axis=1).min(0)  # a tie counts against the text
        p_values.append((smallest <= smallest[0]).mean())
    return np.array(p_values)


def clip_p(
    scores: Float[np.ndarray, " clip"], word_scores: Float[np.ndarray, "clip word"]
) -> Float[np.ndarray, " clip"]:
    """For each clip, the share of words that it is more like than a text: small where it is more like the text."""
    above = (word_scores >= scores[:, None]).sum(1)
    return (1 + above) / (word_scores.shape[1] + 1)


def _levels(scores: Float[np.ndarray, "clip text"]) -> Float[np.ndarray, "count text"]:
    """Mean score of the best clips of each text, for each number of them."""
    ordered = np.sort(scores, axis=0)[::-1]
    return np.stack([ordered[:count].mean(0) for count in _COUNTS if count <= len(scores)])
