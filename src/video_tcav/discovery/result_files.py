"""The files of a discovery: `results.json` and tables, and the maps of components as safetensors; and reading them back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from video_tcav.core.files import read_json
from video_tcav.core.result_files import RESULTS, reading_result, row_of, write_result
from video_tcav.core.tables import write_csv, write_parquet, write_tensors
from video_tcav.discovery.component import Component
from video_tcav.discovery.explained import explained_of
from video_tcav.discovery.maps import ComponentMaps
from video_tcav.discovery.result import DiscoveredClip, DiscoveryResult
from video_tcav.media import Skipped
from video_tcav.models.axes.spacing import Spacing
from video_tcav.words import NameSuggestion, NameSuggestions

MAPS = "maps.safetensors"
_NOT_TAKEN_OUT = dict.fromkeys(("removed", "removed_low", "removed_high", "removed_elsewhere", "removed_p"))
"""What components of earlier versions lack, which slopes alone confirmed."""


def save_discovery(folder: Path, result: DiscoveryResult) -> None:
    """Write tables first, then maps.

    Raises:
        UnsavedResultError: if any file cannot be written, with the result and what is there.
    """
    writers: dict[str, Callable[[Path], object]] = {
        RESULTS: result.to_json,
        "results.csv": lambda path: write_csv(path, result.to_frame()),
        "presences.parquet": lambda path: write_parquet(path, result.presence_frame()),
        MAPS: lambda path: _write_maps(path, result),
    }
    write_result(folder, result, writers)


def is_discovery(folder: Path) -> bool:
    """Whether a folder holds the result of a discovery."""
    return (folder / RESULTS).is_file() and (folder / MAPS).is_file()


def load_discovery(folder: str | Path) -> DiscoveryResult:
    """Read what `discover(…, out=folder)` wrote.

    Raises:
        InputError: if the folder holds no discovery, or a file of it is damaged.
    """
    path = Path(folder)
    with reading_result(path, of="a discovery", command="discover"):
        content = read_json(path / RESULTS)
        return _result(content, _read_maps(path / MAPS))


def _result(content: Mapping[str, Any], maps: tuple[ComponentMaps, ...]) -> DiscoveryResult:
    provenance = dict(content["provenance"])
    seconds = provenance.pop("seconds")
    return DiscoveryResult(
        **{name: content[name] for name in ("target", "against", "at", "method", "alpha")},
        components=tuple(_component(row) for row in content["components"]),
        names={name: _suggestions(each) for name, each in content.get("suggested_names", {}).items()},
        explained=explained_of(content.get("explained")),
        clips=tuple(DiscoveredClip(**clip) for clip in content["clips"]),
        presences={name: np.asarray(values, dtype=float) for name, values in content["presences"].items()},
        maps=maps,
        skipped=tuple(Skipped(**each) for each in content["skipped"]),
        warnings=tuple(content["warnings"]),
        provenance=provenance,
        seconds=seconds,
    )


def _component(row: Mapping[str, Any]) -> Component:
    return row_of(Component, {**_NOT_TAKEN_OUT, "confirmed_by": "slope" if row["confirmed"] else "", **row})


def _suggestions(content: Mapping[str, Any]) -> NameSuggestions:
    words = [row_of(NameSuggestion, each) for each in content["suggestions"]]
    skipped = tuple(Skipped(**each) for each in content["skipped"])
    return NameSuggestions(**{**content, "suggestions": tuple(words), "skipped": skipped})


def _write_maps(path: Path, result: DiscoveryResult) -> None:
    tensors = {maps.layer: torch.from_numpy(np.ascontiguousarray(maps.values)) for maps in result.maps}
    described = {
        maps.layer: {
            "clips": list(maps.clips),
            "spacings": [asdict(spacing) for spacing in maps.spacings],
            "clip_shape": list(maps.clip_shape),
        }
        for maps in result.maps
    }
    write_tensors(path, tensors, metadata={"layers": json.dumps(described)})


def _read_maps(path: Path) -> tuple[ComponentMaps, ...]:
    with safe_open(path, "pt") as file:
        described = json.loads(file.metadata()["layers"])
        return tuple(
            ComponentMaps(
                layer=layer,
                clips=tuple(facts["clips"]),
                values=file.get_tensor(layer).numpy(),
                spacings=tuple(Spacing(**spacing) for spacing in facts["spacings"]),
                clip_shape=tuple(facts["clip_shape"]),
            )
            for layer, facts in described.items()
        )
