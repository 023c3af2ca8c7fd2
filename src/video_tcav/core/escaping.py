r"""Escaping: names as text, and text for terminals, workflow logs, XML and spreadsheets.

A name that is no UTF-8 (a byte of a file's name, which Python holds as a lone surrogate) has one spelling in all that is
written and printed: a backslash and the surrogate's number, `\udcff` for the byte `ff`. It says which byte it was, and no
two such names become one.
"""

import re

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# They change the order in which the letters around them are shown: a name may then look like another.
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# GitHub takes a line for a command that begins, after spaces, with `::`, or that has `##[` anywhere.
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
    r"""Text of any number of lines that a terminal shows and does not obey.

    Examples:
        >>> printable("\x1b[31mred\nline")
        '\\x1b[31mred\nline'
    """
    kept = "\n\t"
    text = _CONTROLS.sub(lambda found: found[0] if found[0] in kept else _spelled(found[0]), well_formed(text))
    return _DIRECTIONS.sub(lambda found: _spelled(found[0]), text)


def on_one_line(text: str) -> str:
    r"""Text whose line breaks and control characters are spelled out.

    Examples:
        >>> on_one_line("swing\n\x1b[31m")
        'swing\\n\\x1b[31m'
    """
    return _CONTROLS.sub(lambda found: _spelled(found[0]), text)


def one_line(text: str) -> str:
    r"""A name or a sentence that stays on one line, and is no command to whoever reads the line.

    Examples:
        >>> one_line("swing\n::error::x")
        'swing\\n\\::error::x'
    """
    text = on_one_line(well_formed(text))
    text = _DIRECTIONS.sub(lambda found: _spelled(found[0]), text)
    return without_commands(re.sub(r"(?<=\\n)::", r"\\::", text))


def without_commands(text: str) -> str:
    r"""Text in which GitHub sees no workflow command.

    Examples:
        >>> without_commands("::stop-commands::x"), without_commands("a ##[error] b")
        ('\\::stop-commands::x', 'a #\\#[error] b')
    """
    return _COMMAND.sub(lambda found: r"#\#" if found[0] == "##" else r"\::", text)


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
    return _NOT_XML.sub(lambda found: _spelled(found[0]), text)


def spreadsheet_cell(text: str) -> str:
    r"""Text that no spreadsheet takes for a formula: an apostrophe goes before what would begin one.

    Numbers stay numbers, whatever their sign.

    Examples:
        >>> spreadsheet_cell("=1+1"), spreadsheet_cell("-0.5"), spreadsheet_cell("swing")
        ("'=1+1", '-0.5', 'swing')
    """
    text = well_formed(text)
    return text if not _FORMULA.match(text) or _is_number(text) else f"'{text}"


def from_spreadsheet_cell(text: str) -> str:
    """The text behind a cell that `spreadsheet_cell` has made safe."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()


def _spelled(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
