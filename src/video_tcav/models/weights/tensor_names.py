"""Tensor names in checkpoints: wrapper prefixes, nested state dicts, averages of the weights (EMA, SWA)."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

# What torch.compile, activation checkpointing, FSDP and (Distributed)DataParallel put into the names of tensors.
_WRAPPERS = frozenset({"_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module", "module"})
_AVERAGE = re.compile(r"(^|[._])(ema|swa|averaged?|shadow|polyak)([._]|$)|(^|[._])model_?ema", re.IGNORECASE)
# Beside a network's tensors: weights of losses and states of metrics, by the first part of the name.
_LOSS_OR_METRIC = re.compile(
    r"(criterion|criteria|loss|metric)s?(_.*)?|.*_(criterion|loss|losses|loss_fn|metrics?)"
    r"|(train|val|valid|test)_(acc|accuracy|f1|auroc|top\d).*|n_averaged",
    re.IGNORECASE,
)
_DEEPEST_STATE_DICT = 4  # Lightning's callbacks: callbacks, the callback, its state, the state dict


@dataclass(frozen=True, kw_only=True)
class StateDict:
    """Tensors by name, at one place of a checkpoint."""

    tensors: Mapping[str, Tensor]
    location: str = ""  # keys that lead to it, joined by dots


@dataclass(frozen=True, kw_only=True)
class NameMatch:
    """A state dict in which one prefix maps all names of a module."""

    state_dict: StateDict
    prefix: str
    tensors: Mapping[str, Tensor]  # by the module's names
    sources: Mapping[str, str]  # the names that they have in the file
    surplus: tuple[str, ...]  # names under the prefix that the module does not have

    @property
    def label(self) -> str:
        """Location and prefix, by which a user can choose."""
        return ".".join(filter(None, (self.state_dict.location, self.prefix.rstrip("."))))

    @property
    def is_average(self) -> bool:
        """Whether the label says that these are averages over training (EMA, SWA)."""
        return _AVERAGE.search(self.label) is not None


def find_state_dicts(content: Any, location: str = "", depth: int = 0) -> Iterator[StateDict]:
    """Every mapping that holds tensors by name, from the outside in."""
    if (
        isinstance(content, list) and depth < _DEEPEST_STATE_DICT
    ):  # several probes, as evaluations of V-JEPA 2 save them
        for number, item in enumerate(content):
            if isinstance(item, Mapping):
                yield from find_state_dicts(item, f"{location}.{number}", depth + 1)
    if not isinstance(content, Mapping):
        return
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield StateDict(location=location, tensors=tensors)
    if depth < _DEEPEST_STATE_DICT:
        for key, value in content.items():
            if isinstance(key, str):
                yield from find_state_dicts(value, f"{location}.{key}" if location else key, depth + 1)


def match_names(state_dicts: Sequence[StateDict], wanted: Collection[str]) -> list[NameMatch]:
    """Every way to map all names of a module's tensors (`wanted`) by one prefix.

    By the names as they are; without any match, without the components that wrappers put into names; without any, for
    state dicts whose names are all names of the module without the prefix that these share.
    """
    # BatchNorm counts its batches only since PyTorch 0.4.1, and the count changes nothing in evaluation mode.
    required = [name for name in wanted if not name.endswith("num_batches_tracked")]
    exact = [match for content in state_dicts for match in _prefix_matches(content, content.tensors, wanted, required)]
    return exact or _unwrapped_matches(state_dicts, wanted) or _lacking_prefix(state_dicts, wanted, required)


def is_loss_or_metric(name: str) -> bool:
    """Whether a name is that of a loss's weight or a metric's state, by its first part."""
    return _LOSS_OR_METRIC.fullmatch(name.partition(".")[0]) is not None


def names_average(key: str) -> bool:
    """Whether a key is usual for averages of the weights over training."""
    return _AVERAGE.search(key) is not None


def shared_prefix(names: Collection[str]) -> str:
    """The first component with which all names begin, with its dot; empty without one."""
    first = next(iter(names), "").partition(".")[0] + "."
    return first if all(name.startswith(first) for name in names) else ""


def unwrapped_name(name: str) -> str:
    """The name without the components that wrappers put into it."""
    return ".".join(component for component in name.split(".") if component not in _WRAPPERS)


def _prefix_matches(
    state_dict: StateDict, tensors: Mapping[str, Tensor], wanted: Collection[str], required: Collection[str]
) -> Iterator[NameMatch]:
    if not required:
        return
    # The first name alone gives all candidates for a prefix, so that names are compared once for each of these.
    first = next(iter(required))
    prefixes = [name.removesuffix(first) for name in tensors if name == first or name.endswith(f".{first}")]
    for prefix in prefixes:
        if all(prefix + name in tensors for name in required):
            names = {name: prefix + name for name in wanted if prefix + name in tensors}
            used = set(names.values())
            yield NameMatch(
                state_dict=state_dict,
                prefix=prefix,
                tensors={name: tensors[source] for name, source in names.items()},
                sources=names,
                surplus=tuple(name for name in tensors if name.startswith(prefix) and name not in used),
            )


def _unwrapped_matches(state_dicts: Sequence[StateDict], wanted: Collection[str]) -> list[NameMatch]:
    """Matches where a wrapper's name stands inside the names (`backbone._orig_mod.conv`), in the file or the module."""
    plain = {unwrapped_name(name): name for name in wanted}
    matches = []
    for state_dict in state_dicts:
        originals = {unwrapped_name(name): name for name in state_dict.tensors}
        tensors = {name: state_dict.tensors[original] for name, original in originals.items()}
        if len(plain) < len(wanted) or len(tensors) < len(state_dict.tensors):
            continue  # two names would become one
        required = [name for name in plain if not name.endswith("num_batches_tracked")]
        for match in _prefix_matches(state_dict, tensors, plain, required):
            renamed = {plain[name]: tensor for name, tensor in match.tensors.items()}
            sources = {plain[name]: originals[source] for name, source in match.sources.items()}
            matches.append(replace(match, tensors=renamed, sources=sources))
    return matches


def _lacking_prefix(
    state_dicts: Sequence[StateDict], wanted: Collection[str], required: Collection[str]
) -> list[NameMatch]:
    """State dicts of the network inside a wrapper module: exactly the module's names without their shared prefix."""
    shared = shared_prefix(wanted)
    if not shared:
        return []
    inner = {name.removeprefix(shared) for name in wanted}
    least = {name.removeprefix(shared) for name in required}
    return [
        NameMatch(
            state_dict=content,
            prefix="",
            tensors={shared + name: tensor for name, tensor in content.tensors.items()},
            sources={shared + name: name for name in content.tensors},
            surplus=(),
        )
        for content in state_dicts
        if least and least <= set(content.tensors) <= inner
    ]
