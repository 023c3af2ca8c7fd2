"""CAVs as a file: unit vectors in activation space that can score clips the run has never seen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.errors import InputError, ModelError, ShapeError
from video_tcav.core.files import atomic_path
from video_tcav.core.progress import progress_bar
from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target
from video_tcav.tcav.cavs import fit_cavs, unit_coefficients
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.gram import BLOCK_BYTES, Gram, block_columns, combine_rows
from video_tcav.tcav.passes import ClipId, Recorder
from video_tcav.tcav.result import ConceptResult
from video_tcav.tcav.spaces import Space
from video_tcav.tcav.store import RowStore, SpillSpace, parse_bytes

FORMAT = "video-tcav cavs 1"


@dataclass(frozen=True, kw_only=True)
class SavedCav:
    """One CAV and what is needed to read it.

    Attributes:
        concept: its name.
        versus: what it was learned against.
        layer: dotted module name.
        space: feature space.
        vector: unit vector, pointing towards the concept.
        concept_mean: where the average concept clip projects on it.
        random_mean: where the average random clip does.
        weights_digest: of the model that it belongs to.
        accuracy: cross-validated balanced accuracy.
    """

    concept: str
    versus: str
    layer: str
    space: Space
    vector: Float[Tensor, " feature"]
    concept_mean: float
    random_mean: float
    weights_digest: str
    accuracy: float


def save_cavs(
    path: Path,
    recorder: Recorder,
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    results: Sequence[ConceptResult],
) -> None:
    """Write the CAV of each comparison at each layer (not those of the twins) as one safetensors file."""
    tensors: dict[str, Tensor] = {}
    facts: list[dict[str, object]] = []
    accuracy = {(r.concept, r.versus, r.layer): r.cav_accuracy for r in results if r.twin == "none"}
    for layer, gram in grams.items():
        store = recorder.activations[layer]
        coefficients = np.zeros((len(comparisons) + 1, store.rows))
        coefficients[-1] = 1 / store.rows  # the origin of Gram space
        for index, one in enumerate(comparisons):
            rows, kind = one.rows["none"], results[0].cav
            kernel = gram.kernel[np.ix_(rows, rows)]
            coefficients[index, rows] = unit_coefficients(kernel, fit_cavs(kind, kernel, one.design.labels[None]))[0]
        vectors = combine_rows(store, range(store.rows), coefficients)
        offsets = (vectors[:-1].double() @ vectors[-1].double()).tolist()
        for index, one in enumerate(comparisons):
            rows, labels = one.rows["none"], one.design.labels
            projected = coefficients[index] @ gram.kernel[:, rows] + offsets[index]
            name = f"{index}/{layer}"
            tensors[name] = vectors[index].contiguous()
            facts.append(
                {
                    "tensor": name,
                    "concept": one.concept,
                    "versus": one.versus,
                    "layer": layer,
                    "space": recorder.space,
                    "concept_mean": float(projected[labels].mean()),
                    "random_mean": float(projected[~labels].mean()),
                    "weights_digest": recorder.model.weights_digest,
                    "accuracy": accuracy[one.concept, one.versus, layer],
                }
            )
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"format": FORMAT, "cavs": json.dumps(facts)})


def load_cavs(path: str | Path) -> tuple[SavedCav, ...]:
    """Read CAVs that a run has saved.

    Raises:
        InputError: if the file holds none.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise InputError(
                    f"`cavs` must be a file that a run has saved. Got {path}. Give the cavs.safetensors of --out."
                )
            facts = json.loads(metadata["cavs"])
            return tuple(SavedCav(vector=file.get_tensor(one.pop("tensor")), **one) for one in facts)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"`cavs` must be a readable safetensors file. Got {path} ({error}). Give the cavs.safetensors of --out."
        ) from error


def score_clips(
    model: VideoModel,
    cavs: Sequence[SavedCav],
    clips: Sources,
    *,
    target: str | int | None = None,
    against: str = "log_odds",
    windows: int = 1,
    memory: str | int = "2GB",
    progress: bool = False,
) -> pd.DataFrame:
    """How much of each concept is in each clip and, for a target, how much more of it would raise the target.

    Args:
        model: the model that the CAVs were learned on.
        cavs: from `load_cavs`.
        clips: any clips.
        target: class whose directional derivative is wanted, by name or number.
        against: as in `run_tcav`.
        windows: clips taken from each video.
        memory: budget for activations and gradients.
        progress: whether to show a progress bar.

    Returns:
        One row a clip and CAV: `path`, `window`, `layer`, `concept`, `versus`, `presence` (0 for the average random clip,
        1 for the average concept clip) and `directional_derivative` (in target units per unit of activation).

    Raises:
        ModelError: if the CAVs were learned on other weights.
        InputError: if there is no CAV, or no clip can be used.
    """
    if not cavs:
        raise InputError("`cavs` must hold at least one CAV. Got none. Load them with load_cavs.")
    if any(cav.weights_digest != model.weights_digest for cav in cavs):
        raise ModelError(
            "`cavs` must be learned on this model. Got CAVs of other weights. Load the model they were learned on."
        )
    sources = as_sources(clips)
    layers, space = tuple(dict.fromkeys(cav.layer for cav in cavs)), cavs[0].space
    with TemporaryDirectory(prefix="video-tcav-") as spill:
        storage = SpillSpace(parse_bytes(memory), Path(spill))
        recorder = Recorder(model=model, layers=layers, space=space, storage=storage, windows=windows)
        with progress_bar(
            "model passes (videos)", len(sources) * (1 + (target is not None)), visible=progress
        ) as advance:
            recorder.record_concepts(sources, ("none",), advance)
            if target is not None:
                recorder.record_class(sources, parse_target(model, target, against), advance)
        if not recorder.rows:
            raise InputError(
                f"`clips` must hold a clip that can be used. Got: {recorder.skipped[0].reason}. Give other clips."
            )
        rows = [row for cav in cavs for row in _scored(recorder, cav, target is not None)]
    return pd.DataFrame(rows)


def _scored(recorder: Recorder, cav: SavedCav, with_target: bool) -> list[dict[str, object]]:
    projected = _project(recorder.activations[cav.layer], recorder.rows, cav.vector)
    derivative = _project(recorder.gradients[cav.layer], recorder.class_rows, cav.vector) if with_target else {}
    span = cav.concept_mean - cav.random_mean
    return [
        {
            "path": clip.source,
            "window": clip.window,
            "layer": cav.layer,
            "concept": cav.concept,
            "versus": cav.versus,
            "presence": (value - cav.random_mean) / span,
            **({"directional_derivative": derivative[clip]} if with_target else {}),
        }
        for clip, value in projected.items()
    ]


def _project(store: RowStore, rows: Mapping[ClipId, int], vector: Float[Tensor, " feature"]) -> dict[ClipId, float]:
    if len(vector) != store.width:
        raise ShapeError(
            f"`cavs` must fit the clips. Got CAVs of {len(vector)} values and clips that give {store.width}. "
            "Load the model with the --frames and --size of the run that saved them."
        )
    used = list(rows.values())
    columns = block_columns(len(used), store, BLOCK_BYTES)
    total, start = torch.zeros(len(used), dtype=torch.float64), 0
    for block in store.column_blocks(used, columns):
        total += (block @ vector[start : start + block.shape[1]].to(block.dtype)).double()
        start += block.shape[1]
    return dict(zip(rows, total.tolist(), strict=True))
