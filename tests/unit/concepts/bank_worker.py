"""A process of its own that forks workers on a bank, so that a test can kill one without paying for its imports.

Reads lines `TASK FOLDER SEED[;TASK FOLDER SEED]`; says `pid N`, whatever the workers confirm, and `dead STATUS`.
"""

import os
import sys

from tests.unit.concepts.bank_samples import add_clip
from video_tcav.concepts import ConceptBank


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def add(folder: str, seed: int) -> None:
    with ConceptBank.open(folder, create=True) as bank:
        for number in range(seed, seed + 12):
            clip = add_clip(bank, number, kind="still" if number % 4 == 3 else "moving")
            say(f"{clip.id} {clip.digest}")


def judge(folder: str, seed: int) -> None:
    with ConceptBank.open(folder) as bank:
        clips = [clip.id for clip in bank.clips(order="added")]
        for number in range(seed, seed + 150):
            one, verdict = clips[number % len(clips)], ("accepted", "rejected", "open")[number % 3]
            bank.set_verdict([one], verdict)
            say(f"{one} {verdict}")


def main() -> None:
    for line in sys.stdin:
        tasks = [task.split() for task in line.split(";")]
        for task, folder, seed in tasks:
            pid = os.fork()
            if pid == 0:
                {"add": add, "judge": judge}[task](folder, int(seed))
                os._exit(0)
            say(f"pid {pid}")
        for _ in tasks:
            _, status = os.wait()
            say(f"dead {status}")


if __name__ == "__main__":
    main()
