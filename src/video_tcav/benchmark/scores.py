"""Scores of one method on the models of a benchmark: a table, JSON and CSV."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import pandas as pd

from video_tcav.core.errors import MethodError
from video_tcav.core.files import write_json
from video_tcav.core.tables import write_csv


class ModelScore(Protocol):
    """Measures of one method on one model, a dataclass; `note` says why the method does not apply to it, or is empty."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def note(self) -> str: ...


Score = TypeVar("Score", bound=ModelScore)


@dataclass(frozen=True, kw_only=True)
class BenchmarkScores(ABC, Generic[Score]):
    """One method on the models of a benchmark.

    Attributes:
        benchmark: name of the version, with the number of models where they are not all.
        method: its name.
        scores: one a model.
        provenance: versions of packages, platform and settings.
    """

    FILES: ClassVar[str]

    benchmark: str
    method: str
    scores: tuple[Score, ...]
    provenance: Mapping[str, Any]

    @abstractmethod
    def headline(self) -> dict[str, Any]:
        """The figures that stand first, by name."""

    def to_frame(self) -> pd.DataFrame:
        """One row a model."""
        return pd.DataFrame([asdict(score) for score in self.scores])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {
            "benchmark": self.benchmark,
            "method": self.method,
            **self.headline(),
            "scores": [asdict(score) for score in self.scores],
            "provenance": dict(self.provenance),
        }

    def write(self, folder: str | Path) -> None:
        """Write the scores as JSON and CSV, named after what is scored."""
        write_json(Path(folder) / f"{self.FILES}.json", self.to_dict())
        write_csv(Path(folder) / f"{self.FILES}.csv", self.to_frame())


def check_applies(method: str, scores: Sequence[ModelScore]) -> None:
    """Refuse a method that applies to no model.

    Raises:
        MethodError: with the reason of the first.
    """
    if all(score.note for score in scores):
        raise MethodError(
            f"`method` must apply to a model. Got none for {method}: {scores[0].note.rstrip('.')}. Choose another."
        )
