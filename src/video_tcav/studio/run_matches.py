"""Runs matched to concepts of the bank by the digests of their clips, and whether these are still the bank's.

Names are not enough: a concept may have been renamed, or another one given its name.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from video_tcav.concepts.bank import BankClip, ConceptBank
from video_tcav.core.escaping import well_formed
from video_tcav.studio.runs import Row, Run, RunList

MOST_ROWS = 2000  # that one page shows: browsers become slow beyond


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


class ConceptClips:
    """The bank's clips and their digests by concept."""

    def __init__(self, clips: Iterable[BankClip], concepts: Iterable[str]) -> None:
        self._by_concept: dict[str, list[BankClip]] = {name: [] for name in concepts if name}
        for clip in clips:
            if clip.concept:
                self._by_concept.setdefault(clip.concept, []).append(clip)
        self._digests = {name: {clip.digest for clip in clips} for name, clips in self._by_concept.items()}

    @classmethod
    def of(cls, bank: ConceptBank) -> "ConceptClips":
        """The clips of a bank now."""
        return cls(bank.clips(), [count.name for count in bank.concepts()])

    def match(self, name: str, digests: Sequence[str | None]) -> Match | None:
        """The concept that holds most clips of the run's concept; of that name in a tie, or where none holds any."""
        run_digests = {digest for digest in digests if digest is not None}
        shared = {concept: len(run_digests & digests) for concept, digests in self._digests.items()}
        best = max(shared, key=lambda concept: (shared[concept], concept == name), default=None)
        if best is None or (not shared[best] and name not in self._by_concept):
            return None
        if not shared[best]:
            return Match(concept=name, by_clips=False, used=len(digests), accepted=0, since=0)
        clips = self._by_concept[best]
        kinds = {clip.kind for clip in clips if clip.digest in run_digests}
        accepted = {clip.digest for clip in clips if clip.verdict == "accepted" and clip.kind in kinds}
        unreadable = sum(digest is None for digest in digests)  # by the run either
        return Match(
            concept=best,
            by_clips=True,
            used=len(run_digests) + unreadable,
            accepted=len(accepted & run_digests),
            since=len(accepted - run_digests),
        )


def list_payload(listed: RunList, bank: ConceptBank) -> dict[str, Any]:
    """All runs in short, and their results for each concept of the bank."""
    # without runs, not all clips need to be read
    concept_clips = ConceptClips.of(bank) if listed.runs else ConceptClips((), ())
    by_concept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in listed.runs:
        for name in _concepts(run):
            match = concept_clips.match(name, run.clips.get(name, ()))
            if match is not None:
                by_concept[match.concept] += [
                    {"run": run.id, "run_name": well_formed(run.name), "model": run.model, "as": name}
                    | _match_payload(match)
                    | strongest
                    for strongest in _strongest(run, name)
                ]
    return {
        "runs": [_short(run) for run in listed.runs],
        "problems": [well_formed(line) for line in listed.problems],
        "concepts": by_concept,
    }


def run_payload(run: Run, bank: ConceptBank) -> dict[str, Any]:
    """Everything that a run's page shows."""
    concept_clips = ConceptClips.of(bank)
    matches = {name: concept_clips.match(name, run.clips.get(name, ())) for name in _concepts(run)}
    return _short(run) | {
        "warnings": list(run.warnings),
        "matches": {
            name: _match_payload(match) | {"concept": match.concept} for name, match in matches.items() if match
        },
        "rows": run.rows[:MOST_ROWS],
        "left_out": max(0, len(run.rows) - MOST_ROWS),
    }


def _short(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": well_formed(run.name),
        "created": run.created,
        "model": run.model,
        "targets": sorted({row["target"] for row in run.rows}),
        "concepts": _concepts(run),
        "report": run.report is not None,
        "results": len(run.rows),
    }


def _concepts(run: Run) -> list[str]:
    return list(dict.fromkeys(row["concept"] for row in run.rows))


def _match_payload(match: Match) -> dict[str, Any]:
    return {name: value for name, value in vars(match).items() if name != "concept"} | {"stale": match.stale}


def _strongest(run: Run, concept: str) -> list[dict[str, Any]]:
    """For each target of the run: the concept's largest effect where a layer represents it, and its motion effect there."""
    of_concept = [row for row in run.rows if row["concept"] == concept and row["versus"] == "random"]
    results = []
    for target in dict.fromkeys(row["target"] for row in of_concept):
        rows = [row for row in of_concept if row["target"] == target and row["twin"] == "none"]
        represented = [row for row in rows if row["represented"] and row["effect"] is not None]
        best = max(represented, key=lambda row: abs(row["effect"]), default=None)
        motion = (row for row in of_concept if best and row["twin"] == "motion" and _same_question(row, best))
        results.append({"target": target, "layers": len(rows), "best": best, "motion": next(motion, None)})
    return results


def _same_question(first: Row, second: Row) -> bool:
    return all(first[name] == second[name] for name in ("target", "layer", "against", "at"))
