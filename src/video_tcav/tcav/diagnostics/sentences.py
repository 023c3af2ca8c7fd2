"""Warnings of the diagnostics, in plain sentences."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TypeVar

from video_tcav.tcav.diagnostics.consistency import Consistency
from video_tcav.tcav.diagnostics.diagnose import Diagnostics
from video_tcav.tcav.diagnostics.entanglement import Entanglement
from video_tcav.tcav.diagnostics.stability import PoolSensitivity, SplitHalf

STABLE_COSINE = 0.5
"""Of the full-size CAV: below it, more than half of the CAV's squared length is noise."""
ENTANGLED_COSINE = 0.3
"""Distance from the reference that is worth a warning: 0.3² is about a tenth of the squared length in common."""
ENTANGLED_RANGES = 1.5
"""And half again as far from it as the 95 % range reaches, some three standard deviations: many pairs and layers are
looked at, and one unrelated pair in twenty leaves the range itself."""
POOL_SHARE = 0.5
"""Of the effect's variance: above it, the choice of random clips matters more than concept and class clips together."""
POOL_RELATIVE_STD = math.sqrt(POOL_SHARE) / (2 * 1.96)
"""The same as a fraction of the 95 % interval's width, which is 2 · 1.96 standard deviations."""
AGREEING_CORRELATION = 0.3
"""Below it, one layer accounts for less than a tenth (0.3²) of the differences between clips of one kind at the other."""


KeyedRow = TypeVar("KeyedRow", SplitHalf, PoolSensitivity, Consistency)


def warnings(diagnostics: Diagnostics) -> tuple[str, ...]:
    """What a reader must beware of, one sentence a concept (or pair of concepts) and kind of trouble.

    The thresholds are `STABLE_COSINE`, `ENTANGLED_COSINE`, `ENTANGLED_RANGES`, `POOL_SHARE` and `AGREEING_CORRELATION`.
    """
    return (
        *_unstable([row for row in diagnostics.split_half if row.full_size_cosine < STABLE_COSINE]),
        *_entangled([row for row in diagnostics.entanglement if _is_entangled(row)]),
        *_pool([row for row in diagnostics.pool_sensitivity if row.relative_std > POOL_RELATIVE_STD]),
        *_disagreeing([row for row in diagnostics.consistency if row.correlation < AGREEING_CORRELATION]),
    )


def _unstable(rows: Sequence[SplitHalf]) -> list[str]:
    return [
        f"{name}: the CAV at {_layers(members)} is more noise than signal (other clips of the same number would give "
        f"one of cosine {min(row.full_size_cosine for row in members):.2f} to it at worst). Add clips before reading it as a "
        "direction."
        for name, members in _by_comparison(rows)
    ]


def _is_entangled(row: Entanglement) -> bool:
    distance = abs(row.cosine - row.reference)
    # from the reference to that end of its range which lies on the cosine's side
    reach = row.reference_high - row.reference if row.cosine > row.reference else row.reference - row.reference_low
    return distance > max(ENTANGLED_COSINE, ENTANGLED_RANGES * reach)


def _entangled(rows: Sequence[Entanglement]) -> list[str]:
    texts = []
    for (concept, other_concept, alike), group in groupby(sorted(rows, key=_entangled_pair), key=_entangled_pair):
        members = list(group)
        worst = max(members, key=lambda row: abs(row.cosine - row.reference))
        how = "more alike" if alike else "more opposed"
        layers = ", ".join(dict.fromkeys(row.layer for row in members))
        texts.append(
            f"{concept} and {other_concept}: their CAVs at {layers} are {how} than those of unrelated concepts with the same "
            f"random clips (cosine {worst.cosine:.2f}, expected {worst.reference:.2f}). An effect of one may be due to the "
            "other."
        )
    return texts


def _entangled_pair(row: Entanglement) -> tuple[str, str, bool]:
    """Alike and opposed are different troubles, and get a sentence each."""
    return row.concept, row.other_concept, row.cosine > row.reference


def _pool(rows: Sequence[PoolSensitivity]) -> list[str]:
    return [
        f"{name}: the effect at {_layers(members)} depends more on which random clips were used than on concept and "
        "class clips. Add random clips."
        for name, members in _by_comparison(rows)
    ]


def _disagreeing(rows: Sequence[Consistency]) -> list[str]:
    texts = []
    for name, members in _by_comparison(rows):
        worst = min(members, key=lambda row: row.correlation)
        texts.append(
            f"{name}: layers {worst.key.layer} and {worst.other_layer} do not agree on which clips show more of it "
            f"(correlation {worst.correlation:.2f}, the lowest of {len(members)} such pairs; {worst.reference:.2f} for permuted "
            "labels). It may be another thing at each layer, the CAVs may be too noisy, or all clips show as much of it."
        )
    return texts


def _by_comparison(rows: Sequence[KeyedRow]) -> list[tuple[str, list[KeyedRow]]]:
    """Rows of each comparison together, in order of first appearance, with its name."""
    members: dict[str, list[KeyedRow]] = {}
    for row in rows:
        members.setdefault(row.key.comparison, []).append(row)
    return list(members.items())


def _layers(rows: Sequence[SplitHalf] | Sequence[PoolSensitivity]) -> str:
    return ", ".join(dict.fromkeys(row.key.layer for row in rows))
