"""Safe reading of pickled checkpoints: tensors and plain containers, with inert stand-ins for every other type."""

import pickle
import pickletools
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from video_tcav.core.errors import WeightsError
from video_tcav.core.limits import shortened
from video_tcav.models.error_lines import first_line

# Training loops leave objects of these packages beside the weights: arguments, paths, numbers, dates, settings, metrics.
# None of them is imported or called: each is replaced by a stand-in that does nothing.
_HARMLESS_PACKAGES = frozenset(
    {
        *("argparse", "collections", "copyreg", "datetime", "decimal", "fractions", "pathlib", "types", "typing"),
        *("uuid", "zoneinfo", "pytz", "numpy", "addict", "easydict", "fvcore", "omegaconf", "yacs"),
        *("accelerate", "lightning", "lightning_fabric", "mmcv", "mmengine", "pytorch_lightning", "timm"),
        *("torchmetrics", "torchvision", "transformers"),
    }
)
_HARMLESS_MODULES = ("torch.optim.", "torch.torch_version.", "torch.utils.data.", "torch.distributed.")
_HARMLESS_BUILTINS = frozenset(
    {"bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "range", "slice", "str", "tuple", "type"}
)
# torch reports one refused name at a time; a checkpoint with more kinds of objects than this is no usual one.
_MOST_TYPES = 200


class _Inert:
    """Stands for an object of any type; takes every argument and state, and does nothing with them."""

    def __new__(cls, *_arguments: Any) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *_arguments: Any) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _InertDict:
    """Stands for a dict of another type (`addict.Dict`, `defaultdict`), whose items may be the weights.

    It makes an `OrderedDict`: torch sets items of no type of ours.
    """

    def __new__(cls, *_arguments: Any) -> OrderedDict[Any, Any]:
        return OrderedDict()


class _InertList(list[Any]):
    """Stands for a list of another type, such as a deque: items are appended to it."""

    def __init__(self, *_arguments: Any) -> None:
        super().__init__()


def load_pickled_tensors(path: Path) -> Any:
    """Content of a file that `torch.save` wrote, with tensors, plain containers and inert stand-ins only.

    Raises:
        WeightsError: if the file is damaged, a TorchScript archive, or holds objects of types that are not known to be
            harmless; the message names them.
    """
    stand_ins = {name: _stand_in(name) for name in _listed_globals(path)}
    # Each round registers the type that torch refused in the round before: old formats cannot be listed beforehand.
    while True:
        try:
            content = _load(path, stand_ins)
            break
        except pickle.UnpicklingError as reason:
            refused = re.search(r"GLOBAL (\S+)", str(reason))
            if refused is None:
                unknown = sorted(name for name in stand_ins if not _is_harmless(name))
                if unknown or _is_pickle(path):  # such as a method by `getattr`, which a stand-in cannot be called as
                    raise _refused_types(path, unknown, None) from None
                raise unreadable(path, reason) from reason
            name = refused[1]
            if "is blocked" in str(reason) or name in stand_ins or len(stand_ins) > _MOST_TYPES:
                raise _refused_types(path, [name], None) from None
            stand_ins[name] = _stand_in(name)
        except Exception as reason:  # torch raises many types on a damaged file
            if "torchscript" in str(reason).lower():
                raise WeightsError(
                    f"`weights` must hold tensors. Got {path}, a TorchScript archive, which is a program. Save"
                    " module.state_dict() of the scripted module."
                ) from reason
            raise unreadable(path, reason) from reason
    unknown = sorted(name for name in stand_ins if not _is_harmless(name))
    if unknown:
        raise _refused_types(path, unknown, content)
    return content


def unreadable(path: Path, reason: Exception) -> WeightsError:
    """The error for a file that is damaged or of no known format."""
    return WeightsError(f"`weights` must be a readable file. Got {path}: {first_line(reason)}. Fetch or save it again.")


def _load(path: Path, stand_ins: Mapping[str, Any]) -> Any:
    with (
        warnings.catch_warnings(),
        torch.serialization.safe_globals([(kind, name) for name, kind in stand_ins.items()]),
    ):
        warnings.simplefilter("ignore")  # about the pickle protocol
        return torch.load(path, map_location="cpu", weights_only=True)


def _listed_globals(path: Path) -> list[str]:
    """What torch's static reading of the file finds beyond tensors; empty where it cannot read the format."""
    with suppress(Exception):  # formats before torch 1.6, plain pickles and damaged files
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return []


def _stand_in(name: str) -> type:
    if name.endswith(("dict", "Dict", "CfgNode")):
        return _InertDict
    return _InertList if name.endswith(("deque", "List")) else _Inert


def _is_harmless(name: str) -> bool:
    return (
        name.partition(".")[0] in _HARMLESS_PACKAGES
        or name.removeprefix("builtins.") in _HARMLESS_BUILTINS
        or name.startswith(_HARMLESS_MODULES)
    )


def _refused_types(path: Path, names: list[str], content: Any) -> WeightsError:
    listed = f" of {shortened(names, 3)}" if names else ""
    keys = [str(key) for key in content] if isinstance(content, Mapping) else []
    beside = f" beside the keys {shortened(keys, 6)}" if keys else ""
    key = next((key for key in keys if key in ("state_dict", "model", "model_state", "module", "net")), None)
    item = f"['{key}']" if key else ""
    return WeightsError(
        f"`weights` must hold tensors only. Got {path}, a pickle that wants to run code{listed}{beside}. Only if you trust its"
        f" maker, save the tensors alone: python -c \"import torch; c = torch.load('{path.name}', weights_only=False);"
        f" torch.save(c{item}, 'tensors.pt')\"."
    )


def _is_pickle(path: Path) -> bool:
    """Whether the file is a whole pickle; it is read as text, never run."""
    try:
        with path.open("rb") as file:
            return sum(1 for _ in pickletools.genops(file)) > 0
    except Exception:  # pickletools raises many types on what is no pickle
        return False
