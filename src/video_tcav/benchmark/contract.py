"""What a foreign method gets and returns: plain tensors in, plain arrays out, each call checked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from video_tcav.attribution.attribution_map import Map, to_clip
from video_tcav.attribution.method import Method
from video_tcav.core.errors import EmptyMapError, MethodError
from video_tcav.models import VideoModel
from video_tcav.models.error_lines import typed_first_line
from video_tcav.models.video_model import state_digest

MOST_COMPONENTS = 100  # beyond, enlarged maps of all components would take gigabytes
Returned = TypeVar("Returned")
Array = Float[np.ndarray, "..."]


class AttributionFunction(Protocol):
    """A method of attribution, called with keywords, once for each clip.

    It may raise `NotImplementedError` where it does not apply to a model: that model is then left out, and said to be.

    Args:
        model: network in evaluation mode, a copy that is the method's own; its weights must stay as they are.
        clip: `(1, 3, time, height, width)`, as the model takes it.
        target: number of the class to explain.
        layer: module of `model`, its deepest stage; a method may look elsewhere. `(clip, channel, time, height, width)` in the
            networks of convolutions, `(clip, token, channel)` in the transformers, whose tokens are a grid of
            8 × 4 × 4 (time, height, width), width fastest.

    Returns:
        A map `(time, height, width)`, larger where the clip raised the class; on a smaller grid it is enlarged linearly between
        the middles of its cells. Negative values are allowed.
    """

    def __call__(self, *, model: nn.Module, clip: Tensor, target: int, layer: nn.Module) -> Any: ...


class ConceptFunction(Protocol):
    """A method that finds concepts in clips, called with keywords, three times for each model.

    It may raise `NotImplementedError`, see `AttributionFunction`.

    Args:
        model: see `AttributionFunction`.
        class_clips: `(clip, 3, time, height, width)` of the class to explain.
        random_clips: clips of other classes.
        new_clips: clips of both kinds in random order. Components are scored on them: find none in them.
        target: number of the class.
        layer: module of `model`, see `AttributionFunction`; here the stage before the deepest.
        seed: of the method's random draws.

    Returns:
        One mapping for each component, what raises the class most first. `map`: `(clip, time, height, width)` over `new_clips`,
        not negative, larger where the component is present, on any grid that is not finer than the clips. `direction`, if there
        is one: a vector in the space in which components were found. `presence`, if it is not the average of the map: one number
        for each of `new_clips`.
    """

    def __call__(
        self,
        *,
        model: nn.Module,
        class_clips: Tensor,
        random_clips: Tensor,
        new_clips: Tensor,
        target: int,
        layer: nn.Module,
        seed: int,
    ) -> Sequence[Mapping[str, Any]]: ...


class NotApplicable(Exception):
    """A method does not apply to a model; the message says why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Component:
    """One component as a method returned it, checked.

    Attributes:
        maps: on the grid of the method.
        presence: one number a clip.
        direction: empty where there is none.
    """

    maps: Float[np.ndarray, "clip time height width"]
    presence: Float[np.ndarray, " clip"]
    direction: Float[np.ndarray, " feature"]


@contextmanager
def network_for_method(model: VideoModel, method: str) -> Iterator[nn.Module]:
    """A copy of the network, which must come back unchanged: further maps would be those of another model.

    Raises:
        MethodError: if its weights or its mode have changed.
    """
    network = deepcopy(model.module)
    yield network
    if state_digest(network) != model.weights_digest or any(module.training for module in network.modules()):
        raise MethodError(
            f"`method` must leave the model as it was. Got {model.name} with other weights, or in training mode, from"
            f" {method}. Have it undo what it changes."
        )


def map_of_clip(
    method: AttributionFunction | Method, name: str, model: VideoModel, network: nn.Module, *, layer: str, clip: Tensor,
    target: int,
) -> Map:  # fmt: skip
    """The map of one clip on its own frames and pixels, with a clip dimension in front.

    Args:
        method: of any origin, or one of this package.
        name: of the method, for errors.
        model: to explain.
        network: the copy that the method gets.
        layer: that the method gets.
        clip: with a clip dimension in front.
        target: number of the class.

    Raises:
        MethodError: for an exception, or what is no map.
        NotApplicable: if the method says so.
    """
    shape = (clip.shape[2], clip.shape[3], clip.shape[4])
    if isinstance(method, Method):
        return _of_this_package(method, model, clip, target)
    returned = _called(
        name, lambda: method(model=network, clip=clip.clone(), target=target, layer=network.get_submodule(layer))
    )
    rule = f"return a map (time, height, width), at most {' × '.join(map(str, shape))}"
    values = _array(returned, name, rule, dims=3)
    if any(length > most for length, most in zip(values.shape, shape, strict=True)):
        raise _refused(name, rule, f"shape {values.shape}")
    return to_clip(torch.from_numpy(values)[None], shape)


