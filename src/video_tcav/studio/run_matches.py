"""Runs matched to concepts of the bank by the digests of their clips, and whether these are still the bank's.

Names are not enough: a concept may have been renamed, or another one given its name.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from video_tcav.concepts.bank import BankClip, ConceptBank
from video_tcav.core.escaping import well_formed
from video_tcav.studio.runs import Row, Run, RunList

MOST_ROWS = 2000  # that one page shows: browsers become slow beyond


@dataclass(frozen=True, kw_only=True)
class Match:
    """A concept of a run and the concept of the bank that holds its clips."""

    concept: str  # of the bank
    by_clips: bool  # whether it holds clips of the run; else only the name is the same
    used: int  # clips that the run had for the concept
    accepted: int  # how many of these are accepted in the bank's concept now
    since: int  # accepted clips of the same kinds that the run did not have

    def payload(self) -> dict[str, Any]:
        """Its fields, and whether a test on the bank as it is now would be another one."""
        return asdict(self) | {"stale": self.accepted < self.used or self.since > 0}


class ConceptClips:
    """A bank's clips and their digests by concept, read on first use: without runs, they are not needed."""

    def __init__(self, bank: ConceptBank) -> None:
        self._bank = bank

    @cached_property
    def _by_concept(self) -> dict[str, list[BankClip]]:
        by_concept: dict[str, list[BankClip]] = {count.name: [] for count in self._bank.concepts() if count.name}
        for clip in self._bank.clips():
            if clip.concept:
                by_concept.setdefault(clip.concept, []).append(clip)
        return by_concept

    @cached_property
    def _digests(self) -> dict[str, set[str]]:
        return {name: {clip.digest for clip in clips} for name, clips in self._by_concept.items()}

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
    concept_clips = ConceptClips(bank)
    by_concept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in listed.runs:
        for name in _concepts(run):
            match = concept_clips.match(name, run.clips.get(name, ()))
            if match is not None:
                by_concept[match.concept] += [
                    {"run": run.id, "run_name": well_formed(run.name), "model": run.model, "as": name}
                    | match.payload()
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
    concept_clips = ConceptClips(bank)
    matches = {name: concept_clips.match(name, run.clips.get(name, ())) for name in _concepts(run)}
    return _short(run) | {
        "warnings": list(run.warnings),
        "matches": {name: match.payload() for name, match in matches.items() if match},
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
