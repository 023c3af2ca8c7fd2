"""Weights: read without running code, matched with a module by name and shape; class names and clip settings in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from video_tcav.core.errors import InputError, WeightsError
from video_tcav.core.limits import shortened
from video_tcav.models.class_names import check_class_names, parse_class_names
from video_tcav.models.clip_fields import parse_clip_fields
from video_tcav.models.weights.files import read_tensor_file, weights_file_of
from video_tcav.models.weights.tensor_names import (
    NameMatch,
    StateDict,
    find_state_dicts,
    is_loss_or_metric,
    match_names,
    names_average,
)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The content of one weights file.

    Attributes:
        path: the file.
        state_dicts: all mappings of tensors in the file.
        metadata: what a safetensors file says about itself; empty for other files.
        keys: of the file's outermost mapping.
        choice: the state dict or prefix that the user asked for, written behind the path: `file.pt::model_ema`.
        notes: what was decided or left out at loading, one sentence each.
    """

    path: Path | str
    state_dicts: tuple[StateDict, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    choice: str = ""
    notes: tuple[str, ...] = ()

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Those of the largest state dict."""
        return max((content.tensors for content in self.state_dicts), key=len)


def read_weights(path: str | Path) -> Weights:
    """Tensors of a safetensors or torch file; never unpickles anything else.

    Args:
        path: a file; a folder with such a file, its shards or `checkpoint-STEP` folders; `PATH::KEY` where the file holds
            several sets of weights, such as `epoch.ckpt::model_ema`.
    """
    file, separator, choice = str(path).rpartition("::")
    is_choice = separator and choice and not Path(path).exists()
    path, choice = (Path(file), choice) if is_choice else (Path(path), "")
    notes: tuple[str, ...] = ()
    if path.is_dir():
        path, notes = weights_file_of(path)
    if not path.is_file():
        raise WeightsError(f"`weights` must be a file. Got {path}, which does not exist. Check the path.")
    content, metadata = read_tensor_file(path)
    state_dicts = tuple(find_state_dicts(content))
    if not state_dicts:
        raise WeightsError(
            f"`weights` must be a state dict: tensors by name. Got {path} with something else: {_describe(content)}."
            " Save module.state_dict() with safetensors."
        )
    keys = tuple(str(key) for key in content)
    return Weights(path=path, state_dicts=state_dicts, metadata=metadata, keys=keys, choice=choice, notes=notes)


def metadata_classes(content: Weights | None) -> tuple[str, ...] | None:
    """Class names in the metadata of weights, checked as those of the user are; `None` without them."""
    if content is None or "classes" not in content.metadata:
        return None
    source = f"the metadata of {content.path}"
    try:
        return check_class_names(parse_class_names(content.metadata["classes"], source), source)
    except InputError as reason:
        raise WeightsError(str(reason)) from reason


def metadata_fields(content: Weights | None) -> dict[str, Any]:
    """Clip settings in the metadata of weights; empty without them."""
    return {} if content is None else parse_clip_fields(content.metadata, source=str(content.path), error=WeightsError)


def fit_weights(module: nn.Module, weights: Weights) -> tuple[str, ...]:
    """Load the tensors into the module, nothing unless all of them fit; returns notes of what was left out or chosen.

    Raises:
        WeightsError: naming the first tensors that differ in shape, are missing, or are not of this model; or the sets of
            weights among which the user must choose.
    """
    wanted = module.state_dict()
    matched = match_weights(wanted, weights)
    _check_types(wanted, matched)
    module.load_state_dict(dict(matched.tensors), strict=False)
    return matched.notes


def _check_types(wanted: Mapping[str, Tensor], matched: Weights) -> None:
    """Refuse what cannot be copied as it is: quantised integers for fractions, complex numbers, sparse tensors."""
    for name, tensor in matched.tensors.items():
        # The count of batches may be stored as any integer or float; evaluation does not use it.
        if _number_type(tensor) != _number_type(wanted[name]) and not name.endswith("num_batches_tracked"):
            layout = "" if tensor.layout == torch.strided else f", {tensor.layout}"
            raise WeightsError(
                f"`weights` must hold numbers of the model's kind. Got {matched.path} with {name} as {tensor.dtype}{layout}"
                f" where the model has {wanted[name].dtype}. Save the weights as plain float32."
            )


def _number_type(tensor: Tensor) -> tuple[object, ...]:
    return tensor.is_floating_point(), tensor.is_complex(), tensor.layout, tensor.is_quantized


def match_weights(wanted: Mapping[str, Tensor], weights: Weights, *, any_shape: bool = False) -> Weights:
    """The weights by the names of a module's state dict (`wanted`), with notes of what was taken off, left out or chosen.

    `any_shape` matches by name alone, where the size of the head is read from the weights.
    """
    matches = match_names(weights.state_dicts, wanted)
    chosen = [match for match in matches if _is_chosen(match, weights.choice)]
    if matches and not chosen:
        raise WeightsError(
            f"`weights` must hold {weights.choice}. Got {weights.path} with"
            f" {', '.join(match.label or 'one set of weights at the top' for match in matches)}. Choose one of these."
        )
    clean = [match for match in chosen if not _unexpected(match, matches)]
    fitting = [
        match
        for match in clean
        if any_shape or all(tensor.shape == wanted[name].shape for name, tensor in match.tensors.items())
    ]
    if not fitting:
        raise _misfit(wanted, weights, (clean or chosen or [None])[0], matches, any_shape=any_shape)
    match, notes = choose_match(fitting, weights)
    notes = (*weights.notes, *notes, *_name_notes(match, weights))
    return replace(weights, state_dicts=(StateDict(tensors=match.tensors),), choice="", notes=notes)


def choose_match(matches: list[NameMatch], weights: Weights) -> tuple[NameMatch, tuple[str, ...]]:
    """The set of weights to take among those that fit, with notes: the plain one before averages of it."""
    plain = [match for match in matches if not match.is_average] or matches
    distinct = [match for i, match in enumerate(plain) if not any(_equal(match, earlier) for earlier in plain[:i])]
    # Lightning's WeightAveraging exchanges the two when it saves; load_from_checkpoint reads the averages.
    is_swapped = len(distinct) > 1 and {"current_model_state", "averaging_state"} <= set(weights.keys)
    if is_swapped:
        distinct = [match for match in distinct if match.state_dict.location != "current_model_state"]
    if len(distinct) > 1:
        labels = [match.label or "the top" for match in distinct]
        raise WeightsError(
            f"`weights` must be one set of weights. Got {weights.path} with {len(labels)} that fit: {', '.join(labels)}."
            f" Say which: {weights.path}::{labels[-1]}."
        )
    return distinct[0], (_LIGHTNING_AVERAGES,) if is_swapped else _average_notes(distinct[0], weights)


_LIGHTNING_AVERAGES = (
    "Weights are those of state_dict, where Lightning keeps averages; the plain ones are ::current_model_state."
)


def _average_notes(match: NameMatch, weights: Weights) -> tuple[str, ...]:
    label = match.label or "the plain weights"
    # AveragedModel (SWA) counts in n_averaged; its tensors have the usual names.
    if match.is_average or "n_averaged" in match.state_dict.tensors:
        return (f"Weights are averages over training, as {label} in {weights.path} holds them.",)
    if weights.choice:
        return ()
    if {"ema_state_dict", "message_hub"} <= set(weights.keys):
        # mmengine's EMAHook swaps the two when it saves.
        return ("Weights are those of state_dict, where mmengine keeps averages; the plain ones are ::ema_state_dict.",)
    keys = [key.partition(".")[0] for key in weights.keys]
    keys += [content.location for content in weights.state_dicts]
    keys += [name.partition(".")[0] for name in _left_out(match)]
    averages = [key for key in dict.fromkeys(keys) if names_average(key)]
    if not averages:
        return ()
    return (
        f"Weights are the plain ones ({label}), not the averages ({averages[0]}) that {weights.path} also holds; to take"
        f" those, write {weights.path}::{averages[0]}.",
    )


def _name_notes(match: NameMatch, weights: Weights) -> tuple[str, ...]:
    notes = []
    if match.state_dict.location:
        notes.append(f"Weights were read from {match.state_dict.location} in {weights.path}.")
    if match.prefix:
        notes.append(f"The prefix {match.prefix!r} was taken off the names of {weights.path}.")
    if any(source != match.prefix + name for name, source in match.sources.items()):
        notes.append(f"Names of {weights.path} were matched without the components that wrapper modules put into them.")
    if left_out := _left_out(match):
        notes.append(f"Left out of {weights.path}: {shortened(left_out, 4)}, which the model does not have.")
    return tuple(notes)


def _left_out(match: NameMatch) -> list[str]:
    used = set(match.sources.values())
    return [name for name in match.state_dict.tensors if name not in used]


def _is_chosen(match: NameMatch, choice: str) -> bool:
    choice = choice.rstrip(".")
    return not choice or f"{match.label}.".startswith(f"{choice}.") or match.prefix.startswith(f"{choice}.")


def _unexpected(match: NameMatch, matches: list[NameMatch]) -> list[str]:
    """Surplus names that are no loss's or metric's, nor those of another set of weights."""
    siblings = [sibling for sibling in matches if sibling.state_dict is match.state_dict]
    prefixes = tuple(sibling.prefix for sibling in siblings if sibling.prefix not in ("", match.prefix))
    names = [name for name in match.surplus if not name.startswith(prefixes)]
    return [name for name in names if not is_loss_or_metric(name.removeprefix(match.prefix))]


def _equal(match: NameMatch, earlier: NameMatch) -> bool:
    shared = match.tensors.keys() & earlier.tensors.keys()
    return all(torch.equal(match.tensors[name], earlier.tensors[name]) for name in shared)


def _misfit(
    wanted: Mapping[str, Tensor],
    weights: Weights,
    match: NameMatch | None,
    matches: list[NameMatch],
    *,
    any_shape: bool,
) -> WeightsError:
    tensors = weights.tensors if match is None else match.tensors
    reshaped = [
        f"{name} {tuple(tensors[name].shape)} where the model has {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape and not any_shape
    ]
    missing = [name for name in wanted if name not in tensors and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in tensors if name not in wanted] if match is None else _unexpected(match, matches)
    lists = {"of another shape": reshaped, "missing": missing, "unexpected": unexpected}
    problems = "; ".join(f"{len(names)} {problem}: {shortened(names, 3)}" for problem, names in lists.items() if names)
    is_flat = len(weights.state_dicts) < 2 and set(weights.keys) <= set(tensors)
    keys = "" if is_flat else f" Its keys: {shortened(weights.keys, 4)}."
    return WeightsError(
        f"`weights` must fit the model. Got {weights.path} with {problems}.{keys}"
        " Give the weights of this architecture and number of classes."
    )


def _describe(content: Any) -> str:
    if not isinstance(content, Mapping):
        return type(content).__name__
    items = [f"{key} ({type(value).__name__})" for key, value in content.items()]
    return f"the keys {shortened(items, 4)}" if items else "nothing"
