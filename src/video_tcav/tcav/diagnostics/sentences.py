"""Diagnostics in plain sentences."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Protocol, TypeVar

from video_tcav.tcav.diagnostics.consistency import Consistency
from video_tcav.tcav.diagnostics.diagnose import Diagnostics
from video_tcav.tcav.diagnostics.entanglement import Entanglement
from video_tcav.tcav.diagnostics.stability import PoolSensitivity, SplitHalf
from video_tcav.tcav.wording import comparison_name

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


class _Placed(Protocol):
    @property
    def concept(self) -> str: ...

    @property
    def versus(self) -> str: ...


Row = TypeVar("Row", bound=_Placed)


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
        f"{_name(some[0])}: the CAV at {_layers(some)} is more noise than signal (other clips of the same number would give "
        f"one of cosine {min(row.full_size_cosine for row in some):.2f} to it at worst). Add clips before reading it as a "
        "direction."
        for some in _by_comparison(rows)
    ]


def _is_entangled(row: Entanglement) -> bool:
    distance = abs(row.cosine - row.reference)
    reach = row.reference_high - row.reference if row.cosine > row.reference else row.reference - row.reference_low
    return distance > max(ENTANGLED_COSINE, ENTANGLED_RANGES * reach)


def _entangled(rows: Sequence[Entanglement]) -> list[str]:
    found = []
    for (one, other, alike), some in groupby(
        sorted(rows, key=_pair), key=_pair
    ):  # alike and opposed are different troubles
        members = list(some)
        worst = max(members, key=lambda row: abs(row.cosine - row.reference))
        how = "more alike" if alike else "more opposed"
        found.append(
            f"{one} and {other}: their CAVs at {_layers(members)} are {how} than those of unrelated concepts with the same "
            f"random clips (cosine {worst.cosine:.2f}, expected {worst.reference:.2f}). An effect of one may be due to the "
            "other."
        )
    return found


def _pair(row: Entanglement) -> tuple[str, str, bool]:
    return row.concept, row.other_concept, row.cosine > row.reference


def _pool(rows: Sequence[PoolSensitivity]) -> list[str]:
    return [
        f"{_name(some[0])}: the effect at {_layers(some)} depends more on which random clips were used than on concept and "
        "class clips. Add random clips."
        for some in _by_comparison(rows)
    ]


def _disagreeing(rows: Sequence[Consistency]) -> list[str]:
    found = []
    for some in _by_comparison(rows):
        worst = min(some, key=lambda row: row.correlation)
        found.append(
            f"{_name(some[0])}: layers {worst.layer} and {worst.other_layer} do not agree on which clips show more of it "
            f"(correlation {worst.correlation:.2f}, the lowest of {len(some)} such pairs; {worst.reference:.2f} for relabelled "
            "clips). It may be another thing at each layer, the CAVs may be too noisy, or all clips show as much of it."
        )
    return found


def _name(row: _Placed) -> str:
    return comparison_name(row.concept, row.versus)


def _by_comparison(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of each comparison together, in order of first appearance."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.concept, row.versus), []).append(row)
    return list(found.values())


def _layers(rows: Sequence[SplitHalf | Entanglement | PoolSensitivity]) -> str:
    return ", ".join(dict.fromkeys(row.layer for row in rows))
