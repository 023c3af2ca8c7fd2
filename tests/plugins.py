"""Temporary packages that register kinds through entry points, as an installed plug-in does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from video_tcav.core.registry import Registry


def make_plugin(tmp_path: Path, group: str, name: str, source: str, attribute: str) -> Path:
    """A folder to put on `sys.path` or `PYTHONPATH`: a module, and the metadata that registers one of its attributes.

    Args:
        tmp_path: where the folder is made.
        group: of entry points, such as `video_tcav.models`.
        name: of the kind.
        source: Python source of the module.
        attribute: of the module: the kind.
    """
    module = f"plugin_{name}".replace("-", "_")
    folder = tmp_path / module
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{attribute}\n", encoding="utf-8")
    return folder


@contextmanager
def installed(folder: Path, registry: Registry[Any]) -> Iterator[None]:
    """The plug-in of that folder is registered inside, in this process; elsewhere put the folder on `PYTHONPATH`."""
    sys.path.insert(0, str(folder))
    vars(registry).pop("_added", None)  # a cached property
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        vars(registry).pop("_added", None)
        sys.modules.pop(folder.name, None)
