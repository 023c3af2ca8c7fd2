"""A callback for the Trainer of Hugging Face: an experiment file is run on the model in training, and its effects are logged."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from video_tcav.core.errors import MissingExtraError
from video_tcav.experiments import Run
from video_tcav.integrations.epoch_experiment import EpochExperiment, refuse_sharded
from video_tcav.integrations.log_record import LogRecord


def _callback_class() -> Any:
    try:
        return import_module("transformers").TrainerCallback
    except ImportError:
        return object


_Callback = _callback_class()


class HuggingFaceCallback(_Callback):
    """Runs an experiment file at the end of every n-th epoch of a `Trainer`, and logs effects, intervals and verdicts.

    The network is taken as it stands in memory, in evaluation mode, and is left as it was: training goes on as without the
    callback. Mistakes in the file end `train` before the first epoch; an epoch after which the network cannot be measured gives
    a warning. With several processes the first one runs it. The numbers also go into `log_history`, and so into
    `trainer_state.json`.
    """

    def __init__(
        self,
        experiment: str | Path,
        *,
        out: str | Path | None = None,
        every: int = 1,
        model: str | None = None,
        trackers: Sequence[Any] | None = None,
        prefix: str = "tcav",
        **settings: Any,
    ) -> None:
        """Say what is run, when, and where its results go.

        Args:
            experiment: the experiment file; the network in training stands in place of its model.
            out: folder of the runs, `epoch-001` and so on; `runs/` and the file's name if not given.
            every: how many epochs lie between two runs.
            model: name of the model in the file that is in training, where it has several.
            trackers: what the results are logged to, see `log_to`; those of `report_to` if not given: the current runs of W&B
                and MLflow, and for TensorBoard the folder `runs/tcav` in `output_dir`.
            prefix: of what is logged.
            settings: of the recording, in place of the file's, such as `batch`.

        Raises:
            MissingExtraError: without transformers.
            InputError: for a setting that cannot be used.
        """
        if _Callback is object:
            raise MissingExtraError("hf", "HuggingFaceCallback")
        self.experiment = EpochExperiment.of(
            experiment, out=out, every=every, model=model, prefix=prefix, settings=settings
        )
        self._trackers = trackers

    @property
    def runs(self) -> Mapping[int, Run]:
        """What was run so far, by epoch, counted from one."""
        return self.experiment.runs

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Check the experiment with the network, before the first epoch and after a checkpoint was restored."""
        sharding = next((name for name in ("fsdp", "deepspeed") if getattr(args, name, None)), None)
        if sharding is not None:
            raise refuse_sharded(sharding)
        if state.is_world_process_zero:
            self.experiment.check(model, epochs_done=round(state.epoch or 0))

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Run the experiment, if it is due."""
        epoch = round(state.epoch or 0)  # a fraction by steps, which rounding errors keep from a whole number
        if not state.is_world_process_zero or not self.experiment.is_due(epoch):
            return
        trackers = _reported_to(args) if self._trackers is None else self._trackers
        run = self.experiment.run(model, epoch=epoch, step=state.global_step, trackers=trackers)
        if run is not None:
            numbers = {f"{self.experiment.prefix}/{name}": value for name, value in LogRecord.of(run).numbers.items()}
            state.log_history.append({"epoch": state.epoch, "step": state.global_step, **numbers})


def _reported_to(args: Any) -> list[str]:
    """The trackers among `report_to` of the training arguments."""
    # A folder of its own: TensorBoard reads one event file of a folder at a time.
    folders = {"tensorboard": f"tensorboard:{Path(args.output_dir) / 'runs' / 'tcav'}"}
    return [folders.get(name, name) for name in args.report_to if name in ("tensorboard", "wandb", "mlflow")]
