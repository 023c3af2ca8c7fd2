"""First lines of errors that other libraries and users' networks raise, for messages of one line."""

_MOST_CHARACTERS = 160  # about a line and a half of a terminal


def first_line(reason: Exception) -> str:
    """First line of an error's message; its type where it has none."""
    lines = str(reason).strip().splitlines()
    return lines[0].rstrip(".: ")[:_MOST_CHARACTERS] if lines else type(reason).__name__


def typed_first_line(reason: Exception) -> str:
    """Type and first line of an error."""
    kind = type(reason).__name__
    return f"{kind}: {first_line(reason)}" if str(reason).strip() else kind
