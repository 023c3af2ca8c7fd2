"""Runs on an activation store, in this process and, as a program, in processes that a test can kill.

As a program: `python -m tests.unit.recording.store_runs MODEL WEIGHTS CLIPS` reads lines `OUT STORE COUNT SLEEP_S[;...]`, forks a
run for each, and says `pid N` and `dead STATUS`. COUNT is a file that grows by a byte with every batch that is passed.
"""

import os
import sys
import time
from pathlib import Path

import torch

import video_tcav as vt

TWINS, LAYERS = ("frozen", "shuffled"), ("stages.1", "stages.2")


def load(program: str, weights: str) -> vt.VideoModel:
    return vt.load_model(f"file:{program}:build", weights=weights, device="cpu")


def run(model: vt.VideoModel, clips: Path, store=None, **changes) -> vt.TcavResult:
    settings = {
        "target": "right",
        "clips": clips / "right",
        "concepts": {"moves-right": clips / "moves-right", "green": clips / "green"},
        "random": clips / "random",
        "twins": TWINS,
        "layers": LAYERS,
        "permutations": 99,
        "random_sets": 10,
        "bootstraps": 20,
        "intervene": "none",  # passes are counted
        "store": store,
        **changes,
    }
    return vt.run_tcav(model, **settings)


def _worker(model: vt.VideoModel, clips: Path, task: str) -> None:
    out, store, count, sleep_s = task.split()
    handle = os.open(count, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(_module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) > 2:  # smaller ones only look at the model
            os.write(handle, b".")
            time.sleep(float(sleep_s))

    model.module.register_forward_pre_hook(note)
    run(model, clips, None if store == "-" else store, out=out)


def main() -> None:
    torch.set_num_threads(1)  # a forked process has no threads of OpenMP
    program, weights, clips = sys.argv[1:]
    model = load(program, weights)
    for line in sys.stdin:
        tasks = line.strip().split(";")
        for task in tasks:
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    _worker(model, Path(clips), task)
                    status = 0
                finally:
                    os._exit(status)
            os.write(1, f"pid {pid}\n".encode())
        for _ in tasks:
            _, status = os.wait()
            os.write(1, f"dead {status}\n".encode())


if __name__ == "__main__":
    main()
