"""Benchmark of attribution methods on models with known causes: localisation, faithfulness, sanity."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings

import pandas as pd
from benchmarks.attribution_table.checks import TRUTH, MethodResult, check_method, check_truth
from benchmarks.attribution_table.concept_rows import concept_rows
from benchmarks.attribution_table.model_free import MODEL_FREE
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
    "deletion_gain_other_clips",
    "deletion_gain_model_free",
    "insertion",
    "insertion_gain",
    "insertion_gain_other_clips",
    "randomisation",
    "chance",
    "excess",
    "order_similarity",
    "shift_stability",
    "seconds_per_clip",
)
# By opponent: the column with the lower end of the gain in deletion, and the opponent in words.
GAIN_LOWS = {"elsewhere": "gain_low", "other_clips": "gain_other_clips_low", "model_free": "gain_model_free_low"}
OPPONENT_WORDS = {
    "elsewhere": "the same map elsewhere",
    "other_clips": "its maps of other clips",
    "model_free": "the best map that uses no model",
}


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
        """One row a rule and method: averages over the rule's models, with the gains over the opponents in deletion.

        `models` counts those with maps, `failed` those whose maps depend too little on the learned weights;
        `not_better_elsewhere`, `not_better_other_clips` and `not_better_model_free` those on which the maps are not shown to
        be better at deletion than themselves elsewhere, than those of other clips, and than the best one without a model.
        """
        table = self.to_frame()
        table["deletion_gain"] = table["deletion_elsewhere"] - table["deletion"]
        table["insertion_gain"] = table["insertion"] - table["insertion_elsewhere"]
        for check, sign in (("deletion", 1), ("insertion", -1)):
            table[f"{check}_gain_other_clips"] = sign * (table[f"{check}_other_clips"] - table[check])
        table["deletion_gain_model_free"] = table["model_free_deletion"] - table["deletion"]
        table["excess"] = table["randomisation"] - table["chance"]
        # No interval, as for a single clip, is no evidence either way: NaN compares as false.
        lost = {f"not_better_{name}": table[column] <= 0 for name, column in GAIN_LOWS.items()}
        grouped = table.assign(failed=table["fails"].eq(True), **lost).groupby(["rule", "method"], sort=False)
        averages = grouped[list(AVERAGED)].mean()
        counts = {name: grouped[name].sum() for name in ("failed", *lost)}
        return averages.assign(models=grouped["energy"].count(), **counts).reset_index()

    def verdicts(self) -> list[str]:
        """In words, for each method that has lost to an opponent on some model: to which, and by which rule."""
        sentences = []
        for method, rows in self.by_rule().groupby("method", sort=False):
            if method == TRUTH:
                continue
            for name, words in OPPONENT_WORDS.items():
                lost = rows[rows[f"not_better_{name}"] > 0]
                if len(lost):
                    rules = ", ".join(f"{rule} ({count} of {models})" for rule, count, models in
                                      zip(lost["rule"], lost[f"not_better_{name}"], lost["models"], strict=True))  # fmt: skip
                    sentences.append(f"{method} is not shown to be better than {words}: {rules}")
        return sentences

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
    """Run all methods, concept maps of the cause and maps that use no model, on models of the rendered world.

    Args:
        models: such as `rendered:r2plus1d-motion`; all of the package if not given.
        methods: by their names in the table; all, and the concept maps of the cause, with default settings if not given.
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
    chosen = {name: kind() for name, kind in MODEL_FREE.items()}
    chosen |= {**default_methods(), **concept_rows(seed)} if methods is None else methods
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
