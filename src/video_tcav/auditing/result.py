"""Result of an audit: versions, figures, Shapley shares, worst classes and telling clips; sentences and tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from video_tcav.auditing.answers import AuditAnswers
from video_tcav.auditing.coalitions import PLAYERS
from video_tcav.auditing.examples import AuditExample
from video_tcav.auditing.figures import AuditFigure, Share, VersionResult
from video_tcav.auditing.sentences import audit_sentences
from video_tcav.auditing.versions import ORIGINAL, SWAP
from video_tcav.core.displays import PlainText, draw, html_heading, html_list, html_table
from video_tcav.core.files import write_json
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.core.wording import percent, signed
from video_tcav.media import Skipped

if TYPE_CHECKING:  # figures are drawn above results
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class TellingClip:
    """A clip and a version of it that show what the figures say.

    Attributes:
        clip: number of the clip.
        version: name of the version.
        answer: class that the model says of the version.
        follows: whose class that is: of the `scene`, the `person`, or of `neither`.
        log_odds: of the clip's class in the version.
        log_odds_lost: that is less than in the clip as it is.
    """

    clip: int
    version: str
    answer: str
    follows: str
    log_odds: float
    log_odds_lost: float


@dataclass(frozen=True, kw_only=True, repr=False)
class AuditResult(ItemSequence[VersionResult]):
    """What a model needs: a sequence of `VersionResult`, those over all classes first.

    Attributes:
        model: its name.
        versions: each version over all classes, then of each.
        figures: single figures, likewise.
        shares: Shapley shares, likewise; none where they were not asked for.
        answers: what the model says of each version of each clip.
        masks: the source of masks; empty where none was needed.
        is_boxes: whether the masks are only boxes, which hold some of the scene.
        examples: small moving pictures of versions; none where no folder was given.
        skipped: clips that could not be used, and why.
        warnings: what a reader must know before believing the numbers.
        provenance: versions of packages, settings, digests of model and clips.
        seconds: time spent, by stage.
    """

    FIELD: ClassVar[str] = "versions"

    model: str
    versions: tuple[VersionResult, ...]
    figures: tuple[AuditFigure, ...]
    shares: tuple[Share, ...]
    answers: AuditAnswers = field(repr=False)
    masks: str
    is_boxes: bool
    examples: tuple[AuditExample, ...] = field(repr=False)
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    seconds: Mapping[str, float]

    def version(self, name: str, label: str | None = None) -> VersionResult | None:
        """The numbers of a version, of one class or over all; `None` if it was not asked for."""
        return next((row for row in self.versions if (row.version, row.label) == (name, label)), None)

    def figure(self, name: str, label: str | None = None) -> AuditFigure | None:
        """A single figure, of one class or over all; `None` if its versions were not asked for."""
        return next((each for each in self.figures if (each.name, each.label) == (name, label)), None)

    def shares_of(self, label: str | None = None) -> tuple[Share, ...]:
        """The shares of all players, of one class or over all; none if they were not asked for."""
        return tuple(share for share in self.shares if share.label == label)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of its clips."""
        return tuple(dict.fromkeys(row.label for row in self.versions if row.label is not None))

    def worst_classes(self, most: int = 5) -> tuple[str, ...]:
        """Classes by SBErr, the highest first; by accuracy, the lowest first, where nothing was swapped."""
        by_error = {label: figure.value for label in self.labels if (figure := self.figure("sb_err", label))}
        if by_error:
            ranked = sorted(
                by_error, key=lambda label: -by_error[label] if by_error[label] == by_error[label] else math.inf
            )
            return tuple(ranked[:most])
        rows = {label: row.accuracy for label in self.labels if (row := self.version(ORIGINAL.name, label))}
        return tuple(sorted(rows, key=lambda label: rows[label])[:most])

    def telling(self, most: int = 10) -> tuple[TellingClip, ...]:
        """Clips that show what the figures say: swaps by what the model says of them, most of all those that most do.

        Without swaps, clips of the version that costs most log-odds. Only clips that the model is right about as they are.

        Args:
            most: how many.
        """
        name = self._telling_version()
        if name is None:
            return ()
        answers, original = self.answers.versions[name], self.answers.versions[ORIGINAL.name]
        lost = original.log_odds - answers.log_odds
        candidates = np.flatnonzero(answers.passed & original.right)
        astray = [int(n) for n in candidates if not answers.right[n]]
        faithful = [int(n) for n in candidates if answers.right[n]]
        # first those that lost most, or that are surest of the person all the same
        astray.sort(key=lambda n: -lost[n])
        faithful.sort(key=lambda n: -answers.log_odds[n])
        first, second = (astray, faithful) if len(astray) >= len(faithful) else (faithful, astray)
        few = min(len(second), most * 3 // 10)  # three of ten that show the contrary, where there are any
        chosen = first[: most - few] + second[:few]
        return tuple(self._telling(number, name) for number in chosen)

    def _telling_version(self) -> str | None:
        """The swap, or else the version that costs most."""
        rows = [row for row in self.versions if row.label is None and row.version != ORIGINAL.name]
        if any(row.version == SWAP.name and row.n_clips for row in rows):
            return SWAP.name
        return max(rows, key=lambda row: row.log_odds_lost).version if rows else None

    def _telling(self, number: int, name: str) -> TellingClip:
        answers, original = self.answers.versions[name], self.answers.versions[ORIGINAL.name]
        follows = "person" if answers.right[number] else "scene" if answers.says_lender[number] else "neither"
        return TellingClip(
            clip=number,
            version=name,
            answer=self.answers.classes[answers.predicted[number]],
            follows=follows,
            log_odds=float(answers.log_odds[number]),
            log_odds_lost=float(original.log_odds[number] - answers.log_odds[number]),
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a version, over all classes and of each."""
        return pd.DataFrame([asdict(row) for row in self.versions], columns=[f.name for f in fields(VersionResult)])

    def figure_frame(self) -> pd.DataFrame:
        """One row a single figure or share, over all classes and of each."""
        shares = [
            {
                "name": f"share_{each.player}",
                "label": each.label,
                "value": each.share,
                "low": each.low,
                "high": each.high,
            }
            | {"n_clips": each.n_clips}
            for each in self.shares
        ]
        return pd.DataFrame([*map(asdict, self.figures), *shares], columns=[f.name for f in fields(AuditFigure)])

    def sentences(self) -> tuple[str, ...]:
        """What was found, in plain words."""
        return tuple(audit_sentences(self))

    def summary(self) -> str:
        """Plain sentences, then what to beware of."""
        return PlainText("\n".join([*self.sentences(), *(f"Caution: {text}" for text in self.warnings)]))

    def plot(self) -> "Figure":
        """Accuracy of each version with its interval, as a matplotlib figure."""
        return draw("versions_figure", self)

    def __repr__(self) -> str:
        shares = ", ".join(f"{each.player} {each.share:.0%}" for each in self.shares_of() if each.share == each.share)
        return f"<AuditResult of {self.model}: {len(self.answers.clips)} clips{', ' if shares else ''}{shares}>"

    def _repr_html_(self) -> str:
        columns = ("version", "right", "95 %", "log-odds lost")
        rows = [
            [
                row.version,
                percent(row.accuracy),
                f"{percent(row.accuracy_low)} to {percent(row.accuracy_high)}",
                signed(row.log_odds_lost),
            ]
            for row in self.versions
            if row.label is None
        ]
        return (
            html_heading(f"What {self.model} needs")
            + html_list(self.sentences())
            + html_table(columns, rows, numbers=columns[1:])
            + html_list(self.warnings, prefix="⚠ ")
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file; without the answers to each clip, and without examples."""
        shares = {share.player: share.share for share in self.shares_of()}
        figures = {figure.name: figure.value for figure in self.figures if figure.label is None}
        return {
            "provenance": {**self.provenance, "seconds": dict(self.seconds)},
            "model": self.model,
            "masks": self.masks,
            "is_boxes": self.is_boxes,
            "sentences": list(self.sentences()),
            "warnings": list(self.warnings),
            "skipped": [asdict(skipped) for skipped in self.skipped],
            # of players that no mask tells, and where there is nothing to share out: null
            "shares": {player: shares.get(player, math.nan) for player in PLAYERS},
            "sh_acc": figures.get("sh_acc", math.nan),
            "sb_err": figures.get("sb_err", math.nan),
            "versions": [asdict(row) for row in self.versions],
            "figures": [asdict(figure) for figure in self.figures],
            "share_rows": [asdict(share) for share in self.shares],
            "worst_classes": list(self.worst_classes()),
            "telling": [asdict(clip) for clip in self.telling()],
            "classes": list(self.answers.classes),
            "clips": self._clip_rows(),
        }

    def _clip_rows(self) -> Sequence[dict[str, Any]]:
        return [
            {**asdict(clip), "has_object": bool(has_object)}
            for clip, has_object in zip(self.answers.clips, self.answers.clip_objects, strict=True)
        ]

    def to_json(self, path: str | Path) -> None:
        """Write everything but the answers to each clip, and the examples, as JSON."""
        write_json(Path(path), self.to_dict())
