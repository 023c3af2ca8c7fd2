"""Effects, verdicts and charts in the trackers' own files, read back by the trackers' own readers."""

import csv
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import video_tcav as vt
from tests.unit.reports.sample_audit import write_audited
from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.experiments import Run
from video_tcav.integrations import Tracker, log_to
from video_tcav.integrations.log_record import LogRecord

EFFECT = "tcav/right/moves-right/stages.2/effect"
VERDICT = "tcav/verdict/colour_ no matter_"


def effect_of(run: Run) -> float:
    stored = run.analyses[0].get("moves-right", "stages.2")
    assert stored is not None
    return stored.result.effect


def test_a_record_has_every_effect_with_its_interval_and_every_verdict(run):
    record = LogRecord.of(run)
    names = {f"right/{concept}/stages.{n}/effect" for concept in ("moves-right", "green") for n in (1, 2)}
    assert {name for name in record.numbers if name.endswith("/effect")} == names
    assert record.numbers["right/moves-right/stages.2/effect"] == effect_of(run)
    low, high = (record.numbers[f"right/moves-right/stages.2/effect_{end}"] for end in ("low", "high"))
    assert low < effect_of(run) < high
    assert [row[0] for row in record.rows] == [outcome.verdict for outcome in run.outcomes]
    assert [*record.charts] == ["effects-right"]


def test_a_record_has_the_figures_of_audits(tmp_path):
    record = LogRecord.of(write_audited(tmp_path, concepts=False))
    assert record.numbers["audit/first net/sb_err"] == 1
    assert record.numbers["audit/second net/swap/accuracy"] == 0
    assert record.verdicts == {"no shortcut": "contradicted"}
    assert not record.charts


def test_a_test_in_memory_is_logged_with_its_sentences(shapes):
    result = vt.run_tcav(
        vt.load_model(shapes.build(), classes=[*shapes.DIRECTIONS], device="cpu"),
        target="right",
        clips=shapes.render(["right"] * 4, seed=1),
        concepts={"green": shapes.render(["up"] * 6, seed=2, green=True)},
        random=shapes.render(["up"] * 8, seed=3, green=False),
        layers=["stages.2"],
        permutations=19,
        bootstraps=20,
    )
    record = LogRecord.of(result)
    assert record.numbers["right/green/stages.2/effect"] == result.results[0].effect
    assert record.rows == [(sentence,) for sentence in vt.sentences(result)]
    assert [*record.charts] == ["effects-right"]
    assert not record.verdicts


def test_a_tracker_of_ones_own(run):
    class Kept(Tracker):
        def __init__(self):
            self.numbers, self.words = {}, {}

        def log_numbers(self, numbers, step):
            self.numbers |= {name: (step, value) for name, value in numbers.items()}

        def log_words(self, verdicts):
            self.words |= verdicts

    kept = Kept()
    log_to(run, kept, step=7, prefix="why")
    assert kept.numbers["why/right/moves-right/stages.2/effect"] == (7, effect_of(run))
    assert kept.words["why/colour_ no matter_"] == run.outcomes[1].verdict


@pytest.mark.parametrize("form", ["folder", "writer"])
def test_tensorboard_event_files(run, tmp_path, form):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    for step in (3, 6):
        log_to(run, f"tensorboard:{tmp_path}" if form == "folder" else SummaryWriter(str(tmp_path)), step=step)
    events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0}).Reload()
    assert [(each.step, each.value) for each in events.Scalars(EFFECT)] == [
        (3, np.float32(effect_of(run))),
        (6, np.float32(effect_of(run))),
    ]
    assert [each.value for each in events.Scalars(VERDICT)] == [verdict_number(run)] * 2
    image = events.Images("tcav/effects-right")[0]
    assert image.width > 600
    [summary] = events.Tensors("tcav/summary/text_summary")[:1]
    assert run.outcomes[0].verdict in summary.tensor_proto.string_val[0].decode()


def verdict_number(run: Run) -> int:
    return {"supported": 1, "contradicted": -1}.get(run.outcomes[1].verdict, 0)


