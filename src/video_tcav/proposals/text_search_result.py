"""Results of a search by words: matches of each text, whether it stands out, and what was proposed."""

from dataclasses import dataclass, field, fields
from typing import ClassVar

import pandas as pd

from video_tcav.core.item_sequence import ItemSequence
from video_tcav.core.wording import p_equals
from video_tcav.media import Skipped


@dataclass(frozen=True, kw_only=True)
class TextMatch:
    """A window that is like a text.

    Attributes:
        path: the video.
        start_s: when the window begins.
        end_s: when it ends.
        rank: 1 for the window that is most like the text.
        score: cosine with the text, less the mean cosine with neutral prompts.
        word_p: share of the other words that the window is more like.
    """

    path: str
    start_s: float
    end_s: float
    rank: int
    score: float
    word_p: float


@dataclass(frozen=True, kw_only=True)
class TextSearch:
    """What was found of one text.

    Attributes:
        text: as it was asked for.
        concept: that its clips are proposed for.
        p_value: of its presence in these videos, if the text were one of the other words.
        p_adjusted: corrected for the number of texts (Holm).
        stands_out: whether that is at most 0.05. Nothing is proposed of a text that does not stand out.
        nearer_words: up to three of the other words that the text's best window is more like, the nearest first.
        matches: best first; of overlapping windows the best, and none that is as much like 5 % of the other words.
        added: clips that are new in the bank.
    """

    text: str
    concept: str
    p_value: float
    p_adjusted: float
    stands_out: bool
    nearer_words: tuple[str, ...]
    matches: tuple[TextMatch, ...]
    added: int = 0

    def sentence(self) -> str:
        """What was found, in one line."""
        compared = f"p {p_equals(self.p_adjusted)} among other words"
        if not self.stands_out:
            return f"Nothing in these videos stands out for “{self.text}” ({compared}): nothing was proposed."
        if not self.matches:
            return f"“{self.text}” stands out in these videos as a whole ({compared}), but in no window by itself."
        nearer = f" That one is more like “{'”, “'.join(self.nearer_words)}”." if self.nearer_words else ""
        count = "1 window" if len(self.matches) == 1 else f"{len(self.matches)} windows"
        best = f"the best at {self.matches[0].score:+.3f}"
        return f"“{self.text}”: {count} ({compared}), {best}.{nearer}"


@dataclass(frozen=True, kw_only=True)
class TextProposals(ItemSequence[TextSearch]):
    """What a search by words proposed.

    Attributes:
        searches: one a text.
        encoder: its name.
        windows: how many windows were compared.
        videos: of how many videos.
        words: how many other words there were.
        skipped: videos that could not be used, and why.
    """

    FIELD: ClassVar[str] = "searches"
    searches: tuple[TextSearch, ...]
    encoder: str
    windows: int
    videos: int
    words: int
    skipped: tuple[Skipped, ...] = field(default=())

    @property
    def clips(self) -> int:
        """Clips that are new in the bank."""
        return sum(search.added for search in self.searches)

    def sentences(self) -> tuple[str, ...]:
        """One line a text."""
        return tuple(search.sentence() for search in self.searches)

    def to_frame(self) -> pd.DataFrame:
        """One row a match."""
        columns = ["text", "p_adjusted", *(column.name for column in fields(TextMatch))]
        rows = [
            {"text": search.text, "p_adjusted": search.p_adjusted, **vars(match)}
            for search in self.searches
            for match in search.matches
        ]
        return pd.DataFrame(rows, columns=columns)
