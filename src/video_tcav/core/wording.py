"""Wording of p-values, signed numbers, intervals and shares; all texts, tables and pages print them so."""

import math

MINUS = "\N{MINUS SIGN}"
SMALLEST_P = 0.001
"""Smaller p-values are printed as a bound: their digits say nothing that a reader could act on."""


def p_equals(value: float) -> str:
    """A p-value to stand after "p", with its relation: `= 0.012`, `< 0.001`."""
    return f"= {p_text(value)}" if value >= SMALLEST_P else p_text(value)


def p_text(value: float) -> str:
    """A p-value with two significant digits; a small one as a bound, so that none is printed as zero; a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:.2g}" if value >= SMALLEST_P else f"< {SMALLEST_P:g}"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign for pages: a true minus, and no sign where it rounds to zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def interval(low: float, high: float) -> str:
    """An interval for pages, as `−1.00 to +2.00`."""
    return f"{signed(low)} to {signed(high)}"


def percent(share: float, digits: int = 0) -> str:
    """A share as a percentage, with a true minus; a dash where it is no number."""
    if not math.isfinite(share):
        return "–"
    rounded = round(share, digits + 2) + 0.0  # which makes −0 a plain 0
    return f"{rounded:.{digits}%}".replace("%", "\N{NO-BREAK SPACE}%").replace("-", MINUS)
