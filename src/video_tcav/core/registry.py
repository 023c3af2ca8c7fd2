"""Registries of open kinds: built-in ones by name, and those that other packages add through entry points."""

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from typing import Any, Generic, TypeVar

from video_tcav.core.checks import one_of, require
from video_tcav.core.errors import PluginError

Kind = TypeVar("Kind")


class Registry(Generic[Kind]):
    """Kinds of one sort by their names; each is imported on first use.

    Another package adds one by an entry point in its `pyproject.toml`, such as

        [project.entry-points."video_tcav.cavs"]
        lda = "my_package.lda:LDA"

    Args:
        group: the group of entry points, such as `video_tcav.cavs`.
        argument: what errors call the argument that names a kind, such as `cav`.
        builtin: the kinds of this package as `module:object`, by name.
        members: attributes and methods that every kind must have; checked where an entry point is loaded.
    """

    def __init__(self, group: str, argument: str, builtin: Mapping[str, str], *, members: tuple[str, ...] = ()) -> None:
        self.group, self.argument = group, argument
        self._builtin, self._members = dict(builtin), members

    @cached_property
    def _added(self) -> dict[str, EntryPoint]:
        added: dict[str, EntryPoint] = {}
        for entry in entry_points(group=self.group):
            if entry.name in self._builtin or (entry.name in added and added[entry.name].value != entry.value):
                raise PluginError(
                    f"`{self.argument}` kinds must have names of their own. Got {entry.name} of {_package(entry)}, "
                    "which is taken. Uninstall that package, or have it choose another name."
                )
            added[entry.name] = entry
        return added

    def names(self) -> tuple[str, ...]:
        """All names: the kinds of this package first, in their order, then the others sorted by name."""
        return (*self._builtin, *sorted(self._added))

    def __getitem__(self, name: str) -> Kind:
        """The kind of that name.

        Raises:
            InputError: if there is none.
            PluginError: if the package that adds it cannot be imported, or what it adds is no kind of this sort.
        """
        if name in self._builtin:
            return resolve_name(self._builtin[name])
        one_of(self.argument, name, self.names())
        return self._load(self._added[name])

    def resolve(self, kind: str | Kind) -> Kind:
        """The object behind a name, or the object itself; a class stands for an object that is made without arguments.

        Raises:
            InputError: if there is no kind of that name, or the object is no kind of this sort.
            PluginError: if the package that adds it cannot be used.
        """
        chosen: Any = self[kind] if isinstance(kind, str) else kind
        rule = f"be a name, or an object with {', '.join(self._members)}"
        require(not self._missing_in(chosen), self.argument, rule, kind, f"Choose one of {', '.join(self.names())}.")
        return chosen() if isinstance(chosen, type) else chosen

    def values(self) -> tuple[Kind, ...]:
        """All kinds, in the order of their names."""
        return tuple(self[name] for name in self.names())

    def _load(self, entry: EntryPoint) -> Kind:
        try:
            kind = entry.load()
        except Exception as error:
            raise PluginError(
                f"`{self.argument}` {entry.name} must be importable. Got {type(error).__name__}: {error} from "
                f"{_package(entry)}. Repair or uninstall that package."
            ) from error
        if missing := self._missing_in(kind):
            raise PluginError(
                f"`{self.argument}` {entry.name} must have {', '.join(self._members)}. Got none named {', '.join(missing)} from "
                f"{_package(entry)}. Repair or uninstall that package."
            )
        return kind

    def _missing_in(self, kind: object) -> list[str]:
        return [member for member in self._members if not hasattr(kind, member)]


def _package(entry: EntryPoint) -> str:
    return entry.value if entry.dist is None else f"package {entry.dist.name}"


def spec_form(registry: "Registry[Any]", name: str, *, finds: bool = False) -> str:
    """How a spec of a kind is written, for messages and help texts: `onnx:FILE`, or with what it finds, `onnx:FILE (objects)`."""
    try:
        loader = registry[name]
    except PluginError:  # help is also printed beside a broken plug-in; using it says what is wrong
        return f"{name}:..."
    form = f"{name}:{loader.help}" if loader.help else name
    return f"{form} ({loader.finds})" if finds and loader.finds else form