def wandb_records(path: Path) -> Iterator[Any]:
    """Records of the file of an offline run: protocol buffers in the log format of LevelDB, behind a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, record = path.read_bytes(), 7, b""
    while at + 7 < len(content):
        if 32768 - at % 32768 < 7:  # no header fits into the rest of a block
            at += 32768 - at % 32768
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        if at + 7 + length > len(content):  # not yet written to its end
            return
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield Record.FromString(record)
            record = b""


@pytest.mark.parametrize("form", ["name", "run"])
def test_wandb_offline(run, tmp_path, monkeypatch, form):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(mode="offline", dir=str(tmp_path), project="test") as active:
        active.log({"loss": 1.0}, step=50)  # the step of W&B never goes back
        log_to(run, "wandb" if form == "name" else active, step=3)
        assert active.summary[EFFECT] == effect_of(run)
        assert active.summary["tcav/step"] == 3
        assert active.summary["tcav/colour_ no matter_"] == run.outcomes[1].verdict
        path = Path(active.settings.sync_file)
    wandb.teardown()  # ends the process of W&B's own that writes the file
    logged, deadline = {}, time.monotonic() + 30
    while EFFECT not in logged and time.monotonic() < deadline:
        for record in wandb_records(path):
            logged |= {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
        time.sleep(0.1)
    assert json.loads(logged[EFFECT]) == effect_of(run)
    assert json.loads(logged[VERDICT]) == verdict_number(run)
    assert {"tcav/summary", "tcav/effects-right", "loss"} <= set(logged)
    assert list(path.parent.rglob("effects-right*.png"))
    with pytest.raises(InputError, match=r"`tracker` wandb must have a run. Got none. Call wandb.init\(\) first"):
        log_to(run, "wandb")


@pytest.mark.parametrize("form", ["name", "run"])
def test_mlflow_file_store(run, tmp_path, monkeypatch, form):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    with mlflow.start_run() as active:
        for step in (3, 6):
            log_to(run, "mlflow" if form == "name" else active, step=step)
    client = mlflow.MlflowClient()
    history = client.get_metric_history(active.info.run_id, EFFECT)
    assert [(each.step, each.value) for each in history] == [(3, effect_of(run)), (6, effect_of(run))]
    assert client.get_run(active.info.run_id).data.tags["tcav/colour_ no matter_"] == run.outcomes[1].verdict
    paths = {each.path for each in client.list_artifacts(active.info.run_id, "tcav/step-000006")}
    assert paths == {"tcav/step-000006/summary.md", "tcav/step-000006/effects-right.png"}
    with pytest.raises(InputError, match=r"`tracker` mlflow must have an active run. Got none"):
        log_to(run, "mlflow")


def test_any_other_logger_of_lightning_gets_the_numbers(run, tmp_path):
    loggers = pytest.importorskip("lightning.pytorch.loggers")
    logger = loggers.CSVLogger(str(tmp_path))
    log_to(run, logger, step=3)
    [row] = csv.DictReader((Path(logger.log_dir) / "metrics.csv").read_text().splitlines())
    assert float(row[EFFECT]) == pytest.approx(effect_of(run))
    assert row["step"] == "3"


@pytest.mark.parametrize("tracker", ["tensorboard", "tensorboard:", "comet", 5])
def test_other_trackers_are_refused(run, tracker):
    with pytest.raises(InputError, match="`tracker` must be tensorboard:FOLDER, wandb, mlflow, .* Got"):
        log_to(run, tracker)


@pytest.mark.parametrize(
    ("tracker", "extra"), [("tensorboard:x", "tensorboard"), ("wandb", "wandb"), ("mlflow", "mlflow")]
)
def test_a_missing_package_names_its_extra(run, monkeypatch, tracker, extra):
    monkeypatch.setitem(sys.modules, extra, None)  # as if it were not installed
    with pytest.raises(
        MissingExtraError, match=rf'^Logging to {extra} needs an extra. Install it with: .*\[{extra}\]"$'
    ):
        log_to(run, tracker)
