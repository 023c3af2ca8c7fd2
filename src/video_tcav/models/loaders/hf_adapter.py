"""PEFT adapters (LoRA and others): loaded onto a model of Hugging Face and merged into its weights."""

import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from video_tcav.core.errors import MissingExtraError, WeightsError
from video_tcav.core.files import read_json
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.weights.files import checkpoint_folder, read_tensor_file

_FILES = ("adapter_model.safetensors", "adapter_model.bin")


def adapter_folder(folder: Path) -> Path:
    """The folder itself, or where a trainer left adapters in several `checkpoint-STEP` folders, the last of these."""
    if (folder / "adapter_config.json").is_file() or not folder.is_dir():
        return folder
    last, _ = checkpoint_folder(folder)
    return last


def adapter_tensors(folder: Path) -> dict[str, Any]:
    """The tensors of an adapter's folder, never unpickled.

    Raises:
        WeightsError: if the folder holds no adapter.
    """
    for name in _FILES if (folder / "adapter_config.json").is_file() else ():
        if (folder / name).is_file():
            return dict(read_tensor_file(folder / name)[0])
    raise WeightsError(
        f"`adapter` must be a folder with adapter_config.json and {_FILES[0]}. Got {folder}, which lacks them. Give the folder"
        " that save_pretrained wrote."
    )


def brought_names(tensors: Mapping[str, Any]) -> frozenset[str]:
    """Names of whole tensors, in the network, that an adapter brings with it (`modules_to_save`)."""
    return frozenset(name.removeprefix("base_model.model.") for name in tensors)


def head_outputs(tensors: Mapping[str, Any], name: str = "classifier") -> int | None:
    """How many outputs the head has that an adapter brings with it (`modules_to_save`); `None` if it brings none."""
    shapes = [tensor.shape for key, tensor in tensors.items() if key.endswith(f".{name}.weight")]
    return int(shapes[0][0]) if shapes else None


def with_adapter(module: nn.Module, folder: Path) -> tuple[nn.Module, str]:
    """The network with an adapter merged into its weights, so that its layers keep their names; and a note of it.

    Raises:
        MissingExtraError: without peft.
        WeightsError: if the adapter does not fit, or is of a kind that cannot be merged.
    """
    try:
        peft: Any = import_module("peft")
    except ImportError as reason:
        raise MissingExtraError("peft", f"The adapter {folder}") from reason
    tensors = adapter_tensors(folder)
    settings = read_json(folder / "adapter_config.json")
    kind = settings.get("peft_type", "PEFT") if isinstance(settings, dict) else "PEFT"
    try:
        # adapters are initialised at random before they are read; tensors that lack are warned of, and checked below
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted = peft.PeftModel.from_pretrained(module, str(folder))
        # what the network got, by name; peft is silent about tensors that fit nowhere
        placed = set(peft.get_peft_model_state_dict(adapted))
        if misfits := set(tensors) - placed:
            raise WeightsError(
                f"`adapter` must fit the model. Got {folder} with {len(misfits)} tensors for other layers, such as"
                f" {min(misfits)}. Give the model that it was trained on."
            )
        if missing := placed - set(tensors):  # they would stay as they were initialised
            raise WeightsError(
                f"`adapter` must hold all tensors of its configuration. Got {folder} with {len(missing)} missing, such as"
                f" {min(missing)}. Give the folder as it was saved."
            )
        merged = adapted.merge_and_unload()
    except WeightsError:
        raise
    except Exception as reason:  # peft raises whatever its kinds of adapters do
        raise WeightsError(
            f"`adapter` must fit the model and be of a kind that can be merged. Got {kind} in {folder}:"
            f" {typed_first_line(reason)}. Merge it where it was trained, and give the result."
        ) from reason
    return merged, f"The {kind} adapter of {folder} is merged into the weights.{_other_base(module, settings)}"


def _other_base(module: Any, settings: Mapping[str, Any]) -> str:
    """A sentence where an adapter was trained on a model of another name: it may fit by shapes, and yet mean nothing."""
    base, trained_on = getattr(module, "name_or_path", ""), settings.get("base_model_name_or_path")
    if not base or not trained_on or base == trained_on:
        return ""
    # Folders are moved, but checkpoints of two trainings have the same names.
    name = Path(base).name
    if name == Path(str(trained_on)).name and not name.startswith("checkpoint-"):
        return ""
    return f" It was trained on {trained_on}, not on {base}: outputs are right only if both have the same weights."
