"""All families, in the order of the table."""

from .hub import HUB
from .huggingface import HUGGING_FACE

FAMILIES = [*HUGGING_FACE, *HUB]
