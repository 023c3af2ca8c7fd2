"""Experiment trackers: TensorBoard, Weights & Biases and MLflow take effects, intervals, verdicts and charts."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Self

import numpy as np
import PIL.Image

from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.experiments import Run
from video_tcav.integrations.log_record import LogRecord, picture
from video_tcav.reports.run.text import table
from video_tcav.tcav import TcavResult

FORMS = "tensorboard:FOLDER, wandb, mlflow, a SummaryWriter, a run of W&B or MLflow, or a logger of Lightning"


class Tracker(ABC):
    """A place to which numbers, tables and pictures are logged; subclass it for another one."""

    @abstractmethod
    def log_numbers(self, numbers: Mapping[str, float], step: int) -> None:
        """Numbers by name, of one step."""

    def log_words(self, verdicts: Mapping[str, str]) -> None:
        """Words by name; the last ones stay. A tracker that has no place for them leaves them out."""
        return

    def log_table(self, name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], step: int) -> None:
        """A table of texts; likewise."""
        return

    def log_picture(self, name: str, image: PIL.Image.Image, step: int) -> None:
        """A picture; likewise."""
        return

    def finish(self) -> None:
        """Have all on disk, or on its way; called after the last item of a result."""
        return


class TensorBoard(Tracker):
    """A writer of event files."""

    def __init__(self, writer: Any, *, close: bool = False) -> None:
        self._writer, self._close = writer, close

    @classmethod
    def open(cls, folder: str) -> Self:
        """An event file in a folder, for one result: TensorBoard reads the files of a folder one after the other."""
        _import("tensorboard", "tensorboard")
        return cls(_import("tensorboard", "torch.utils.tensorboard").SummaryWriter(folder), close=True)

    def log_numbers(self, numbers: Mapping[str, float], step: int) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def log_table(self, name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], step: int) -> None:
        self._writer.add_text(name, table(heads, rows), step)

    def log_picture(self, name: str, image: PIL.Image.Image, step: int) -> None:
        self._writer.add_image(name, np.asarray(image), step, dataformats="HWC")

    def finish(self) -> None:
        (self._writer.close if self._close else self._writer.flush)()


class WeightsAndBiases(Tracker):
    """A run of Weights & Biases.

    Its own step counts calls and never goes back, so that values have a step beside them, by which they are drawn.
    """

    def __init__(self, run: Any) -> None:
        self._wandb, self._run = _import("wandb", "wandb"), run
        self._step_name = ""

    @classmethod
    def current(cls) -> Self:
        """The run of `wandb.init()`."""
        run = _import("wandb", "wandb").run
        if run is None:
            raise InputError("`tracker` wandb must have a run. Got none. Call wandb.init() first.")
        return cls(run)

    def log_numbers(self, numbers: Mapping[str, float], step: int) -> None:
        self._log(numbers, step)

    def log_words(self, verdicts: Mapping[str, str]) -> None:
        self._run.summary.update(verdicts)

    def log_table(self, name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], step: int) -> None:
        self._log({name: self._wandb.Table(columns=list(heads), data=[list(row) for row in rows])}, step)

    def log_picture(self, name: str, image: PIL.Image.Image, step: int) -> None:
        self._log({name: self._wandb.Image(image)}, step)

    def _log(self, values: Mapping[str, Any], step: int) -> None:
        prefix = next(iter(values), "").partition("/")[0]
        step_name = f"{prefix}/step"
        # Once a run: each definition is a record in its file.
        if step_name != self._step_name:
            self._run.define_metric(step_name, hidden=True)
            self._run.define_metric(f"{prefix}/*", step_metric=step_name)
            self._step_name = step_name
        self._run.log({**values, step_name: step})


class MLflow(Tracker):
    """A run of MLflow: metrics, tags, and artifacts in a folder for each step."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._entities = _import("mlflow", "mlflow.entities")
        self._client, self._run_id = client, run_id

    @classmethod
    def current(cls) -> Self:
        """The run of `mlflow.start_run()`."""
        mlflow = _import("mlflow", "mlflow")
        run = mlflow.active_run()
        if run is None:
            raise InputError("`tracker` mlflow must have an active run. Got none. Call mlflow.start_run() first.")
        return cls(mlflow.MlflowClient(), run.info.run_id)

    def log_numbers(self, numbers: Mapping[str, float], step: int) -> None:
        now_ms = int(time.time() * 1000)
        metrics = [self._entities.Metric(name, value, now_ms, step) for name, value in numbers.items()]
        for start in range(0, len(metrics), 1000):  # a batch holds no more
            self._client.log_batch(self._run_id, metrics=metrics[start : start + 1000])

    def log_words(self, verdicts: Mapping[str, str]) -> None:
        for name, word in verdicts.items():
            self._client.set_tag(self._run_id, name, word)

    def log_table(self, name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], step: int) -> None:
        self._client.log_text(self._run_id, table(heads, rows), _in_step(name, step, ".md"))

    def log_picture(self, name: str, image: PIL.Image.Image, step: int) -> None:
        self._client.log_image(self._run_id, image, _in_step(name, step, ".png"))


