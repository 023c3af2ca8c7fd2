"""One row of the speed table."""

from dataclasses import dataclass
from typing import Literal

Part = Literal["passes", "end to end", "peers", "store"]


@dataclass(frozen=True, kw_only=True)
class SpeedRow:
    """Two implementations of the same work, timed by turns in one process.

    Attributes:
        part: of the table.
        model: and the size of its clips.
        what: was timed.
        against: what it is compared with.
        clips: passed in one measurement.
        rounds: how often each was timed; times are medians.
        seconds: of `what`.
        against_seconds: of `against`.
        effect_difference: largest difference of TCAV effects between the two, relative to the largest effect; `None` where
            effects are not compared.
        limit: of the ratio; `None` where there is none, or there are too few clips to judge.
    """

    part: Part
    model: str
    what: str
    against: str
    clips: int
    rounds: int
    seconds: float
    against_seconds: float
    effect_difference: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """How many times as long `against` takes."""
        return self.against_seconds / self.seconds
