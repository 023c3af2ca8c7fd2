"""Reasons for which a container is damaged, shared by all formats."""


class StructureError(Exception):
    """Why the structure of a file is damaged."""


def require_bytes(content: memoryview, promised: int) -> None:
    """Refuse a file that is shorter than its structure says."""
    if promised > len(content):
        raise StructureError(f"truncated: {len(content)} of at least {promised} bytes are there")


def damaged(offset: int) -> StructureError:
    """The error for a file whose structure breaks."""
    return StructureError(f"broken: its structure is damaged at byte {offset}")


def joined(offset: int) -> StructureError:
    """The error for two recordings in one file, of which players show the first."""
    return StructureError(f"broken: a second recording begins at byte {offset}")
