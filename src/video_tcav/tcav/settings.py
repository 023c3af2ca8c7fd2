"""Choices of a run that functions, commands and experiment files share."""

from typing import Literal, get_args

At = Literal["class", "random"]
"""Where the gradient is taken: at clips of the class, or at random clips that are set aside."""
PLACES: tuple[At, ...] = get_args(At)
Negatives = Literal["matched", "moving"]
"""Random clips of a concept that does not move: frozen as it is, or as they are."""
NEGATIVES: tuple[Negatives, ...] = get_args(Negatives)
