"""The key of a CAV, and of what is measured with it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, order=True)
class CavKey:
    """Which CAV, or which difference of two.

    Attributes:
        concept: name of the concept.
        versus: what it is compared with: `random`, or another concept (relative TCAV).
        twin: `none`, a twin, or a difference of twins; see `ConceptResult`.
        layer: dotted module name.
    """

    concept: str
    versus: str = "random"
    twin: str = "none"
    layer: str

    @property
    def comparison(self) -> str:
        """The concept in words, with what it is compared with."""
        return comparison_name(self.concept, self.versus)


def comparison_name(concept: str, versus: str) -> str:
    """A concept, and what it is compared with unless that is random clips."""
    return concept if versus == "random" else f"{concept} rather than {versus}"
