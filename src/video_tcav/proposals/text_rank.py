"""Clips of a bank by how much they are like a text: tubes embedded once, ranked for any number of texts."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from video_tcav.concepts import ConceptBank
from video_tcav.core.errors import MediaError
from video_tcav.gram.thresholds import LEVEL
from video_tcav.media import VideoSource
from video_tcav.media.files import kind_of
from video_tcav.words.encoder import Rows, TextVideoEncoder, text_rows
from video_tcav.words.naming import embedded_sources
from video_tcav.words.text_scores import TextRows, presence_p, text_scores
from video_tcav.words.word_lists import checked_texts, common_words, prompts


@dataclass(frozen=True, kw_only=True)
class TubeScores:
    """How much tubes are like a text.

    Attributes:
        text: it, with single blanks.
        by_tube: cosine less the mean cosine with neutral prompts, by the tube's name.
        p_value: whether the text is in the bank at all: its rank among other words, if it were one of them.
        words: how many other words.
    """

    text: str
    by_tube: Mapping[str, float]
    p_value: float
    words: int

    @property
    def stands_out(self) -> bool:
        """Whether the bank has more of the text than of other words."""
        return self.p_value <= LEVEL


class TextRank:
    """Tubes of a bank by how much they are like a text; safe to use from several threads.

    Args:
        bank: its clips.
        encoder: of texts and clips; with a digest, its embeddings are kept on disk by the content of clips.
    """

    def __init__(self, bank: ConceptBank, encoder: TextVideoEncoder) -> None:
        self._bank, self._encoder = bank, encoder
        self._rows: dict[str, Rows] = {}
        self._unusable: set[str] = set()
        self._words: TextRows | None = None
        self._last: tuple[int, TubeScores] | None = None
        # an encoder may not bear two calls at once: a reviewer types while clips are embedded
        self._lock = Lock()

    @property
    def encoder(self) -> str:
        """Name of the encoder."""
        return self._encoder.name

    def embed(self, each: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Embed the best version of each tube that has no embedding yet; files that cannot be decoded are left out.

        Args:
            each: is called with how many tubes are done, and how many there are.
        """
        tubes: dict[Path, list[str]] = {}  # clips of one content share a file
        for clip in self._bank.clips(tubes=True, order="added"):
            if clip.tube not in self._rows and clip.tube not in self._unusable:
                tubes.setdefault(clip.path, []).append(clip.tube)
        each(0, len(tubes))
        with self._lock:
            self._embed_words()
        sources = [VideoSource(path=path, kind="still" if kind_of(path) == "still" else "video") for path in tubes]
        with closing(embedded_sources(self._encoder, sources, keep=True)) as embedded:
            for number in range(1, len(sources) + 1):
                with self._lock:
                    source, row = next(embedded)
                if isinstance(row, MediaError):
                    self._unusable.update(tubes[source.path])
                else:
                    for tube in tubes[source.path]:
                        self._rows[tube] = row[0]
                each(number, len(sources))

    def scores(self, text: str) -> TubeScores:
        """How much each embedded tube is like a text.

        Raises:
            InputError: if the text is empty, too long or not printable.
        """
        [text] = checked_texts([text])
        with self._lock:
            rows = dict(self._rows)
            # a wall asks for the same text page after page
            if self._last is None or (self._last[0], self._last[1].text) != (len(rows), text):
                self._last = len(rows), self._scored(text, rows)
            return self._last[1]

    def _scored(self, text: str, rows: Mapping[str, Rows]) -> TubeScores:
        if not rows:
            return TubeScores(text=text, by_tube={}, p_value=1.0, words=0)
        words = self._embed_words()
        clips, texts = np.stack(list(rows.values())), text_rows(self._encoder, prompts([text]))
        scores = text_scores(clips, texts, words.neutral)
        # a text that is itself a common word ties with that word, and a tie counts against it: left out as in a search
        others = words.words[[word != text.lower() for word in common_words()]]
        return TubeScores(
            text=text,
            by_tube=dict(zip(rows, scores[:, 0].tolist(), strict=True)),
            p_value=float(presence_p(scores, text_scores(clips, others, words.neutral))[0]),
            words=len(others),
        )

    def _embed_words(self) -> TextRows:
        if self._words is None:
            self._words = TextRows.embed_words(self._encoder, common_words(), keep=True)
        return self._words
