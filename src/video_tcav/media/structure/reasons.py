"""Messages for damage, shared by all containers."""


def truncated(size: int, promised: int) -> str:
    """The reason for a file that is shorter than its structure says."""
    return f"truncated: {size} of at least {promised} bytes are there"


def damaged(offset: int) -> str:
    """The reason for a file whose structure breaks."""
    return f"broken: its structure is damaged at byte {offset}"


def joined(offset: int) -> str:
    """The reason for two recordings in one file, of which players show the first."""
    return f"broken: a second recording begins at byte {offset}"
