"""Names for a set of clips that nobody has named: the words whose embeddings are nearest, with rank and margin."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import at_least
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, MediaError
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.media import Skipped, VideoSource, load_clips, source_digest
from video_tcav.words.embedding_files import EmbeddingFiles
from video_tcav.words.encoder import Rows, TextVideoEncoder, clip_rows
from video_tcav.words.text_scores import TextRows, text_scores
from video_tcav.words.word_lists import TEMPLATE, common_words


@dataclass(frozen=True, kw_only=True)
class NameSuggestion:
    """A word for a set of clips.

    Attributes:
        word: as it stands in the list.
        rank: 1 for the nearest.
        score: mean over the clips of the cosine less that of neutral prompts; less that of the background, if there is one.
        margin: to the next word of the list; small where two words would do as well.
    """

    word: str
    rank: int
    score: float
    margin: float


@dataclass(frozen=True, kw_only=True)
class NameSuggestions(ItemSequence[NameSuggestion]):
    """The nearest words, best first; a person chooses, as something is always nearest.

    Attributes:
        suggestions: one a word.
        words: how many words there were to choose from.
        clips: how many clips were named.
        encoder: its name.
        skipped: files that could not be used, and why.
    """

    FIELD: ClassVar[str] = "suggestions"
    suggestions: tuple[NameSuggestion, ...]
    words: int
    clips: int
    encoder: str
    skipped: tuple[Skipped, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row a word."""
        return pd.DataFrame([vars(suggestion) for suggestion in self.suggestions])


def suggest_names(
    encoder: TextVideoEncoder,
    clips: Sources,
    *,
    words: Sequence[str] | None = None,
    background: Sources | None = None,
    count: int = 10,
    template: str = TEMPLATE,
    keep: bool = True,
) -> NameSuggestions:
    """The words that a set of clips is most like, such as the clips of a component that a machine found.

    Args:
        encoder: from `load_encoder`.
        clips: to name: paths, or clips in memory.
        words: to choose from; `common_words()` if not given.
        background: clips that the name should not fit; what both sets show is then no name.
        count: how many words.
        template: the sentence around each word.
        keep: whether embeddings are kept on disk, by the content of clips and encoder.

    Raises:
        SourceError: if there is no clip.
        InputError: if there are less than two words, or no clip can be used.
    """
    at_least("count", count, 1)
    candidates = CandidateNames.embed(encoder, words, template=template, keep=keep)
    rows, skipped = source_rows(encoder, clips, keep=keep)
    background_rows = None
    if background is not None:
        background_rows, background_skipped = source_rows(encoder, background, keep=keep)
        skipped += background_skipped
    return replace(candidates.suggested(rows, background_rows, count=count), skipped=skipped)


@dataclass(frozen=True, kw_only=True, eq=False)
class CandidateNames:
    """Words that names are chosen from, embedded once for any number of sets of clips.

    Attributes:
        encoder: its name.
        words: each once.
        rows: unit embeddings of the words and of neutral prompts.
    """

    encoder: str
    words: tuple[str, ...]
    rows: TextRows

    @classmethod
    def embed(
        cls, encoder: TextVideoEncoder, words: Sequence[str] | None, *, template: str = TEMPLATE, keep: bool = True
    ) -> "CandidateNames":
        """Embed words, the common ones if none are given.

        Raises:
            InputError: if there are less than two.
        """
        chosen = tuple(dict.fromkeys(common_words() if words is None else words))
        at_least("words", len(chosen), 2, cure="Give words to choose from.")
        return cls(encoder=encoder.name, words=chosen, rows=TextRows.embed_words(encoder, chosen, template, keep=keep))

    def suggested(self, clips: Rows, background: Rows | None, *, count: int = 10) -> NameSuggestions:
        """The words nearest to some clips, less what they are to the background; from unit embeddings."""
        scores = text_scores(clips, self.rows.words, self.rows.neutral).mean(0)
        if background is not None:
            scores -= text_scores(background, self.rows.words, self.rows.neutral).mean(0)
        order = np.argsort(-scores, kind="stable")
        margins = np.append(scores[order][:-1] - scores[order][1:], np.nan)  # nothing is behind the last
        suggestions = tuple(
            NameSuggestion(word=self.words[at], rank=rank + 1, score=float(scores[at]), margin=float(margins[rank]))
            for rank, at in enumerate(order[:count].tolist())
        )
        return NameSuggestions(suggestions=suggestions, words=len(self.words), clips=len(clips), encoder=self.encoder)


def source_rows(encoder: TextVideoEncoder, clips: Sources, *, keep: bool) -> tuple[Rows, tuple[Skipped, ...]]:
    """Unit embeddings of whole sources, each as one clip, and those that cannot be used.

    Raises:
        InputError: if none can be used.
    """
    rows, skipped = list[Rows](), list[Skipped]()
    with closing(embedded_sources(encoder, as_sources(clips), keep=keep)) as embedded:
        for _, row in embedded:
            if isinstance(row, MediaError):
                skipped.append(Skipped(path=str(row.path), reason=row.reason))
            else:
                rows.append(row)
    if not rows:
        raise InputError(f"`clips` must hold a file that can be used. Got {skipped[0]}. Give other files.")
    return np.concatenate(rows), tuple(skipped)


def embedded_sources(
    encoder: TextVideoEncoder, sources: Sequence[VideoSource], *, keep: bool
) -> Generator[tuple[VideoSource, Rows | MediaError], None, None]:
    """Each source as one clip with its unit embedding, one row, or why it cannot be used; close it to stop decoding.

    Args:
        encoder: embeds them.
        sources: in any number; they are decoded ahead.
        keep: whether embeddings are kept on disk, by content.
    """
    spec, files = ClipSpec(frames=encoder.frames, sampling="uniform", short="pad"), EmbeddingFiles(encoder, keep=keep)
    with closing(load_clips(sources, spec)) as decoded:
        for loaded in decoded:
            if loaded.clips is None:
                assert loaded.error is not None
                yield loaded.source, loaded.error
                continue
            clip, digest = loaded.clips[0], source_digest(loaded.source)
            yield loaded.source, files.rows("whole", digest, count=1, make=lambda clip=clip: clip_rows(encoder, [clip]))
