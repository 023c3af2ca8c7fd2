"""The words for damage, shared by all containers."""


def truncated(size: int, promised: int) -> str:
    """The reason for a file that ends before what it promises."""
    return f"truncated: {size} of at least {promised} bytes are there"


def damaged(offset: int) -> str:
    """The reason for a file whose structure breaks."""
    return f"broken: its structure is damaged at byte {offset}"


def joined(offset: int) -> str:
    """The reason for a file behind whose end another begins, which nobody would see."""
    return f"broken: a second recording begins at byte {offset}"
