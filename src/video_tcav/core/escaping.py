r"""Escaping: names as text, and text for terminals, workflow logs, XML and spreadsheets.

A name that is no UTF-8 (a byte of a file's name, which Python holds as a lone surrogate) has one spelling in all that is
written and printed: a backslash and the surrogate's number, `\udcff` for the byte `ff`. It says which byte it was, and no
two such names become one.
"""

import re

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROLS_BUT_LAYOUT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")  # tabs and line feeds stay
# bidirectional controls reorder the letters around them: a name may then look like another
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# GitHub takes a line for a workflow command that begins, after spaces, with `::`, or that has `##[` anywhere
_COMMAND = re.compile(r"(^|(?<=\s))::|##(?=\[)")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FORMULA = re.compile(r"[=+\-@\t\r]")


def well_formed(text: str) -> str:
    r"""Text that UTF-8 can hold: a lone surrogate is spelled out.

    Examples:
        >>> well_formed("sw\udcff")
        'sw\\udcff'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable(text: str) -> str:
    r"""Text of any number of lines whose control characters a terminal shows as text.

    Examples:
        >>> printable("\x1b[31mred\nline")
        '\\x1b[31mred\nline'
    """
    text = _CONTROLS_BUT_LAYOUT.sub(_spelled_out, well_formed(text))
    return _DIRECTIONS.sub(_spelled_out, text)


def on_one_line(text: str) -> str:
    r"""Text whose line breaks and control characters are spelled out.

    Examples:
        >>> on_one_line("swing\n\x1b[31m")
        'swing\\n\\x1b[31m'
    """
    return _CONTROLS.sub(_spelled_out, text)


def one_line(text: str) -> str:
    r"""A name or a sentence on one line, without control characters or workflow commands.

    Examples:
        >>> one_line("swing\n::error::x")
        'swing\\n\\::error::x'
    """
    text = _DIRECTIONS.sub(_spelled_out, on_one_line(well_formed(text)))
    return without_commands(re.sub(r"(?<=\\n)::", r"\\::", text))


def without_commands(text: str) -> str:
    r"""Text in which GitHub sees no workflow command.

    Examples:
        >>> without_commands("::stop-commands::x"), without_commands("a ##[error] b")
        ('\\::stop-commands::x', 'a #\\#[error] b')
    """
    return _COMMAND.sub(lambda match: r"#\#" if match[0] == "##" else r"\::", text)


def workflow_message(text: str) -> str:
    """The message of a GitHub workflow command."""
    return printable(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def workflow_property(text: str) -> str:
    """The value of a property of a GitHub workflow command."""
    return workflow_message(text).replace(":", "%3A").replace(",", "%2C")


def xml_text(text: str) -> str:
    r"""Text whose every letter XML 1.0 can hold; others are spelled out.

    Examples:
        >>> xml_text("a\ufffeb\x00")
        'a\\ufffeb\\x00'
    """
    return _NOT_XML.sub(_spelled_out, text)


def spreadsheet_cell(text: str) -> str:
    r"""A cell that no spreadsheet evaluates: an apostrophe goes before what would begin a formula (CSV injection).

    Numbers stay numbers, whatever their sign.

    Examples:
        >>> spreadsheet_cell("=1+1"), spreadsheet_cell("-0.5"), spreadsheet_cell("swing")
        ("'=1+1", '-0.5', 'swing')
    """
    text = well_formed(text)
    return text if not _FORMULA.match(text) or _is_number(text) else f"'{text}"


def from_spreadsheet_cell(text: str) -> str:
    """Inverse of `spreadsheet_cell`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()


def _spelled_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
