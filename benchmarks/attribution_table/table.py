"""Benchmark of attribution methods on models with known causes: localisation, faithfulness, sanity."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings

import pandas as pd
from benchmarks.attribution_table.checks import MethodResult, check_method, check_truth
from joblib import Parallel, delayed

from video_tcav.attribution.method import Method
from video_tcav.attribution.methods import METHODS
from video_tcav.core.checks import at_least, one_of
from video_tcav.core.files import write_json
from video_tcav.core.progress import progress_bar
from video_tcav.core.provenance import provenance
from video_tcav.core.tables import write_csv
from video_tcav.rendered.models import rendered_names

# Columns that are averaged over the models of a rule.
AVERAGED = (
    "energy",
    "area",
    "lift",
    "pointing",
    "deletion",
    "deletion_gain",
    "insertion",
    "insertion_gain",
    "randomisation",
    "chance",
    "excess",
    "order_similarity",
    "shift_stability",
    "seconds_per_clip",
)


@dataclass(frozen=True, kw_only=True)
class AttributionBenchmark:
    """All methods on all models.

    Attributes:
        results: one a model and method, and one a model for the truth itself.
        provenance: versions, settings, models and methods.
    """

    results: tuple[MethodResult, ...]
    provenance: Mapping[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """One row a model and method."""
        return pd.DataFrame([asdict(result) for result in self.results])

    def by_rule(self) -> pd.DataFrame:
        """One row a rule and method: averages over the rule's models, with the gains over the same maps elsewhere.

        `models` counts those with maps, `failed` those whose maps depend too little on the learned weights.
        """
        table = self.to_frame()
        table["deletion_gain"] = table["deletion_elsewhere"] - table["deletion"]
        table["insertion_gain"] = table["insertion"] - table["insertion_elsewhere"]
        table["excess"] = table["randomisation"] - table["chance"]
        grouped = table.assign(failed=table["fails"].eq(True)).groupby(["rule", "method"], sort=False)
        averages = grouped[list(AVERAGED)].mean()
        return averages.assign(models=grouped["energy"].count(), failed=grouped["failed"].sum()).reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {"provenance": dict(self.provenance), "results": [asdict(result) for result in self.results]}

    def write(self, folder: str | Path) -> None:
        """Write `attribution.json` and `attribution.csv`."""
        root = Path(folder)
        write_json(root / "attribution.json", self.to_dict())
        write_csv(root / "attribution.csv", self.to_frame())


def default_methods() -> dict[str, Method]:
    """Every method with its default settings, by name."""
    return {name: method() for name, method in METHODS.items()}


def benchmark_attribution(
    models: Sequence[str] | None = None,
    methods: Mapping[str, Method] | None = None,
    *,
    clips: int = 24,
    seed: int = 0,
    progress: bool = False,
    jobs: int = 2,
) -> AttributionBenchmark:
    """Run all methods on models of the rendered world, whose causes are known.

    Args:
        models: such as `rendered:r2plus1d-motion`; all of the package if not given.
        methods: by their names in the table; all with default settings if not given.
        clips: explained for each model and method, each for its own class. Of slow methods, and for the checks, fewer are
            taken; each result says how many.
        seed: of the clips, the random weights and the moved maps.
        progress: whether to show a progress bar.
        jobs: processes.

    Raises:
        InputError: for a model that is not of the rendered world, or no clips.
    """
    at_least("clips", clips, 1)
    at_least("jobs", jobs, 1)
    available = [f"rendered:{name}" for name in rendered_names()]
    names = [one_of("model", name, available) for name in dict.fromkeys(models or available)]
    chosen = default_methods() if methods is None else dict(methods)
    tasks = [task for name in names for task in _tasks(name, chosen, clips, seed)]
    results = []
    with progress_bar("attribution (models × methods)", len(tasks), visible=progress) as advance, catch_warnings():
        filterwarnings("ignore", message="A worker stopped")  # joblib replaces one whose caches have grown
        for result in Parallel(n_jobs=jobs, return_as="generator")(tasks):
            results.append(result)
            advance(1)
    return AttributionBenchmark(
        results=tuple(results),
        provenance=provenance(
            settings={"clips": clips, "seed": seed},
            models=names,
            methods={name: repr(method) for name, method in chosen.items()},
        ),
    )


def _tasks(model: str, methods: Mapping[str, Method], clips: int, seed: int) -> list[Any]:
    """The truth, then each method, on one model."""
    return [
        delayed(check_truth)(model, clips=clips, seed=seed),
        *(delayed(check_method)(model, name, method, clips=clips, seed=seed) for name, method in methods.items()),
    ]
