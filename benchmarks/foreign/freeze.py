"""Digests of a new version of the benchmark: writes `frozen.json`; a version that stands there must be the same still."""

from typing import Any

import numpy as np

from video_tcav.benchmark.models import benchmark_models
from video_tcav.benchmark.versions import ATTRIBUTION, CONCEPTS, FROZEN, TOLERANCE, Version, fingerprint
from video_tcav.core.errors import InputError
from video_tcav.core.files import read_json, write_json
from video_tcav.rendered.rules import RULES


def freeze() -> None:
    """Add versions that are new; a frozen one that has changed is refused: give the change a name of its own."""
    frozen: dict[str, Any] = read_json(FROZEN) if FROZEN.exists() else {}
    for version in (*ATTRIBUTION, *CONCEPTS):
        facts = facts_of(version)
        if not _same(frozen.setdefault(version.name, facts), facts):
            raise InputError(f"`{version.name}` must stay as it is frozen. Got a change. Give it a name of its own.")
    write_json(FROZEN, frozen)


def facts_of(version: Version) -> dict[str, Any]:
    """What is kept of a version."""
    return {
        "models": {model.name: model.weights_digest for model, _ in benchmark_models()},
        "clips": {name: fingerprint(version, rule, version.clips_of(rule)) for name, rule in RULES.items()},
    }


def _same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    digests = [{name: clips["digest"] for name, clips in facts["clips"].items()} for facts in (first, second)]
    cells = [[clips["cells"] for clips in facts["clips"].values()] for facts in (first, second)]
    near = np.allclose(*cells, rtol=0, atol=TOLERANCE)
    return first["models"] == second["models"] and digests[0] == digests[1] and near


if __name__ == "__main__":
    freeze()
