"""Nothing that only POSIX has is needed to import the package, and to use a bank, a store and a run directory."""

import subprocess
import sys

BLOCKED = ("fcntl", "resource", "pwd", "grp", "termios")
PROGRAM = f"""
import os, pkgutil, signal, sys, importlib
for name in {BLOCKED!r}:
    sys.modules[name] = None
for name in ("SIGHUP",):
    delattr(signal, name)
for name in ("getuid", "preadv"):
    delattr(os, name)
import video_tcav
skipped = {{"video_tcav.__main__"}}
for module in pkgutil.walk_packages(video_tcav.__path__, "video_tcav."):
    if module.name not in skipped:
        importlib.import_module(module.name)
import torch
from video_tcav import ActivationStore
from video_tcav.cli.signals import raising_signals
from video_tcav.concepts import ConceptBank
from video_tcav.core.scratch import scratch_folder
from video_tcav.experiments.directory import RunDirectory, locked
from video_tcav.recording.cache import RowKind
from pathlib import Path
root = Path(sys.argv[1])
with ConceptBank.open(root / "bank", create=True) as bank:
    bank.add_concept("swing")
kind = RowKind(model="m", model_digest="d", space="flatten", role="activation")
with ActivationStore.open(root / "store") as store, ActivationStore.open(root / "store") as other:
    store.add(kind, [b"k" * 32], {{"a": torch.ones(1, 3)}})
    assert len(other.find(kind, [b"k" * 32], ["a"])) == 1
with ActivationStore.open(root / "store") as store:
    assert store.prune().blocks == 1
with scratch_folder() as folder, raising_signals(), locked(RunDirectory(path=root)):
    assert folder.is_dir()
print("done")
"""


def test_without_fcntl_and_its_like(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("done")
