"""Wording of p-values; all texts, tables and pages print them so."""

import math

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
