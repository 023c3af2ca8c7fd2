"""The tree of exceptions, all below `VideoTcavError`.

Every message reads `` `argument` must <rule>. Got <value>. <What to do.> `` on one line; the command line prints it
and exits with 2. Each subclass is also the builtin that a caller would expect.
"""

from pathlib import Path
from typing import Any

from video_tcav.core.escaping import on_one_line

_MOST_CHARACTERS = 4000
_LAST_CHARACTERS = 1000  # kept of a longer message: what to do stands at its end


class VideoTcavError(Exception):
    """Root of all errors that this library raises on purpose; its message is one line, whatever names and values it quotes."""

    def __str__(self) -> str:
        text = on_one_line(self._message())
        if len(text) <= _MOST_CHARACTERS:
            return text
        return f"{text[: _MOST_CHARACTERS - _LAST_CHARACTERS]} … {text[-_LAST_CHARACTERS:]}"

    def _message(self) -> str:
        return super().__str__()


class InputError(VideoTcavError, ValueError):
    """An argument, or what it names, cannot be used."""


class ShapeError(VideoTcavError, ValueError):
    """Two tensors, or a tensor and its description, disagree."""


class SourceError(VideoTcavError, FileNotFoundError):
    """A path, folder, glob or manifest leads to no video."""


class MediaError(VideoTcavError, ValueError):
    """One file cannot be turned into a clip.

    Attributes:
        path: the file.
        reason: what is wrong with it, one line.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def _message(self) -> str:
        return f"{self.path}: {self.reason}"


class ModelError(VideoTcavError, ValueError):
    """A model cannot be built or does not behave as a video classifier."""


class WeightsError(VideoTcavError, ValueError):
    """Weights cannot be read safely or do not fit the model."""


class LayerNotFoundError(VideoTcavError, LookupError):
    """The model has no such layer."""


class ClassNotFoundError(VideoTcavError, LookupError):
    """The model has no such class."""


class AxesError(VideoTcavError, ValueError):
    """The axes of a layer's output are ambiguous."""


class NonFiniteError(VideoTcavError, ArithmeticError):
    """A layer or a gradient holds NaN or infinity."""


class MethodError(VideoTcavError, ValueError):
    """An attribution method does not apply to this model or layer."""


class EmptyMapError(VideoTcavError, ArithmeticError):
    """An attribution map is zero everywhere, so that there is nothing to show."""


class ConvergenceError(VideoTcavError, ArithmeticError):
    """A classifier did not converge, so its CAV would mean nothing."""


class OutputError(VideoTcavError, OSError):
    """A result cannot be written to the requested path."""


class UnsavedResultError(OutputError):
    """A result was computed, and not all of its files could be written; the message says which are there.

    Attributes:
        result: what was computed.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result


class BankError(VideoTcavError, ValueError):
    """A folder is no usable concept bank, or the bank has no such clip or concept."""


class ExperimentError(VideoTcavError, ValueError):
    """An experiment file, a model file or a run directory cannot be used; the message says which line of which file."""


class PluginError(VideoTcavError, ImportError):
    """A kind that another package registers cannot be loaded."""


class StoreError(VideoTcavError, ValueError):
    """A folder is no usable activation store."""


class WorkerError(VideoTcavError, RuntimeError):
    """Worker processes, or the nodes of a cluster, cannot do their passes."""


class MissingExtraError(VideoTcavError, ImportError):
    """An optional dependency is not installed; the message names the extra."""

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(f'{needed_for} needs an extra. Install it with: pip install "video-tcav[{extra}]"')
        self.extra = extra
