"""Provenance of a result: versions of packages, platform, time and command."""

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from video_tcav._version import __version__

_PACKAGES = ("torch", "torchvision", "transformers", "av", "numpy", "scipy", "scikit-learn", "statsmodels")


def provenance(**facts: Any) -> dict[str, Any]:
    """Versions, platform and time of this run, followed by `facts`."""
    return {
        "video_tcav": __version__,
        "python": platform.python_version(),
        "packages": {name: number for name in _PACKAGES if (number := package_version(name))},
        "platform": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        **facts,
    }


def package_version(package: str) -> str | None:
    """Version of an installed package; `None` for one that is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
