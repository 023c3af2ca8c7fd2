"""An experiment file that is run on a model in training, at the end of every n-th epoch; shared by the callbacks."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from video_tcav.core.checks import at_least
from video_tcav.core.errors import ExperimentError, ModelError, VideoTcavError
from video_tcav.experiments import Run, check_experiment, run_experiment
from video_tcav.integrations.trackers import log_to

_EPOCH_FOLDER = re.compile(r"epoch-(\d{1,9})")


@dataclass(frozen=True, kw_only=True)
class EpochExperiment:
    """An experiment file, the epochs after which it is run, and where its runs go.

    Attributes:
        path: the experiment file.
        out: folder of the runs, `epoch-001` and so on.
        every: how many epochs lie between two runs.
        model: name in the file of the model that is trained, where the file has several.
        prefix: of what is logged.
        settings: of the recording, in place of the file's.
        runs: what was run so far, by epoch.
    """

    path: Path
    out: Path
    every: int
    model: str | None
    prefix: str
    settings: Mapping[str, Any]
    runs: dict[int, Run] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        experiment: str | Path,
        *,
        out: str | Path | None,
        every: int,
        model: str | None,
        prefix: str,
        settings: Mapping[str, Any],
    ) -> "EpochExperiment":
        """By the arguments of a callback; `out` is `runs/` and the file's name if not given."""
        path = Path(experiment)
        folder = Path("runs") / path.stem if out is None else Path(out)
        return cls(
            path=path,
            out=folder,
            every=at_least("every", every, 1, cure="1 runs it after each epoch."),
            model=model,
            prefix=prefix,
            settings=settings,
        )

    def check(self, network: nn.Module, epochs_done: int) -> None:
        """Refuse a mistake before the first epoch: of the file, the network, or runs of another training in the folder.

        Raises:
            VideoTcavError: with a cure in the message.
        """
        check_experiment(self.path, models=self._models(network), **self.settings)
        for folder in sorted(self.out.glob("epoch-*")):
            match = _EPOCH_FOLDER.fullmatch(folder.name)
            if match and int(match[1]) > epochs_done:
                raise ExperimentError(
                    f"{self.out}: the folder must hold no run of a later epoch than {epochs_done}, after which training begins."
                    f" Got {folder.name}, of another training. Give another folder as out."
                )

    def is_due(self, epoch: int) -> bool:
        """Whether the experiment is run after that many epochs."""
        return epoch > 0 and epoch % self.every == 0

    def run(self, network: nn.Module, *, epoch: int, step: int, trackers: Sequence[Any]) -> Run | None:
        """Run it and log what came out; `None`, and a warning, where the model cannot be measured, so that training goes on."""
        try:
            run = run_experiment(
                self.path,
                out=self.out / f"epoch-{epoch:03d}",
                models=self._models(network),
                # Of a training that was stopped within the experiment, and goes on from the same weights.
                resume=(self.out / f"epoch-{epoch:03d}").exists(),
                **self.settings,
            )
            self.runs[epoch] = run
            for tracker in trackers:
                log_to(run, tracker, step=step, prefix=self.prefix)
        except VideoTcavError as error:
            # A network that diverged has no effects, and hours of training must not end with them.
            warnings.warn(f"The experiment was not run after epoch {epoch}: {error}", stacklevel=2)
            return None
        return run

    def _models(self, network: nn.Module) -> nn.Module | dict[str, nn.Module]:
        return network if self.model is None else {self.model: network}


def refuse_sharded(what: str) -> ModelError:
    """The error for a network whose weights lie in pieces on several processes."""
    return ModelError(
        f"`model` must be whole on the first process. Got one in shards ({what}), which no process can run alone."
        " Run the experiment on its checkpoints, or train with plain data parallelism (DDP)."
    )
