"""Files are whole or not there."""

import json
import math
import os
from pathlib import Path

import pytest

from video_tcav.core.errors import OutputError
from video_tcav.core.files import atomic_folder, atomic_path, check_writable, write_json


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "result.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert [file.name for file in path.parent.iterdir()] == ["result.txt"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="killed"), atomic_path(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError("killed")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["result.txt"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="must be writable. Got: Not a directory. Give another place"):
        check_writable(tmp_path / "file" / "folder")


def test_checking_leaves_nothing(tmp_path):
    check_writable(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_json_has_null_for_what_is_no_number(tmp_path):
    write_json(tmp_path / "a.json", {"a": [math.nan, 1.5, (math.inf, "é")]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [None, 1.5, [None, "é"]]}


def test_a_device_is_written_to_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_json(tmp_path / "pipe", [1])
    assert json.loads(os.read(reader, 100)) == [1]
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(OutputError, match="`/dev/full` must be writable. Got: No space left on device. Free space"):
        write_json(Path("/dev/full"), [1])


def test_a_folder_appears_only_when_it_is_whole(tmp_path):
    folder = tmp_path / "new" / "run"
    (tmp_path / "new" / ".run.partial" / "old").mkdir(parents=True)  # of a process that was killed
    with atomic_folder(folder) as partial:
        (partial / "file").write_text("x")
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_fails_or_is_not_empty_leaves_nothing_new(tmp_path):
    with pytest.raises(RuntimeError, match="killed"), atomic_folder(tmp_path / "run") as partial:
        (partial / "file").write_text("x")
        raise RuntimeError("killed")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    with pytest.raises(OutputError, match="`folder` must be new or empty"), atomic_folder(tmp_path / "full"):
        pass
    inside_file = tmp_path / "full" / "file" / "run"
    with pytest.raises(OutputError, match="must be writable. Got: Not a directory"), atomic_folder(inside_file):
        pass


def test_an_empty_folder_is_filled_where_it_is(tmp_path):
    before = tmp_path.stat().st_ino
    with atomic_folder(tmp_path) as partial:
        (partial / "file").write_text("x")
    assert (tmp_path.stat().st_ino, [path.name for path in tmp_path.iterdir()]) == (before, ["file"])
