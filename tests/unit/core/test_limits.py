"""Bounds on files, numbers, sizes and devices: what would blow up is refused in one line, at once."""

import os
import socket
import time
from pathlib import Path

import pytest
import torch

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, VideoTcavError, WeightsError
from video_tcav.core.limits import (
    LimitError,
    check_path,
    check_regular,
    excerpt,
    finite,
    parse_json,
    read_bounded,
    shortened,
)
from video_tcav.models.class_names import parse_class_names, read_classes
from video_tcav.models.clip_fields import CLIP_FIELDS, parse_clip_fields
from video_tcav.models.devices import pick_device
from video_tcav.models.load import load_model
from video_tcav.recording.rows import parse_bytes

HUGE = 10**400
DIGITS = "9" * 5000  # more than Python turns into an int
NUMBERS = {
    "beyond a float": HUGE,
    "of more digits than are printed": 10**5000,
    "text beyond a float": "9" * 400,
    "text beyond an int": DIGITS,
    "infinite": float("inf"),
    "not a number": float("nan"),
    "text of infinity": "-inf",
    "text of none": "nan",
    "an exponent": "1e999",
    "true": True,
    "a mapping": {"a": 1},
    "a list of many": [1] * 10**6,
    "text of many": "1," * 10**6,
    "bytes": b"16",
    "nothing in text": "",
}


def one_line(error: pytest.ExceptionInfo[VideoTcavError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("name", ["frames", "stride", "fps", "size", "resize", "mean", "std"])
def test_a_number_that_no_field_holds_is_refused_by_the_name_of_its_field(name, kind):
    begin = time.perf_counter()
    with pytest.raises(WeightsError, match=f"`{name}` of x must be .*Got .*Correct it") as error:
        parse_clip_fields({name: NUMBERS[kind]}, source="x", error=WeightsError)
    one_line(error)
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize("field", sorted({*CLIP_FIELDS, "outputs"} - {"fps", "mean", "std"}))
@pytest.mark.parametrize("value", [1.5, "1.5", [[1]], [None, None], object()])
def test_a_value_of_another_type_is_refused_too(field, value):
    with pytest.raises(InputError, match=f"`{field}` of x must be") as error:
        parse_clip_fields({field: value}, source="x")
    one_line(error)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"frames": 0}, "`frames` must be at least 1"),
        ({"frames": 10**300}, "`frames` must be at most"),
        ({"frames": 10**5000}, "`frames` must be at most"),
        ({"stride": -HUGE}, "`stride` must be at least 1"),
        ({"stride": 10**12}, "`stride` must be at most"),
        ({"fps": float("inf")}, "`fps` must be positive"),
        ({"fps": float("nan")}, "`fps` must be positive"),
        ({"fps": 1e300}, "`fps` must be positive"),
        ({"size": (10**18, 10**18)}, "`size` must be .* at most"),
        ({"size": (0, 5)}, "`size` must be positive"),
        ({"resize": -1}, "`resize` must be positive"),
        ({"resize": 10**9}, "`resize` must be .* at most"),
        ({"frames": 90_000, "size": (90_000, 90_000)}, "`frames` and `size` must make"),
        ({"mean": (float("nan"),) * 3}, "`mean` must be finite"),
        ({"std": (0.0, 1.0, 1.0)}, "`std` must be positive"),
        ({"std": (float("inf"),) * 3}, "`std` must be positive and finite"),
        ({"sampling": "none"}, "`sampling` must be one of"),
        ({"short": "x"}, "`short` must be one of"),
    ],
    ids=excerpt,
)
def test_a_clip_that_no_memory_holds_is_no_clip(fields, rule):
    with pytest.raises(InputError, match=rule) as error:
        ClipSpec(**fields)
    one_line(error)


@pytest.mark.parametrize(
    "size",
    [
        "9" * 400,
        "9" * 400 + "GB",
        DIGITS,
        HUGE,
        10**5000,
        -1,
        "-1",
        "1e400",
        "inf",
        "nanGB",
        "",
        "GB",
        "1.2.3",
        "9" * 30,
        "1 ZB",
        "2 GB GB",
        "0x10",
        True,
        2**61,
        "2097152TB",
    ],
    ids=excerpt,
)
def test_a_memory_that_no_machine_has_is_refused(size):
    with pytest.raises(InputError, match=r"`max_size` must be .*Write, for example, 2GB") as error:
        parse_bytes(size, "max_size")
    one_line(error)


def test_sizes_that_machines_have_stay_exact():
    assert [parse_bytes(size) for size in (0, "0", "2GB", "1.5 kib", "500 MB", 2**60, "1TiB")] == [
        0,
        0,
        2 * 10**9,
        1536,
        500 * 10**6,
        2**60,
        2**40,
    ]


