"""Optional extras: packages that only some features need."""

from importlib.util import find_spec

from video_tcav.core.errors import MissingExtraError


def check_installed(package: str, *, extra: str, needed_for: str) -> None:
    """Refuse what needs a package that is not installed, before an import fails somewhere inside.

    Args:
        package: as it is imported.
        extra: of this project, that installs it.
        needed_for: what the user asked for; the subject of the message.

    Raises:
        MissingExtraError: if there is no such package.
    """
    if find_spec(package) is None:
        raise MissingExtraError(extra, needed_for)