def components_of(
    method: ConceptFunction,
    name: str,
    network: nn.Module,
    *,
    layer: str,
    clips: Mapping[str, Tensor],
    target: int,
    seed: int,
) -> list[Component]:
    """The components that a method finds, in its order.

    Args:
        method: of any origin.
        name: of the method, for errors.
        network: the copy that the method gets.
        layer: that the method gets.
        clips: the three sets by their keywords.
        target: number of the class.
        seed: of the method.

    Raises:
        MethodError: for an exception, or what are no components.
        NotApplicable: if the method says so.
    """
    copies = {keyword: tensor.clone() for keyword, tensor in clips.items()}
    returned = _called(
        name,
        lambda: list(method(model=network, target=target, layer=network.get_submodule(layer), seed=seed, **copies)),
    )
    if not 1 <= len(returned) <= MOST_COMPONENTS:
        raise _refused(name, f"return 1 to {MOST_COMPONENTS} components", f"{len(returned)}")
    count, _, *shape = clips["new_clips"].shape
    return [_component(entry, name, number, count, shape) for number, entry in enumerate(returned, start=1)]


def _component(entry: Any, name: str, number: int, count: int, shape: Sequence[int]) -> Component:
    """A component, checked."""
    allowed = {"map", "direction", "presence"}
    if not isinstance(entry, Mapping) or "map" not in entry or set(entry) - allowed:
        what = f"the keys {', '.join(map(str, entry))}" if isinstance(entry, Mapping) else f"a {type(entry).__name__}"
        raise _refused(name, "return mappings with map, and direction or presence where there is one", what)
    where = f" in component {number}"
    rule = f"return maps (clip, time, height, width) of {count} clips, at most {' × '.join(map(str, shape))}"
    maps = _array(entry["map"], name, rule, dims=4, where=where)
    if len(maps) != count or any(length > most for length, most in zip(maps.shape[1:], shape, strict=True)):
        raise _refused(name, rule, f"shape {maps.shape}{where}")
    if (maps < 0).any():
        raise _refused(name, "return maps of concepts that are not negative", f"{maps.min():.4g}{where}")
    presence = maps.mean((1, 2, 3))
    if entry.get("presence") is not None:
        rule = f"return a presence of each of {count} clips"
        presence = _array(entry["presence"], name, rule, dims=1, where=where)
        if len(presence) != count:
            raise _refused(name, rule, f"{len(presence)}{where}")
    direction = np.empty(0)
    if entry.get("direction") is not None:
        direction = _array(entry["direction"], name, "return directions that are vectors", dims=1, where=where)
        if not np.linalg.norm(direction) > 0:
            raise _refused(name, "return directions that are not zero", f"zero{where}")
    return Component(maps=maps, presence=presence, direction=direction)


def _of_this_package(method: Method, model: VideoModel, clip: Tensor, target: int) -> Map:
    """The map of a method of this package, or of a plug-in of its kind."""
    try:
        return method(model, clip, target=target).values()
    except EmptyMapError:  # nothing found is an answer: a map of zeros, scored as an even one
        return torch.zeros((1, *clip.shape[2:]))
    except MethodError as reason:
        raise NotApplicable(str(reason)) from reason


def _called(name: str, call: Callable[[], Returned]) -> Returned:
    """What a call of foreign code returns; gradients are on, whatever the caller has set."""
    try:
        with torch.enable_grad():
            return call()
    except NotImplementedError as reason:
        raise NotApplicable(typed_first_line(reason)) from reason
    except Exception as reason:  # any error of foreign code
        raise MethodError(
            f"`method` must run. Got {typed_first_line(reason)} from {name}. Call it by itself to see why."
        ) from reason


def _array(returned: Any, name: str, rule: str, *, dims: int, where: str = "") -> Array:
    """Finite real numbers with so many dimensions, none of them empty."""
    plain = returned.detach().cpu() if isinstance(returned, Tensor) else returned
    if isinstance(plain, Tensor) and plain.is_floating_point():
        plain = plain.float()  # NumPy has no bfloat16
    try:
        values = np.asarray(plain)
    except (ValueError, TypeError, RuntimeError) as reason:
        raise _refused(name, rule, f"{typed_first_line(reason)}{where}") from reason
    if values.dtype.kind not in "fiub":
        raise _refused(name, rule, f"a {type(returned).__name__} of {values.dtype}{where}")
    if values.ndim != dims or not values.size:
        raise _refused(name, rule, f"shape {values.shape}{where}")
    if not np.isfinite(values).all():
        raise _refused(name, rule, f"NaN or infinity{where}")
    return values.astype(np.float32)


def _refused(name: str, rule: str, value: str) -> MethodError:
    return MethodError(f"`method` must {rule}. Got {value} from {name}. See its contract in the documentation.")
