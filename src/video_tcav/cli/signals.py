"""Signals that ask a command to end: it stops as it does for an error, with nothing left behind."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # Windows lacks SIGHUP, others lack SIGBREAK
_REPEATED_S = 2.0
"""`timeout` and cluster managers send a signal to a process and to its group: the second must not break off the clean-up."""


class Stopped(BaseException):
    """A signal has asked the command to end. No `KeyboardInterrupt`: Typer ends that without a word.

    Attributes:
        signal: which.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """As shells count: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.signal

    def __str__(self) -> str:
        return f"stopped by {self.signal.name}. Files that were finished are kept; no file is half written."


class Signals:
    """What has arrived so far.

    Attributes:
        stopped: the first signal.
    """

    def __init__(self) -> None:
        self.stopped: Stopped | None = None
        self._last_s = float("-inf")

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Raise `Stopped` in the main thread."""
        now_s = time.monotonic()
        repeated, self._last_s = now_s - self._last_s < _REPEATED_S, now_s
        if not repeated:
            stopped = Stopped(number)
            self.stopped = self.stopped or stopped
            raise stopped


@contextmanager
def raising_signals() -> Iterator[Signals]:
    """Raise `Stopped` for each signal that is not ignored (as `nohup` has it); as before when the block ends."""
    signals, before = Signals(), {}
    for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, signals.handle)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
