"""Signal handling: a signal that asks a command to end raises an exception, so that everything is cleaned up."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # Windows lacks SIGHUP, others lack SIGBREAK
# `timeout` and cluster managers send a signal to a process and to its group: the second must not interrupt the clean-up.
_REPEATED_S = 2.0


class Stopped(BaseException):
    """A signal has asked the command to end. No `KeyboardInterrupt`, which Typer handles without a message.

    Attributes:
        signal: that arrived.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """By the convention of shells, 128 and the signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.signal

    def __str__(self) -> str:
        return f"stopped by {self.signal.name}. Files that were finished are kept; no file is half written."


class Signals:
    """Handler of signals.

    Attributes:
        stopped: of the first signal, if any.
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
    """Raise `Stopped` for each signal that is not ignored (as under `nohup`); restores the handlers at the end."""
    # `nohup` ignores SIGHUP before the command starts: that must stay ignored.
    signals, before = Signals(), {}
    for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, signals.handle)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
