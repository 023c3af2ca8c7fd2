"""Patterns that backtrack, or grow, are refused in one line within a second; all others mean what `re` says."""

import re
import time
from contextlib import suppress

import pytest

from video_tcav.core.errors import InputError
from video_tcav.core.patterns import PathPattern

PATHS = (
    "/data/person01_walk_g03_c02.mp4",
    "clips/tennis/v_Tennis_g12_c01.avi",
    "/a/b c/2024-01-31_cam2.webm",
    "/données/été_01.mp4",
    "x" * 300 + ".mp4",
)
PATTERNS = (
    r"(p\w+?)_",
    r"g(\d+)",
    r"[^/]+$",
    r"(?P<day>\d{4}-\d{2}-\d{2})",
    r"(?i)TENNIS",
    r"(?:v_)?([A-Za-z]+)_",
    r"(?<=/)[^/]*(?=_)",
    r"(a)|b",
    r"x*",
    r"\.(mp4|avi|webm)$",
    r"[\w-]+",
    r"(x)\1",
    r"é.é",
    r"x{2,5}",
    r"x{,3}$|4",
)
SLOW = (
    "(.*)*(.*)*(.*)*X",
    "(?:(?:(?:x{0,100}){0,100}){0,100}){0,100}$",
    r"(([a-z])+.)+[A-Z]([a-z])+$",
    "(x+x+)+y",
    "(x|xx|xxx)*z$",
    r"(?:x?){100}x{300}",
    r"(.+)+\1+Z",
    "(x*)*x*x*x*x*x*x*Y",
    r"((?:[^/]|[^_])+)+#",
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_what_re_says(pattern):
    compiled = PathPattern(pattern)
    for path in PATHS:
        match = re.search(pattern, path)
        group = match and (match.group(1) if match.re.groups and match.group(1) is not None else match.group(0))
        assert compiled.name_in(path) == group


@pytest.mark.parametrize("pattern", SLOW)
@pytest.mark.parametrize("path", ["x" * 60, "/x_" + "ab1/" * 900, "x" * 4000])
def test_no_search_takes_a_second(pattern, path):
    begin = time.thread_time()
    with suppress(InputError):  # some are quick on some paths
        PathPattern(pattern).name_in(path)
    assert time.thread_time() - begin < 1


def test_a_pattern_that_is_slow_on_later_paths_alone_is_refused_there():
    pattern = PathPattern(r"(([a-z])+.)+[A-Z]([a-z])+$|^short")
    assert pattern.name_in("short") == "short"
    with pytest.raises(InputError, match="quick on every path.*abcab"):
        pattern.name_in("abcab" * 60)


def test_many_paths_that_are_each_a_little_slow_are_refused_together():
    pattern, begin = PathPattern(r"(?:x?){15}x{60}y|z"), time.thread_time()
    with pytest.raises(InputError, match="quick on every path"):
        for number in range(100_000):
            pattern.name_in("x" * 400 + str(number))
    assert time.thread_time() - begin < 5


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a{99999999999}", "repeats that are too large"),
        ("a{,99999999999}", "repeats that are too large"),
        ("a{1,99999999999}", "repeats that are too large"),
        ("a{" + "9" * 5000 + "}", "1000 characters"),
        ("a{" + "9" * 900 + "}", "too large"),
        ("((a{1000}){1000}){1000}", "repeats that are too large"),
        ("(?:(?:a{500}){500}){500}", "repeats that are too large"),
        ("(" * 400 + "a" + ")" * 400, "nest|recursion|groups"),
        ("[[:alpha:]]+", "Possible nested set"),
        ("[a||b]", "Possible set union"),
        ("(?:walk){e<=1}", "brace that begins no count"),
        ("(unclosed", "missing \\)"),
        (r"\pL", "bad escape"),
        (r"\p{L}", "brace that begins no count"),
        ("(?R)", "unknown extension"),
        ("(?<=a+)b", "look-behind"),
        ("a" * 1001, "more than 1000 characters"),
        ("*", "nothing to repeat"),
        ("(?P<a>x)(?P<a>y)", "redefinition"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_at_once(pattern, reason):
    begin = time.thread_time()
    with pytest.raises(InputError, match=rf"`group` must be video or a regular expression\. Got .*{reason}") as error:
        PathPattern(pattern)
    assert time.thread_time() - begin < 1
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
