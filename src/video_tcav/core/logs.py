"""Logging: all loggers are below `video_tcav`, silent unless the program that uses the library, or the command line, listens."""

import logging
from collections.abc import Iterable

LOGGER = logging.getLogger("video_tcav")
# Of its own: the command line prints these lines with the results, and would show them twice.
RESULT_WARNINGS = logging.getLogger("video_tcav.results")


def log_warnings(lines: Iterable[str]) -> None:
    """Log what a reader must know before believing a result; called where the result is made, so once."""
    for line in lines:
        RESULT_WARNINGS.warning("%s", line)


def is_quiet() -> bool:
    """Whether not even warnings are logged; progress bars are not shown then."""
    return not LOGGER.isEnabledFor(logging.WARNING)
