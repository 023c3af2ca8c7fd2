"""Settings classes: frozen dataclasses whose fields carry default, bounds and one sentence, for every place that offers them.

A field that is added to such a class appears as keyword of the functions that take it, as option of the command line, in the
schema of experiment files, in provenance, in the tables of the documentation, and, where it has a sentence for it, in the
methods text of reports.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from types import NoneType
from typing import Any, ClassVar, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from video_tcav.core.checks import MOST_COUNT, at_least, one_of, whole_number

Result = TypeVar("Result")
_KEY = "setting"


@dataclass(frozen=True, kw_only=True)
class SettingInfo:
    """What is known about a setting beside its type and default.

    Attributes:
        help: one sentence, as the command line shows it.
        least: smallest number.
        most: largest number.
        choices: names to choose from, where the type does not list them.
        metavar: how help texts write the value, such as `SIZE`.
        option: name on the command line, where it differs from the field's.
        changes_results: whether another value can change numbers; such settings stand in provenance.
        docs: another sentence for the pages of the documentation, with links of Markdown.
        default_text: what happens by default, where the default is `None`.
        methods: sentence of a report's methods text, with `{value}` in it, where the value is not the default.
    """

    help: str
    least: int | None = None
    most: int | None = None
    choices: Callable[[], Sequence[str]] | None = None
    metavar: str | None = None
    option: str | None = None
    changes_results: bool = True
    docs: str = ""
    default_text: str | None = None
    methods: str | None = None


def setting(default: Any, help: str, **info: Any) -> Any:
    """A field of a settings class; for the other arguments see `SettingInfo`."""
    return field(default=default, metadata={_KEY: SettingInfo(help=help, **info)})


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One field of a settings class.

    Attributes:
        name: of the field.
        type: without `None`, where that is allowed.
        optional: whether `None` is allowed.
        default: value where none is given.
        info: see there.
    """

    name: str
    type: Any
    optional: bool
    default: Any
    info: SettingInfo

    @property
    def choices(self) -> tuple[str, ...]:
        """Names to choose from; none where any value of the type will do."""
        if self.info.choices is not None:
            return tuple(self.info.choices())
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    @property
    def option(self) -> str:
        """The option of the command line."""
        return "--" + (self.info.option or self.name).replace("_", "-")

    def checked(self, value: Any) -> Any:
        """The value itself.

        Raises:
            InputError: if it is none of the choices or out of bounds.
        """
        if value is None and self.optional:
            return value
        if self.choices and isinstance(value, str):
            return one_of(self.name, value, self.choices)
        if self.info.least is not None:
            number = whole_number(self.name, value)
            return at_least(self.name, number, self.info.least, self.info.most or MOST_COUNT)
        return value


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of settings classes; values are checked when an object is made.

    Attributes:
        TITLE: heading of its settings in help texts and tables.
    """

    TITLE: ClassVar[str] = "Settings"

    def __post_init__(self) -> None:
        for s in settings_of(type(self)):
            # the one way to normalise a field of a frozen dataclass
            object.__setattr__(self, s.name, s.checked(getattr(self, s.name)))

    def for_provenance(self) -> dict[str, Any]:
        """The settings that can change results, by name."""
        return {s.name: getattr(self, s.name) for s in settings_of(type(self)) if s.info.changes_results}

    def methods_sentences(self) -> tuple[str, ...]:
        """What a methods section says about settings that are not the default."""
        return tuple(
            s.info.methods.format(value=getattr(self, s.name))
            for s in settings_of(type(self))
            if s.info.methods is not None and getattr(self, s.name) != s.default
        )

    def with_values(self, **values: Any) -> Self:
        """The same settings but for some values."""
        return replace(self, **values)


@functools.cache
def settings_of(kind: type[Settings]) -> tuple[Setting, ...]:
    """Every field of a settings class, in order."""
    hints = get_type_hints(kind)
    settings = []
    for item in fields(kind):
        allowed = [member for member in get_args(hints[item.name]) if member is not NoneType]
        optional = get_origin(hints[item.name]) is not Literal and NoneType in get_args(hints[item.name])
        type_ = (allowed[0] if len(allowed) == 1 else Union[tuple(allowed)]) if optional else hints[item.name]  # noqa: UP007
        info = item.metadata[_KEY]
        settings.append(Setting(name=item.name, type=type_, optional=optional, default=item.default, info=info))
    return tuple(settings)


def takes_settings(
    *, leave_out: Sequence[str] = (), **groups: type[Settings]
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Let a function take the fields of settings classes as keywords of its own.

    Args:
        leave_out: fields that the function does not take.
        groups: the settings class of each parameter that receives an object of it. An object may also be passed whole; keywords
            then replace its values.

    Raises:
        TypeError: where a keyword is not known, as for any function.
    """
    taken = {name: [s for s in settings_of(kind) if s.name not in leave_out] for name, kind in groups.items()}

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        signature = inspect.signature(function)
        parameters = [parameter for name, parameter in signature.parameters.items() if name not in groups]
        keywords = [
            inspect.Parameter(s.name, inspect.Parameter.KEYWORD_ONLY, default=s.default, annotation=s.type)
            for members in taken.values()
            for s in members
        ]

        @functools.wraps(function)
        def spelled_out(*arguments: Any, **values: Any) -> Result:
            for parameter, kind in groups.items():
                keyword_values = {s.name: values.pop(s.name) for s in taken[parameter] if s.name in values}
                group: Any = values.get(parameter)
                values[parameter] = kind(**keyword_values) if group is None else group.with_values(**keyword_values)
            return function(*arguments, **values)

        # what `help`, editors and the documentation show
        spelled_out.__signature__ = signature.replace(parameters=[*parameters, *keywords])  # pyright: ignore[reportAttributeAccessIssue]
        described = "".join(f"\n    {s.name}: {s.info.help}" for members in taken.values() for s in members)
        spelled_out.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nSettings:{described}\n"
        return spelled_out

    return decorate
