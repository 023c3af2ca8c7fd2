"""Verdicts and tables of a run, made of its finished analyses, tests of texts and audits; with them it is finished."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from video_tcav.core.files import write_json
from video_tcav.core.provenance import provenance
from video_tcav.core.tables import write_csv, write_parquet
from video_tcav.experiments.analyses import Analysis, load_analysis
from video_tcav.experiments.audits import load_model_audit
from video_tcav.experiments.clips import ClipSets, left_out_of
from video_tcav.experiments.measured_pairs import paired_rows, pairs_frame, pairs_records
from video_tcav.experiments.run_context import RunContext
from video_tcav.experiments.text_tests import load_text_test
from video_tcav.experiments.verdicts import judge
from video_tcav.experiments.witnesses import three_witnesses, witnesses_frame
from video_tcav.media.used_steps import used_steps


def write_verdicts(context: RunContext, clips: ClipSets) -> None:
    """Write verdicts and the tables of all analyses; last, that the run is finished."""
    directory, experiment = context.directory, context.experiment
    analyses = [load_analysis(folder) for folder in context.analyses.values()]
    audits = [load_model_audit(folder) for folder in context.audits.values()]
    texts = [load_text_test(folder) for folder in context.texts.values()]
    by_model = {audit.model: audit.result for audit in audits}
    lines = [context.file.line(("hypotheses", number)) for number in range(len(experiment.hypotheses))]
    outcomes = [vars(outcome) for outcome in judge(experiment, analyses, lines, by_model, texts)]
    _write_tables(directory.path, "hypotheses", pd.DataFrame(outcomes))
    write_json(directory.path / "hypotheses.json", outcomes)
    # An experiment without concepts has no such tables, rather than empty ones that look like a run without results.
    if analyses:
        _write_analyses(directory.path, analyses)
    if rows := paired_rows(analyses):
        _write_tables(directory.path, "pairs", pairs_frame(rows))
        write_json(directory.path / "pairs.json", pairs_records(analyses))
    if audits:
        _write_tables(directory.path, "audit", pd.concat([audit.to_frame() for audit in audits], ignore_index=True))
    if texts:
        _write_tables(directory.path, "text_results", pd.concat([test.to_frame() for test in texts], ignore_index=True))
    # from what the folders hold, as `Run.witnesses` is, so that both say the same
    if witnesses := three_witnesses(experiment, analyses, by_model):
        _write_tables(directory.path, "witnesses", witnesses_frame(witnesses))
        write_json(directory.path / "witnesses.json", [asdict(each) for each in witnesses])
    # Last: with `finished` and all digests the run is complete, and a killed one is resumed up to here.
    record = {name: value for name, value in directory.record().items() if name not in ("format", "digest")}
    models = [analysis.record["provenance"].get("model") for analysis in analyses]
    models += [each.result.provenance["model"] for each in (*audits, *texts)]
    made_by = provenance(models=models)
    facts = {"lines": lines, "provenance": made_by, "left_out": left_out_of(experiment, context.file)}
    facts["steps"] = {
        name: asdict(used_steps(clips.sources(), model.clip_spec)) for name, model in context.models.items()
    }
    directory.write_record(**{**record, **facts, "digests": directory.digests(), "finished": True})


def _write_analyses(folder: Path, analyses: Sequence[Analysis]) -> None:
    """The tables of all analyses together."""
    results = pd.concat([analysis.to_frame() for analysis in analyses], ignore_index=True)
    _write_tables(folder, "results", results)
    edits = pd.concat([analysis.interventions_frame() for analysis in analyses], ignore_index=True)
    _write_tables(folder, "interventions", edits)
    frames = []
    for analysis in analyses:
        frame = pd.read_parquet(analysis.folder / "clip_effects.parquet")
        for position, name in enumerate(("model", "space", "test")):
            frame.insert(position, name, getattr(analysis.which, name))
        frames.append(frame)
    _write_tables(folder, "clip_effects", pd.concat(frames, ignore_index=True))


def _write_tables(folder: Path, name: str, frame: pd.DataFrame) -> None:
    write_parquet(folder / f"{name}.parquet", frame)
    write_csv(folder / f"{name}.csv", frame)
