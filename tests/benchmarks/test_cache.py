"""`benchmarks.cache` on a few clips."""

from benchmarks.cache import measure


def test_every_kind_of_work_is_timed(tmp_path):
    seconds = measure(tmp_path / "store", 10, [5, 3], batch=4, durable=False)
    assert list(seconds) == ["add", "find and check", "info", "verify", "prune half"]
    assert all(value > 0 for value in seconds.values())
