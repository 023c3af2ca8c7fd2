"""Which concept of the bank a run has tested, and whether the bank's clips are still those of the run.

Names do not tell: a concept may have been renamed, or another one given its name. So the clips' digests decide.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from video_tcav.concepts.bank import BankClip, ConceptBank
from video_tcav.studio.payloads import sendable
from video_tcav.studio.runs import Found, Row, Run

MOST_ROWS = 2000


@dataclass(frozen=True, kw_only=True)
class Match:
    """A concept of a run and the concept of the bank that holds its clips.

    Attributes:
        concept: of the bank.
        by_clips: whether it holds clips of the run; else only the name is the same.
        used: clips that the run had for the concept.
        accepted: how many of these are accepted in the bank's concept now.
        since: accepted clips of the same kinds that the run did not have.
    """

    concept: str
    by_clips: bool
    used: int
    accepted: int
    since: int

    @property
    def stale(self) -> bool:
        """Whether a test on the bank as it is now would be another one."""
        return self.accepted < self.used or self.since > 0


class Holdings:
    """The bank's clips by digest and by concept."""

    def __init__(self, clips: Iterable[BankClip], concepts: Iterable[str]) -> None:
        self._by_concept: dict[str, list[BankClip]] = {name: [] for name in concepts if name}
        for clip in clips:
            if clip.concept:
                self._by_concept.setdefault(clip.concept, []).append(clip)
        self._digests = {name: {clip.digest for clip in clips} for name, clips in self._by_concept.items()}

    @classmethod
    def of(cls, bank: ConceptBank) -> "Holdings":
        """Those of a bank now."""
        return cls(bank.clips(), [one.name for one in bank.concepts()])

    def match(self, name: str, digests: Sequence[str | None]) -> Match | None:
        """The concept that holds most clips of the run's concept; of that name in a tie, or where none holds any."""
        known = {digest for digest in digests if digest is not None}
        shared = {concept: len(known & digests) for concept, digests in self._digests.items()}
        best = max(shared, key=lambda concept: (shared[concept], concept == name), default=None)
        if best is None or (not shared[best] and name not in self._by_concept):
            return None
        if not shared[best]:
            return Match(concept=name, by_clips=False, used=len(digests), accepted=0, since=0)
        clips = self._by_concept[best]
        kinds = {clip.kind for clip in clips if clip.digest in known}
        accepted = {clip.digest for clip in clips if clip.verdict == "accepted" and clip.kind in kinds}
        still, since = len(accepted & known), len(accepted - known)
        lost = sum(digest is None for digest in digests)  # could not be read by the run either
        used = len(known) + lost
        return Match(concept=best, by_clips=True, used=used, accepted=still, since=since)


def shelf_facts(found: Found, bank: ConceptBank) -> dict[str, Any]:
    """All runs in short, and for each concept of the bank what they found."""
    holdings = Holdings.of(bank) if found.runs else Holdings((), ())  # without runs, not all clips need to be read
    by_concept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in found.runs:
        for name in _concepts(run):
            match = holdings.match(name, run.clips.get(name, ()))
            if match is not None:
                by_concept[match.concept] += [
                    {"run": run.id, "run_name": sendable(run.name), "model": run.model, "as": name}
                    | _match_facts(match)
                    | one
                    for one in _strongest(run, name)
                ]
    return {
        "runs": [_short(run) for run in found.runs],
        "problems": [sendable(line) for line in found.problems],
        "concepts": by_concept,
    }


def run_facts(run: Run, bank: ConceptBank) -> dict[str, Any]:
    """Everything that a run's page shows."""
    holdings = Holdings.of(bank)
    matches = {name: holdings.match(name, run.clips.get(name, ())) for name in _concepts(run)}
    return _short(run) | {
        "warnings": list(run.warnings),
        "matches": {name: _match_facts(one) | {"concept": one.concept} for name, one in matches.items() if one},
        "rows": [_row_facts(row) for row in run.rows[:MOST_ROWS]],
        "left_out": max(0, len(run.rows) - MOST_ROWS),
    }


def _short(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": sendable(run.name),
        "created": run.created,
        "model": run.model,
        "targets": sorted({row.target for row in run.rows}),
        "concepts": _concepts(run),
        "report": run.report is not None,
        "results": len(run.rows),
    }


def _concepts(run: Run) -> list[str]:
    return list(dict.fromkeys(row.concept for row in run.rows))


def _match_facts(match: Match) -> dict[str, Any]:
    return {
        "by_clips": match.by_clips,
        "used": match.used,
        "accepted": match.accepted,
        "since": match.since,
        "stale": match.stale,
    }


def _strongest(run: Run, concept: str) -> list[dict[str, Any]]:
    """For each target of the run: the concept's largest effect where a layer represents it, and its motion effect there."""
    own = [row for row in run.rows if row.concept == concept and row.versus == "random"]
    found = []
    for target in dict.fromkeys(row.target for row in own):
        rows = [row for row in own if row.target == target and row.twin == "none"]
        seen = [row for row in rows if row.represented and row.effect is not None]
        best = max(seen, key=lambda row: abs(row.effect or 0), default=None)
        motion = next((row for row in own if best and row.twin == "motion" and _beside(row, best)), None)
        found.append(
            {
                "target": target,
                "layers": len(rows),
                "best": best and _row_facts(best),
                "motion": motion and _row_facts(motion),
            }
        )
    return found


def _beside(row: Row, other: Row) -> bool:
    return (row.target, row.layer, row.against, row.at) == (other.target, other.layer, other.against, other.at)


def _row_facts(row: Row) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.model_dump().items()
    }
