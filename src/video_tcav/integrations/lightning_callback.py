"""A callback for Lightning: an experiment file is run on the model in training, and its effects are logged."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from video_tcav.core.errors import MissingExtraError, ModelError
from video_tcav.experiments import Run
from video_tcav.integrations.epoch_experiment import EpochExperiment, refuse_sharded


def _callback_class() -> Any:
    """Lightning's base class of callbacks, under either name of the package; a stand-in where neither is installed."""
    for package in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return import_module(package).Callback
        except ImportError:
            continue
    return object


_Callback = _callback_class()
_SHARDED = ("FSDPStrategy", "ModelParallelStrategy", "DeepSpeedStrategy")


class LightningCallback(_Callback):
    """Runs an experiment file at the end of every n-th epoch of training, and logs effects, intervals and verdicts.

    The network is taken as it stands in memory, in evaluation mode, and is left as it was: training goes on as without the
    callback. Mistakes in the file end `fit` before the first epoch; an epoch after which the network cannot be measured gives a
    warning. With several processes the first one runs it, and the others wait.
    """

    def __init__(
        self,
        experiment: str | Path,
        *,
        out: str | Path | None = None,
        every: int = 1,
        network: str = "",
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
            network: attribute of the LightningModule that is the classifier, such as `net`; the whole module if not given.
            model: name of the model in the file that is in training, where it has several.
            trackers: what the results are logged to, see `log_to`; the loggers of the trainer if not given.
            prefix: of what is logged.
            settings: of the recording, in place of the file's, such as `batch`.

        Raises:
            MissingExtraError: without Lightning.
            InputError: for a setting that cannot be used.
        """
        if _Callback is object:
            raise MissingExtraError("lightning", "LightningCallback")
        super().__init__()
        self.experiment = EpochExperiment.of(
            experiment, out=out, every=every, model=model, prefix=prefix, settings=settings
        )
        self._network, self._trackers = network, trackers

    @property
    def runs(self) -> Mapping[int, Run]:
        """What was run so far, by epoch, counted from one."""
        return self.experiment.runs

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Check the experiment with the network, before the first epoch and after a checkpoint was restored."""
        if type(trainer.strategy).__name__ in _SHARDED:
            raise refuse_sharded(type(trainer.strategy).__name__)
        if trainer.is_global_zero:
            self.experiment.check(self._network_of(pl_module), epochs_done=trainer.current_epoch)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Run the experiment, if it is due."""
        epoch = trainer.current_epoch + 1  # Lightning counts from zero, and raises the count after this hook
        if trainer.is_global_zero and self.experiment.is_due(epoch):
            trackers = trainer.loggers if self._trackers is None else self._trackers
            network = self._network_of(pl_module)
            self.experiment.run(network, epoch=epoch, step=trainer.global_step, trackers=trackers)
        # Without it the other processes would wait in the first collective of the next epoch, in whichever order.
        trainer.strategy.barrier()

    def _network_of(self, pl_module: nn.Module) -> nn.Module:
        try:
            return pl_module.get_submodule(self._network)
        except AttributeError:
            names = ", ".join(name for name, _ in pl_module.named_children())
            raise ModelError(
                f"`network` must be a submodule of {type(pl_module).__name__}. Got {self._network!r}. It has {names}."
            ) from None
