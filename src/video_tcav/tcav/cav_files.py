"""CAVs as a safetensors file that carries a digest of its tensors and metadata."""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.core.limits import check_regular
from video_tcav.core.tables import tensors_digest, write_tensors
from video_tcav.recording.feature_spaces import Space
from video_tcav.tcav.saved_cavs import SavedCav

NAME = "cavs.safetensors"
FORMAT = "video-tcav cavs 2"
FORMAT_WITHOUT_DIGEST = "video-tcav cavs 1"
"""Of version 0.1: read with a warning, since nothing but the length of its vectors tells a damaged one."""
_CURE = "Give the folder that `video-tcav test --out` wrote, or test again."
_LENGTH_TOLERANCE = 1e-3  # of a unit vector of millions of float32 values; one in bfloat16 is off by less, too

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _CavFacts(BaseModel):
    """What the metadata says about one tensor; names as in `SavedCav`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tensor: str
    concept: str
    versus: str
    layer: str
    space: Space
    concept_mean: _Finite
    random_mean: _Finite
    weights_digest: str
    auc: float = math.nan
    accuracy: float | None = None  # of version 0.1


_FACTS = TypeAdapter(list[_CavFacts])


def save_cavs(path: Path, cavs: Sequence[SavedCav]) -> None:
    """Write CAVs as one safetensors file."""
    tensors = {str(number): cav.vector for number, cav in enumerate(cavs)}
    facts = [
        {
            "tensor": str(number),
            **{field.name: getattr(cav, field.name) for field in fields(cav) if field.name != "vector"},
        }
        for number, cav in enumerate(cavs)
    ]
    text = json.dumps(facts)
    write_tensors(path, tensors, metadata={"format": FORMAT, "cavs": text, "digest": tensors_digest(text, tensors)})


def load_cavs(path: str | Path) -> tuple[SavedCav, ...]:
    """Read CAVs that a test or a run has saved, if they are what it wrote.

    A file of version 0.1 carries no digest. It is read with a warning.

    Args:
        path: the file, the folder of `test --out`, or the run directory of `run`.

    Raises:
        InputError: if the file holds none, or is damaged, or the folder has none, or several.
    """
    path = _file_in(Path(path))
    try:
        check_regular(Path(path))
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            _check_format(metadata, path)
            # copies: a view of a file that is cut off meanwhile would end the process
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if metadata["format"] == FORMAT and metadata["digest"] != tensors_digest(metadata["cavs"], tensors):
            raise _damaged(path, "other bytes than its digest says")
        cavs = _cavs(_FACTS.validate_json(metadata["cavs"]), tensors, path)
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(path, f"{'.'.join(map(str, first['loc']))[:80] or 'its metadata'}: {first['msg']}") from error
    except (OSError, SafetensorError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"`cavs` must be a readable safetensors file. Got {path} ({reason}). {_CURE}") from error
    if metadata["format"] == FORMAT_WITHOUT_DIGEST:
        warnings.warn(f"{path} is of version 0.1 and carries no digest: damage to it may go unnoticed.", stacklevel=2)
    return cavs


def _file_in(path: Path) -> Path:
    """The file itself, or that in the folder of a test or a run, which has one an analysis."""
    if not path.is_dir():
        return path
    files = [file for pattern in (NAME, f"analyses/*/{NAME}") for file in sorted(path.glob(pattern))]
    if len(files) == 1:
        return files[0]
    if not files:
        raise InputError(f"`cavs` must be a folder with {NAME}. Got {path}, which has none. {_CURE}")
    listed = ", ".join(str(file.parent) for file in files)
    raise InputError(f"`cavs` must be the CAVs of one analysis. Got {path}, which has several. Give one of: {listed}.")


def _check_format(metadata: Mapping[str, str], path: str | Path) -> None:
    names = {FORMAT: {"format", "cavs", "digest"}, FORMAT_WITHOUT_DIGEST: {"format", "cavs"}}
    wanted = names.get(metadata.get("format", ""))
    if wanted is None:
        raise InputError(f"`cavs` must be a file that a run has saved. Got {path}, of another format. {_CURE}")
    if set(metadata) != wanted:
        raise _damaged(path, f"metadata {', '.join(sorted(metadata))[:80]}")


def _cavs(facts: Sequence[_CavFacts], tensors: Mapping[str, Tensor], path: str | Path) -> tuple[SavedCav, ...]:
    if sorted(cav.tensor for cav in facts) != sorted(tensors):
        raise _damaged(path, "other tensors than its metadata names")
    for cav in facts:
        vector = tensors[cav.tensor]
        name = f"{cav.concept} at {cav.layer}"[:80]
        if vector.ndim != 1 or not vector.is_floating_point() or not len(vector):
            raise _damaged(path, f"{name}: no vector of numbers")
        length = float(torch.linalg.vector_norm(vector, dtype=torch.float64))
        if not (length == 0 or abs(length - 1) <= _LENGTH_TOLERANCE):  # zero: the layer tells nothing apart
            raise _damaged(path, f"{name}: a vector of length {length:.3g}")
        for measure in (cav.auc, cav.accuracy):
            if measure is not None and not (math.isnan(measure) or 0 <= measure <= 1):
                raise _damaged(path, f"{name}: an AUC or accuracy of {measure:.3g}")
    return tuple(
        SavedCav(vector=tensors[cav.tensor], **cav.model_dump(exclude={"tensor", "accuracy"})) for cav in facts
    )


def _damaged(path: str | Path, reason: str) -> InputError:
    return InputError(f"`cavs` must be as a run has saved it. Got {path}, which is damaged ({reason}). {_CURE}")
