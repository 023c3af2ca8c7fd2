"""Fuzzing of all readers of files and options: each input must be accepted, or refused in one line within a second.

    python -m benchmarks.fuzz_readers --inputs 100000 --seed 0
    python -m benchmarks.fuzz_readers --inputs 100000 --reader experiment

Inputs are valid files whose bytes are changed (bits flipped, parts cut, repeated, exchanged), whose values are exchanged for
hostile ones, or that are put together of words of the format. Whatever is raised that is no VideoTcavError, or has more than
one line, counts as a traceback, whatever takes over a second as a hang. Input N of a reader is the same whatever was before it.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from benchmarks.fuzz_inputs import Sample, mutated
from benchmarks.fuzz_targets import READERS, Read, Reader

from video_tcav.core.errors import VideoTcavError
from video_tcav.core.progress import progress_bar

HANG_S = 1.0
# Time limit of an input that hangs.
STUCK_S = 20.0
# Longest message that counts as a line that a person reads.
MOST_CHARACTERS = 5000


class Stuck(BaseException):
    """The clock has ended a reader."""


@dataclass
class Tally:
    """Counts of outcomes of one reader."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    failures: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def add(self, number: int, sample: Sample, failure: str, elapsed_s: float) -> None:
        """Count an input; the first of each kind of failure is kept."""
        self.slowest_ms = max(self.slowest_ms, elapsed_s * 1000)
        if failure in ("accepted", "refused") and elapsed_s > HANG_S:
            failure = "hang"
        kind = failure if failure in ("accepted", "refused", "hang") else "traceback"
        self.outcomes[kind] += 1
        if kind in ("hang", "traceback"):
            self.failures.setdefault(failure, (number, sample.content))


def location_of(error: BaseException) -> str:
    """Type of an error, and the innermost line of this project that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "video_tcav" in frame.filename]
    location = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "elsewhere"
    return f"{type(error).__name__} at {location}: {str(error)[:120]!r}"


def outcome_of(read: Callable[[Sample], object], sample: Sample) -> str:
    try:
        read(sample)
    except VideoTcavError as error:
        message = str(error)
        if len(message.splitlines()) != 1 or len(message) > MOST_CHARACTERS:
            return f"no line of {MOST_CHARACTERS} characters at most: {location_of(error)}"
        return "refused"
    except (KeyboardInterrupt, SystemExit):
        raise
    except Stuck:
        return "hang"
    except BaseException as error:  # any other exception is a failure of the reader
        return f"traceback {location_of(error)}"
    return "accepted"


@contextmanager
def clock() -> Iterator[None]:
    """End what lasts for longer than `STUCK_S`."""

    def ring(*_: object) -> None:
        raise Stuck

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, STUCK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def timed(read: Read, sample: Sample) -> tuple[str, float]:
    """Outcome of an input, and its seconds."""
    with clock():
        begin = time.perf_counter()
        outcome = outcome_of(read, sample)
        return outcome, time.perf_counter() - begin


def fuzz(reader: Reader, folder: Path, inputs: int, seed: int, *, start: int = 0, visible: bool = True) -> Tally:
    """Run a reader on mutated inputs, and count the outcomes."""
    tally = Tally()
    with (
        reader.prepared(folder) as (samples, read),
        progress_bar(reader.name, inputs, visible=visible) as advance,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        for number in range(start, start + inputs):
            generator = random.Random(f"{seed} {reader.name} {number}")
            sample = mutated(generator.choice(samples), samples, reader.words, generator)
            outcome, elapsed_s = timed(read, sample)
            if elapsed_s > HANG_S:  # a busy machine is no hang
                outcome, elapsed_s = min((timed(read, sample) for _ in range(3)), key=itemgetter(1))
            tally.add(number, sample, outcome, elapsed_s)
            advance(1)
    return tally


def table(tallies: dict[str, Tally]) -> str:
    columns = ("accepted", "refused", "traceback", "hang")
    lines = [f"{'reader':16}{'inputs':>10}" + "".join(f"{name:>12}" for name in columns) + f"{'slowest ms':>12}"]
    for name, tally in tallies.items():
        counts = "".join(f"{tally.outcomes[column]:>12}" for column in columns)
        lines.append(f"{name:16}{tally.outcomes.total():>10}{counts}{tally.slowest_ms:>12.0f}")
    return "\n".join(lines)


def shared_memory() -> str | None:
    """A folder in memory, where the machine has one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=5000, help="for each reader")
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--reader", nargs="*", default=list(READERS), choices=list(READERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the inputs that fail")
    options = parser.parse_args()
    tallies = {}
    for name in options.reader:
        with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
            tallies[name] = fuzz(READERS[name], Path(folder), options.inputs, options.seed, start=options.start)
        for failure, (number, content) in tallies[name].failures.items():
            print(f"{name}, input {number}: {failure}", file=sys.stderr, flush=True)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{name}-{number}").write_bytes(content)
    print(table(tallies))
    raise SystemExit(any(tally.failures for tally in tallies.values()))


if __name__ == "__main__":
    main()
