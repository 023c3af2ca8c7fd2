"""`video-tcav audit`: what it prints and writes, and what it refuses."""

from tests.unit.cli.conftest import *  # noqa: F403
