"""All families, in the order of the table."""

from .frames import FRAMES
from .hub import HUB
from .huggingface import HUGGING_FACE
from .mmaction import MMACTION
from .modules import MODULES

FAMILIES = [*HUGGING_FACE, *HUB, *FRAMES, *MMACTION, *MODULES]
