"""A small run of the command that mutates videos: no crash, no hang, and no silent difference where checksums tell."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_mutated_videos_end_right_or_refused_where_they_carry_checksums():
    kinds = ["mkv h264", "ogv vp8", "mp4 h264", "ts mpeg2"]
    command = [sys.executable, ROOT / "benchmarks" / "mutated_videos.py", "--videos", "20", "--kinds", *kinds]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    *_, total = done.stdout.splitlines()
    right, refused, different, *failures = map(int, total.split()[1:])
    assert right + refused + different == 20
    assert failures == [0, 0, 0, 0]
