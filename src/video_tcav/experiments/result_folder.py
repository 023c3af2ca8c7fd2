"""The folder of `test --out` as a run without hypotheses, so that reports and comparisons take both."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from video_tcav.core.errors import ExperimentError
from video_tcav.core.files import read_json
from video_tcav.experiments.analyses import (
    Analysis,
    AnalysisKey,
    StoredResult,
    effect_check_of,
    load_analysis,
    read_interventions,
)
from video_tcav.experiments.digests import DIGESTS, check_files, damage_reported
from video_tcav.experiments.file import INTERVENTIONS, RECORDING, STATISTICS, Experiment, Interventions, Statistics
from video_tcav.experiments.sections import Model
from video_tcav.tcav import ConceptResult

ANALYSIS = "analysis.json"
TEST_AGAIN = "Test again with --out."
_NO_DRAWS = np.empty(0)
# A test notes the clips themselves, not where they were found.
_CLIPS = "clips of the test"


def is_test_folder(folder: Path) -> bool:
    """Whether a folder holds the results of a test, and no run."""
    return (folder / "results.json").is_file() and not (folder / "run.json").exists()


def load_test(folder: Path) -> Analysis:
    """The analysis of a test; without draws, effects by clip and diagnostics where only `run_tcav(out=…)` wrote the folder.

    Raises:
        ExperimentError: if a file is missing or damaged.
    """
    if (folder / ANALYSIS).exists():
        with damage_reported(folder / DIGESTS, TEST_AGAIN):
            digests = dict(read_json(folder / DIGESTS))
        check_files(folder, digests, TEST_AGAIN)
        return load_analysis(folder)
    with damage_reported(folder, TEST_AGAIN):
        record = read_json(folder / "results.json")
        rows = pd.read_parquet(folder / "results.parquet").to_dict("records")
        results = [ConceptResult(**{str(name): value for name, value in row.items()}) for row in rows]
        if not results:
            raise ExperimentError(f"{folder}: a test must have results. Got none. {TEST_AGAIN}")
        stored = (StoredResult(result=each, by_clip=_NO_DRAWS, null=_NO_DRAWS, bootstrap=_NO_DRAWS) for each in results)
        return Analysis(
            which=key_of(results[0], record["provenance"]["model"]["name"]),
            folder=folder,
            found=tuple(stored),
            clips=(),
            class_groups=results[0].n_class_clips,
            has_group_weights=False,
            remarks=(),
            record=record,
            effect_check=effect_check_of(record),
            interventions=read_interventions(record),
        )


def key_of(result: ConceptResult, model: str) -> AnalysisKey:
    """What the analysis of a test is of."""
    return AnalysisKey(model=model, target=result.target, space=result.space, test=result.significance)


def experiment_of(analysis: Analysis) -> Experiment:
    """The question and the settings of a test as an experiment without hypotheses."""
    first, rows = analysis.found[0].result, [stored.result for stored in analysis.found]
    settings: Mapping[str, Any] = analysis.record["provenance"].get("settings") or {}
    draws = {each.name: settings[each.name] for each in STATISTICS if each.name in settings}
    asked = [each.name for each in RECORDING] + ["only_right", "group", "negatives", "seed"]
    noted = {name: settings[name] for name in asked if name in settings}
    edits = {each.name: settings[each.name] for each in INTERVENTIONS if each.name in settings}
    # Constructed, not validated: a file must have hypotheses, and names that are short enough for a heading.
    statistics = Statistics.model_construct(tests=(first.significance,), correction=first.correction, **draws)
    return Experiment.model_construct(
        title=f"What moves {first.target}?",
        model=Model.model_construct(spec=analysis.which.model),
        targets={first.target: _CLIPS if first.at == "class" else None},
        concepts={row.concept: _CLIPS for row in rows},
        random=_CLIPS,
        layers=tuple(dict.fromkeys(row.layer for row in rows)),
        spaces=(first.space,),
        against=first.against,
        at=first.at,
        twins=tuple(settings.get("twins", ())),
        cav=first.cav,
        statistics=statistics,
        interventions=Interventions.model_construct(**edits),
        hypotheses=(),
        **noted,
    )


def record_of(analysis: Analysis) -> dict[str, Any]:
    """What `run.json` of a run holds, as far as a test has it."""
    made_by = analysis.record["provenance"]
    return {"provenance": made_by, "model_digests": {analysis.which.model: (made_by.get("model") or {}).get("weights")}}