@pytest.mark.parametrize(
    "device",
    [
        *("meta", "gpu", "", "cpu:1", "cpu:-1", "cuda:" + "9" * 30, "cuda:99", "cuda:x", "cuda:-7", "mkldnn", "fpga"),
        *("hpu", "privateuseone", "xla:0", "vulkan", "CPU\0", "cpu\ncuda", "x" * 10_000, "\ud800", "lazy", "cuda,cpu"),
    ],
    ids=excerpt,
)
def test_a_device_that_is_not_here_or_holds_no_numbers_is_refused(device):
    if device == "cuda:99" and torch.cuda.device_count() > 99:
        pytest.skip("a hundred GPUs")
    with pytest.raises(
        InputError, match="`device` must be auto or a device that is here. Got .* Write cpu or cuda:0"
    ) as error:
        pick_device(device)
    one_line(error)


def test_a_device_is_refused_before_the_model_is_built():
    with pytest.raises(InputError, match="`device` must be"):
        load_model("torchvision:no-such-model", device="meta")


def test_devices_that_are_here():
    assert pick_device("cpu") == pick_device(torch.device("cpu"))
    assert pick_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "[" + "9" * 5000 + "]",
        "[1e999]",
        "[NaN]",
        '["a", {"b": "c"}]',
        "[}",
    ],
    ids=excerpt,
)
def test_class_lists_that_nest_deep_or_hold_numbers_are_refused(text):
    begin = time.perf_counter()
    with pytest.raises(InputError, match="`classes` (must be a JSON list of names|in the file must be JSON)") as error:
        parse_class_names(text, "the file")
    one_line(error)
    assert time.perf_counter() - begin < 1


def test_json_is_bounded_in_depth_and_digits():
    assert parse_json(b'{"a": [1, 2.5]}') == {"a": [1, 2.5]}
    for text in ('{"a":' * 50_000, b"[" * 10**6, "9" * 5000, b"\xff\xfe\x00"):
        with pytest.raises(ValueError, match=r"deep|digits|decode|codec|truncated"):
            parse_json(text)


def special_files(folder: Path) -> dict[str, Path]:
    """What is no regular file."""
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket"))
    return {"a folder": folder, "a pipe": folder / "pipe", "a socket": folder / "socket", "a device": Path("/dev/zero")}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes and devices in folders")
def test_only_regular_files_are_read_and_no_pipe_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket has some 100 bytes at most
    for words, path in special_files(tmp_path).items():
        begin = time.perf_counter()
        with pytest.raises(LimitError, match=words):
            read_bounded(path, most=10)
        with pytest.raises(LimitError, match=words):
            check_regular(path)
        with pytest.raises(InputError, match=f"` must be a readable text file. Got: {words}") as error:
            read_classes(path)
        one_line(error)
        assert time.perf_counter() - begin < 1
    (tmp_path / "link").symlink_to("/dev/zero")
    with pytest.raises(LimitError, match="a device"):
        read_bounded(tmp_path / "link", most=10)


def test_a_file_is_read_up_to_its_bound(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"x" * 1000)
    assert read_bounded(path, most=1000) == b"x" * 1000
    with pytest.raises(LimitError, match="more than 0 kB"):
        read_bounded(path, most=999)
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole of a terabyte
    with pytest.raises(LimitError, match="more than 16 MB"):
        read_bounded(path, most=2**24)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="files that say they are empty are Linux's")
def test_a_file_that_says_it_is_empty_is_read_up_to_its_bound():
    assert read_bounded(Path("/proc/self/status"), most=10**6).startswith(b"Name:")
    with pytest.raises(LimitError, match="more than"):
        read_bounded(Path("/proc/self/status"), most=10)


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "a/\udfff\ud800"], ids=excerpt)
def test_a_path_that_no_file_system_holds(path):
    with pytest.raises(LimitError, match="a path"):
        check_path(path)
    with pytest.raises(InputError, match="` must be a readable text file. Got: a path") as error:
        read_classes(path)
    one_line(error)


def test_a_path_of_other_bytes_than_utf8_is_one():
    check_path("caf\udce9.txt")  # as the system names a file in Latin-1


@pytest.mark.parametrize(("value", "number"), [("1.5", 1.5), (3, 3.0), (torch.tensor(2.0), 2.0)])
def test_finite_numbers(value, number):
    assert finite(value) == number


def test_values_for_messages_are_short_whatever_they_are():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert excerpt(deep) == "a list too large to print"
    while deep:
        deep = deep.pop()  # taken apart in a loop: Python would go as deep to delete it
    assert excerpt(10**5000) == "a int too large to print"
    assert len(excerpt("x" * 10**6)) == 61
    assert excerpt(5) == "5"
    assert shortened(list("abc"), 2) == "a, b and 1 more"
    assert shortened(list("abc")) == "a, b, c"
