"""Folders of working processes stay, those of killed ones go."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.mounts import read_only
from video_tcav.core.errors import OutputError
from video_tcav.core.scratch import LOCK, PREFIX, remove_abandoned_folders, scratch_folder

HOLD = """
import sys
from video_tcav.core.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "rows.bin").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_goes_with_its_block(temporary):
    with scratch_folder() as folder:
        assert folder.parent == temporary
        (folder / "deep").mkdir()
    with pytest.raises(RuntimeError, match="stopped"), scratch_folder():
        raise RuntimeError("stopped")
    assert list(temporary.iterdir()) == []


def test_two_of_one_process_leave_each_other_alone():
    with scratch_folder() as one, scratch_folder() as other:
        remove_abandoned_folders()
        assert one.is_dir()
        assert other.is_dir()


def test_a_killed_process_leaves_its_folder_to_the_next_and_a_working_one_keeps_it(temporary):
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        folder = Path(process.stdout.readline().strip())
        remove_abandoned_folders()
        assert (folder / "rows.bin").is_file()
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert (folder / "rows.bin").is_file()
        with scratch_folder():
            assert not folder.exists()


def test_what_has_no_lock_is_not_ours_to_remove(temporary):
    for name in (f"{PREFIX}0.1", "other", f"{PREFIX}file"):
        (temporary / name).mkdir()
    (temporary / "other" / LOCK).touch()
    remove_abandoned_folders()
    assert len(list(temporary.iterdir())) == 3


def test_a_link_is_not_followed(temporary):
    (temporary / "home").mkdir()
    (temporary / "home" / LOCK).touch()
    (temporary / f"{PREFIX}link").symlink_to(temporary / "home")
    remove_abandoned_folders()
    assert (temporary / "home" / LOCK).exists()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs the superuser to give a folder away")
def test_the_folder_of_another_user_stays(temporary):
    folder = temporary / f"{PREFIX}theirs"
    folder.mkdir()
    (folder / LOCK).touch()
    os.chown(folder, 12345, 12345)
    remove_abandoned_folders()
    assert folder.exists()


def test_a_place_that_takes_no_folder_is_one_line(temporary, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))  # else another place is taken
    message = "`TMPDIR` must be a folder that can be written to"
    with read_only(temporary), pytest.raises(OutputError, match=message), scratch_folder():
        pass
