"""The sample run with audits, written by hand: swapped clips follow the scene, and what is lost without it is known."""

import json
import math
from dataclasses import replace

import pandas as pd

from tests.unit.auditing.result_by_hand import audited
from tests.unit.reports.sample_run import Sample, write_run
from video_tcav.auditing.result_files import save_audit
from video_tcav.core.files import write_json
from video_tcav.experiments import load_run

CLAIM = {"background_bias": {"at_most": 0.2}, "model": "first net"}


def write_audited(folder, *, concepts=True):
    """The sample run with an audit of both its models; without concepts, with the audit alone."""
    run = write_run(folder, Sample(previews=1, shown=0, effects={"court": 3.0}))
    result = audited({"swap": ["walk"] * 20 + ["run"] * 20}, log_odds={"original": [5] * 40})
    for number, model in enumerate(run.experiment.models, start=1):
        place = folder / "audits" / f"{number:03d}-net"
        place.mkdir(parents=True)
        save_audit(place, replace(result, model=model))
        write_json(place / "model.json", {"model": model})
        _rename_class(place)
    record = json.loads((folder / "run.json").read_text())
    outcome = replace(
        run.outcomes[1],
        name="no shortcut",
        claim="at most 20 % of the swapped clips are taken for the scene's class",
        kind="background_bias",
        reason="the share is 100 %",
        target="",
        concept="",
        layer="",
        expect="at most",
        margin=0.2,
        effect=1.0,
        effect_low=0.9,
        effect_high=1.0,
        p_value=math.nan,
        p_adjusted=math.nan,
        equivalence_p_adjusted=1.0,
        beyond_p_adjusted=0.0002,
        unit="of the swapped clips",
    )
    outcomes = [*run.outcomes, outcome] if concepts else [outcome]
    about = {"concept": "court", "target": "playing tennis"}
    experiment = record["experiment"] | {"audit": {"clips": "clips", "witnesses": {"court": "scene"}}}
    experiment["hypotheses"] = [{"matters": about, "model": "first net"}, CLAIM]
    if not concepts:
        experiment |= {"targets": {}, "concepts": {}, "random": None, "hypotheses": [CLAIM]}
        experiment["audit"] = {"clips": "clips"}
        for path in sorted((folder / "analyses").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    write_json(folder / "run.json", record | {"experiment": experiment})
    write_json(folder / "hypotheses.json", [vars(each) for each in outcomes])
    return load_run(folder)


def _rename_class(folder):
    """Call the class of the audit's first clips as the sample calls its class."""
    results, answers = folder / "results.json", pd.read_parquet(folder / "answers.parquet")
    results.write_text(results.read_text().replace('"run"', '"playing tennis"'))
    answers.replace("run", "playing tennis").to_parquet(folder / "answers.parquet")
