"""The words for damage, shared by all containers."""


def truncated(size: int, promised: int) -> str:
    """The reason for a file that ends before what it promises."""
    return f"truncated: {size} of at least {promised} bytes are there"


def damaged(offset: int) -> str:
    """The reason for a file whose structure breaks."""
    return f"broken: its structure is damaged at byte {offset}"
