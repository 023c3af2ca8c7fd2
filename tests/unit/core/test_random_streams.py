"""The table of random streams is complete, and its numbers stay apart."""

import re
from collections import Counter
from pathlib import Path

from video_tcav.core import random_streams

ROOT = Path(__file__).resolve().parents[3]
NUMBERS = {name: number for name, number in vars(random_streams).items() if name.isupper()}


def test_no_number_is_taken_twice_but_the_one_that_old_results_have():
    twice = {number for number, count in Counter(NUMBERS.values()).items() if count > 1}
    assert twice == {10}
    assert {name for name, number in NUMBERS.items() if number == 10} == {"POOL_HALVES", "RENDERED_FACTORS"}


def test_every_seed_names_its_stream():
    """A bare number beside `seed` would be a stream that the table does not know."""
    bare = re.compile(r"default_rng\(\s*\[\s*seed,[^\]]*\b\d+\b[^\]]*\]")
    for folder in ("src", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not bare.search(path.read_text(encoding="utf-8")), path


def test_every_stream_is_used():
    texts = "".join(
        path.read_text(encoding="utf-8")
        for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    )
    assert [name for name in NUMBERS if f"random_streams.{name}" not in texts] == []
