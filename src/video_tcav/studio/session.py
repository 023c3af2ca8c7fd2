"""A session of review: the bank, who reviews it and how, and the videos that clips may be cut from."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from video_tcav.concepts.bank import BankClip, ConceptBank, ConceptCount
from video_tcav.studio.sample_size import Need

if TYPE_CHECKING:  # the page must not wait for torch
    from video_tcav.proposals.text_rank import TextRank


@dataclass(kw_only=True)
class Session:
    """What all requests share.

    Attributes:
        bank: what is reviewed.
        need: what makes a concept ready for a test.
        reviewer: who reviews; empty for nobody in particular.
        blind: whether verdicts and notes of others are hidden.
        videos: that clips may be cut from, beside the sources of the bank's clips.
        rank: ranks clips by words; `None` without an encoder of texts.
    """

    bank: ConceptBank
    need: Need = field(default_factory=Need)
    reviewer: str = ""
    blind: bool = False
    videos: Sequence[Path] = ()
    rank: "TextRank | None" = None

    @property
    def view(self) -> str | None:
        """Whose verdicts are shown: the reviewer's own in a blind pass, else those that stand (`None`)."""
        return self.reviewer if self.blind else None

    def clips(self, **options: Any) -> list[BankClip]:
        """Clips of the bank, with the verdicts that this session shows."""
        return self.bank.clips(reviewer=self.view, **options)

    def count(self, **filters: Any) -> int:
        """How many clips pass, by the verdicts that this session shows."""
        return self.bank.count(reviewer=self.view, **filters)

    def concepts(self) -> list[ConceptCount]:
        """Concepts by number, each tube counted once."""
        counts = self.bank.concepts(tubes=True, reviewer=self.view)
        return sorted(counts, key=lambda count: count.number)

    def source_videos(self) -> Mapping[str, Path]:
        """Paths of the videos that clips may be cut from, by what names them in an address."""
        paths = dict.fromkeys([*map(Path, self.bank.videos()), *self.videos])
        return {video_key(path): path for path in paths}


def video_key(path: Path) -> str:
    """What names a video in an address."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
