"""Methods to score by name: entry points, methods of this package, and functions of other packages.

[project.entry-points."video_tcav.benchmark_attribution"]
mymaps = "my_package:maps"

[project.entry-points."video_tcav.benchmark_concepts"]
myconcepts = "my_package:concepts"
"""

from pkgutil import resolve_name
from typing import Any, cast

from video_tcav.attribution.method import Method
from video_tcav.attribution.methods import METHODS
from video_tcav.benchmark.contract import AttributionFunction, ConceptFunction
from video_tcav.core.checks import closest_hint
from video_tcav.core.errors import InputError, PluginError
from video_tcav.core.registry import Registry
from video_tcav.models.error_lines import typed_first_line

# A function has no members that could be asked for before it is called.
ATTRIBUTION_FUNCTIONS: Registry[AttributionFunction] = Registry("video_tcav.benchmark_attribution", "method", {})
CONCEPT_FUNCTIONS: Registry[ConceptFunction] = Registry("video_tcav.benchmark_concepts", "method", {})


def attribution_method(method: str | AttributionFunction | Method) -> tuple[str, AttributionFunction | Method]:
    """A method of attribution and its name.

    Args:
        method: the name of an entry point or of a method of this package, `PACKAGE:FUNCTION`, or the method itself.

    Raises:
        InputError: if it is none of these.
        PluginError: if its package cannot be imported.
    """
    if isinstance(method, str) and method in METHODS and method not in ATTRIBUTION_FUNCTIONS.names():
        return method, METHODS[method]()
    if isinstance(method, Method):
        return method.name, method
    name, function = _function(method, ATTRIBUTION_FUNCTIONS, tuple(METHODS))
    return name, cast(AttributionFunction, function)


def concept_method(method: str | ConceptFunction) -> tuple[str, ConceptFunction]:
    """A method that finds concepts, and its name; see `attribution_method`."""
    name, function = _function(method, CONCEPT_FUNCTIONS, ())
    return name, cast(ConceptFunction, function)


def _function(method: Any, registry: Registry[Any], others: tuple[str, ...]) -> tuple[str, Any]:
    """A function and its name, from the registry, a package, or as it is."""
    if not isinstance(method, str):
        return _callable(method, str(getattr(method, "__qualname__", type(method).__name__)))
    if method in registry.names():
        return _callable(registry[method], method)
    module, _, function = method.partition(":")
    if not module or not function:
        names = (*registry.names(), *others)
        raise InputError(
            f"`method` must be PACKAGE:FUNCTION{' or a name' if names else ''}. Got {method!r}."
            f" {closest_hint(method, names) if names else 'Write, for example, my_package:my_function.'}"
        )
    try:
        return _callable(resolve_name(method), method)
    except InputError:
        raise
    except Exception as reason:  # an import runs any code
        raise PluginError(
            f"`method` must be importable. Got {typed_first_line(reason)} from {method}. Install it, or correct the name."
        ) from reason


def _callable(function: Any, name: str) -> tuple[str, Any]:
    if not callable(function):
        raise InputError(f"`method` must be a function. Got a {type(function).__name__} for {name}. Name a function.")
    return name, function
