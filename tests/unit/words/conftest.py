"""Fixtures of the tests of words."""

import pytest


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Embeddings are kept below the test's own folder."""
    monkeypatch.setenv("VIDEO_TCAV_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache-embeddings"