class LightningLogger(Tracker):
    """A logger of Lightning that none of the other trackers stands behind, such as `CSVLogger`: numbers alone."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def log_numbers(self, numbers: Mapping[str, float], step: int) -> None:
        self._logger.log_metrics(dict(numbers), step)

    def finish(self) -> None:
        self._logger.save()


def tracker_of(tracker: Any) -> Tracker:
    """The tracker behind a name, or an object of its package.

    Raises:
        InputError: for any other object, or where no run is active.
        MissingExtraError: if the package is not installed.
    """
    if isinstance(tracker, Tracker):
        return tracker
    if isinstance(tracker, str):
        kind, _, folder = tracker.partition(":")
        if kind == "tensorboard" and folder:
            return TensorBoard.open(folder)
        if tracker in ("wandb", "mlflow"):
            return (WeightsAndBiases if tracker == "wandb" else MLflow).current()
    # Objects by what they can do: `tensorboardX` has writers, and `pytorch_lightning` loggers, with the same methods.
    elif hasattr(tracker, "add_scalar"):
        return TensorBoard(tracker)
    elif hasattr(tracker, "define_metric"):
        return WeightsAndBiases(tracker)
    elif hasattr(getattr(tracker, "info", None), "run_id"):
        return MLflow(_import("mlflow", "mlflow").MlflowClient(), tracker.info.run_id)
    elif hasattr(tracker, "log_metrics"):
        return _behind_lightning(tracker)
    raise InputError(f"`tracker` must be {FORMS}. Got {tracker!r:.80}. Give one of these.")


def log_to(result: Run | TcavResult, tracker: Any, *, step: int = 0, prefix: str = "tcav") -> None:
    """Log effects with their intervals, verdicts and charts of a finished run or test to an experiment tracker.

    Numbers are called `PREFIX/TARGET/CONCEPT/LAYER/effect`, `…/effect_low`, `…/effect_high` and `…/p_adjusted`; a verdict is
    `PREFIX/verdict/HYPOTHESIS`, 1 for supported, -1 for contradicted, and 0 for others.

    Args:
        result: from `run_experiment`, `load_run` or `run_tcav`.
        tracker: `tensorboard:FOLDER`, `wandb` or `mlflow` for its current run, a `SummaryWriter`, a run of W&B or MLflow, a
            logger of Lightning, or a `Tracker`.
        step: of training, by which values are drawn.
        prefix: of all names.

    Raises:
        InputError: for any other tracker, or where no run is active.
        MissingExtraError: if its package is not installed.
    """
    # The tracker first: a missing package is said before charts are drawn.
    destination, record = tracker_of(tracker), LogRecord.of(result)
    destination.log_numbers({f"{prefix}/{name}": value for name, value in record.numbers.items()}, step)
    destination.log_words({f"{prefix}/{name}": word for name, word in record.verdicts.items()})
    destination.log_table(f"{prefix}/summary", record.heads, record.rows, step)
    for name, chart in record.charts.items():
        destination.log_picture(f"{prefix}/{name}", picture(chart), step)
    destination.finish()


def _behind_lightning(logger: Any) -> Tracker:
    if hasattr(logger, "run_id"):  # MLFlowLogger, whose experiment is the client
        return MLflow(logger.experiment, logger.run_id)
    behind = logger.experiment
    for kind, method in ((TensorBoard, "add_scalar"), (WeightsAndBiases, "define_metric")):
        if hasattr(behind, method):
            return kind(behind)
    return LightningLogger(logger)


def _in_step(name: str, step: int, ending: str) -> str:
    # Artifacts have no steps: a later one of the same name would replace the earlier.
    prefix, _, item = name.partition("/")
    return f"{prefix}/step-{step:06d}/{item}{ending}"


def _import(extra: str, module: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(extra, f"Logging to {extra}") from error
