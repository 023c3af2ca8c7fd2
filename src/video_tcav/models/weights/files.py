"""Weights files and folders of them: safetensors, PyTorch checkpoints, shards with an index, output folders of trainers."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from video_tcav.core.errors import WeightsError
from video_tcav.core.files import read_json
from video_tcav.core.limits import shortened
from video_tcav.models.weights.safe_unpickling import load_pickled_tensors, unreadable

_WHOLE_FILES = ("model.safetensors", "pytorch_model.bin")
_INDEX_FILES = tuple(f"{name}.index.json" for name in _WHOLE_FILES)  # names of shards, as save_pretrained writes


def read_tensor_file(path: Path) -> tuple[Any, dict[str, str]]:
    """Content and metadata of a weights file, or of all shards that an index names."""
    if path.name.endswith(".index.json"):
        return _read_shards(path), {}
    # DeepSpeed's ZeRO leaves one file a process: global_step100/zero_pp_rank_0_mp_rank_00_model_states.pt.
    if re.match(r"(bf16_)?zero_pp_rank_\d+", path.name):
        raise _deepspeed_shards(path, path.parent.parent)
    if path.suffix != ".safetensors":
        return load_pickled_tensors(path), {}
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as reason:
        raise unreadable(path, reason) from reason


def weights_file_of(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The weights file of a folder (whole or the index of its shards), and notes on how it was chosen."""
    checkpoint, notes = checkpoint_folder(folder)
    check_no_adapter(checkpoint, "weights")
    for name in (*_WHOLE_FILES, *_INDEX_FILES):
        if (checkpoint / name).is_file():
            return checkpoint / name, notes
    _refuse_shards(checkpoint)
    names = sorted(path.name for path in checkpoint.iterdir())
    raise WeightsError(
        f"`weights` must be a file, or a folder with {' or '.join(_WHOLE_FILES)}. Got {checkpoint} with"
        f" {shortened(names, 5) or 'nothing'}. Give the file itself."
    )


def checkpoint_folder(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder itself if it holds weights, or else its `checkpoint-STEP` folder of the last step, with a note."""
    steps = {
        int(path.name.removeprefix("checkpoint-")): path
        for path in folder.glob("checkpoint-*")
        if path.is_dir() and re.fullmatch(r"checkpoint-\d{1,18}", path.name)
    }
    if not steps or any((folder / name).is_file() for name in (*_WHOLE_FILES, *_INDEX_FILES)):
        return folder, ()
    last = steps[max(steps)]
    note = f"Weights are those of {last.name}, the last of {len(steps)} checkpoint(s) in {folder}."
    trainer = last / "trainer_state.json"
    best = _read_object(trainer).get("best_model_checkpoint") if trainer.is_file() else None
    if isinstance(best, str) and Path(best).name != last.name:
        note += f" The trainer calls {Path(best).name} the best: give that folder to take it."
    return last, (note,)


def check_no_adapter(folder: Path, argument: str) -> None:
    """Refuse a folder with a PEFT adapter: it holds changes of a base model, not a model."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        return
    settings = _read_object(path)
    base = settings.get("base_model_name_or_path") or "an unnamed base model"
    raise WeightsError(
        f"`{argument}` must hold a whole model. Got {folder}, a PEFT adapter ({settings.get('peft_type', 'PEFT')}) for {base}."
        " Give the base model, and this folder as --adapter."
    )


def _read_shards(index: Path) -> dict[str, Tensor]:
    shard_of = _read_object(index).get("weight_map")
    if not isinstance(shard_of, Mapping) or not all(isinstance(shard, str) for shard in shard_of.values()):
        raise WeightsError(f"`weights` must have an index with a weight_map. Got {index} without. Save it again.")
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(shard_of.values())):
        path = index.parent / shard
        # A name with a folder in it would lead out of the checkpoint.
        if Path(shard).name != shard or not path.is_file():
            raise WeightsError(
                f"`weights` must have all shards beside their index. Got {index}, which names {shard!r}, without it."
                " Copy all files of the folder."
            )
        content, _ = read_tensor_file(path)
        tensors |= content if isinstance(content, Mapping) else {}
    missing = [name for name in shard_of if name not in tensors]
    if missing:
        raise WeightsError(
            f"`weights` must hold all tensors of their index. Got {index} without {shortened(missing, 3)}."
            " Copy all files of the folder again."
        )
    return tensors


def _refuse_shards(folder: Path) -> None:
    """Refuse what DeepSpeed and FSDP leave of a model that was spread over processes."""
    if next(folder.glob("*.distcp"), None) is not None:
        raise WeightsError(
            f"`weights` must be one whole model. Got {folder}, shards of torch.distributed.checkpoint. Merge them:"
            f" python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} merged.pt."
        )
    shards = [*folder.glob("global_step*"), *folder.glob("*zero_pp_rank_*")]
    if shards or (folder / "zero_to_fp32.py").is_file():
        inside = folder.name.startswith("global_step")
        raise _deepspeed_shards(folder, folder.parent if inside else folder)


def _deepspeed_shards(path: Path, root: Path) -> WeightsError:
    return WeightsError(
        f"`weights` must be one whole model. Got {path}, shards of DeepSpeed's ZeRO. Merge them with the script that DeepSpeed"
        f" put beside them: python {root / 'zero_to_fp32.py'} {root} merged."
    )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as reason:
        raise unreadable(path, reason) from reason
    if not isinstance(content, dict):
        raise WeightsError(f"`weights` must have a readable {path.name}. Got {path}, no JSON object. Save it again.")
    return content
