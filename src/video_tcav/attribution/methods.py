"""Attribution methods by name: those of this package, and those that other packages add through entry points.

[project.entry-points."video_tcav.attribution"]
mycam = "my_package.mycam:MyCAM"
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from inspect import isabstract
from types import ModuleType
from typing import Any

from video_tcav.attribution import cam, channel_cam, input_gradients, occlusion, optimised_masks, rise, rollout
from video_tcav.attribution.method import Method
from video_tcav.attribution.perturbation import Baseline
from video_tcav.core.errors import MethodError, PluginError
from video_tcav.core.registry import Registry

# What a method does that has the setting; for messages about settings that no chosen method has.
_SETTING_USES = {"layers": "looks at layers", "baseline": "hides parts of the clip"}


def _classes_of(module: ModuleType) -> dict[str, str]:
    """The methods that a module defines, by name, as the registry takes them: a class needs no list that it is added to."""
    return {
        kind.name: f"{module.__name__}:{kind.__qualname__}"
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Method) and kind.__module__ == module.__name__
        if not isabstract(kind)
    }


# In the order of `explain --methods`: by layer from one pass, by layer from many, attention, pixels.
ATTRIBUTION_METHODS: Registry[type[Method]] = Registry(
    "video_tcav.attribution",
    "method",
    {
        name: location
        for module in (cam, channel_cam, rollout, input_gradients, occlusion, rise, optimised_masks)
        for name, location in _classes_of(module).items()
    },
    members=("name", "attribute"),
)


class _Methods(Mapping[str, type[Method]]):
    """The registry as a mapping; a class of another package is imported when it is looked up."""

    def __getitem__(self, name: str) -> type[Method]:
        if name not in self:
            raise MethodError(f"`method` must be one of {', '.join(self)}. Got {name!r}. Choose one of them.")
        method = ATTRIBUTION_METHODS[name]
        if not (isinstance(method, type) and issubclass(method, Method) and method.name == name):
            raise PluginError(
                f"`method` {name} must be a subclass of video_tcav.attribution.Method with that `name`. Got {method!r}."
                " Repair or uninstall the package that adds it."
            )
        return method

    def __contains__(self, name: object) -> bool:
        # By name alone: looking a method up would import the package that adds it.
        return name in ATTRIBUTION_METHODS.names()

    def __iter__(self) -> Iterator[str]:
        return iter(ATTRIBUTION_METHODS.names())

    def __len__(self) -> int:
        return len(ATTRIBUTION_METHODS.names())


METHODS: Mapping[str, type[Method]] = _Methods()
"""By name; `ConceptMap` and `ClampMap` are not among them: they need CAVs."""


def make_method(
    name: str,
    *,
    layers: Sequence[str] | None = None,
    baseline: Baseline | None = None,
    seed: int | None = None,
) -> Method:
    """A method by its name, with its own defaults for settings that are not given.

    Args:
        name: a key of `METHODS`.
        layers: where it looks, for a method that looks at layers; its own choice if not given.
        baseline: what is shown where a clip is hidden, for a method that hides parts of it.
        seed: for a method that draws at random; ignored by others.

    Raises:
        MethodError: for another name, layers for a method that looks at pixels, or a baseline for one that hides nothing.
        InputError: for another baseline.
        PluginError: for a method of another package that cannot be used.
    """
    settings = {"layers": tuple(layers) if layers else None, "baseline": baseline, "seed": seed}
    (method,) = methods_with([name], settings)
    return method


def methods_with(
    methods: Sequence[str | Method], settings: Mapping[str, Any], *, used_elsewhere: Collection[str] = ()
) -> list[Method]:
    """Methods by name get those of the settings that they have; `None` stands for a setting that is not given.

    Raises:
        MethodError: for an unknown name, or a setting that no method by name has, and nothing uses elsewhere.
    """
    names = [method for method in methods if isinstance(method, str)]
    accepted = {name: {field.name for field in fields(METHODS[name])} for name in names}
    given_settings = {setting: value for setting, value in settings.items() if value is not None}
    for setting, use in _SETTING_USES.items():
        is_used = setting in used_elsewhere or any(setting in taken for taken in accepted.values())
        if setting in given_settings and not is_used:
            raise MethodError(
                f"`{setting}` must go with a method that {use}. Got"
                f" {', '.join(names) or 'methods with settings of their own'}, which does not. Leave it out."
            )
    return [
        METHODS[method](**{setting: given_settings[setting] for setting in accepted[method] & given_settings.keys()})
        if isinstance(method, str)
        else method
        for method in methods
    ]
