"""All families, in the order of the table."""

from .hub import HUB

FAMILIES = [*HUB]
