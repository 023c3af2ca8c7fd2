"""Settings of a discovery: how activations are factorised, and into how many components."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from video_tcav.core.settings import Settings, setting
from video_tcav.discovery.factorisers.registry import FACTORISERS, factoriser

if TYPE_CHECKING:  # the command line lists the settings without loading NumPy
    from video_tcav.discovery.factorisers.factoriser import Factoriser

    Method = str | Factoriser
else:  # names of every kind that is installed; functions take objects as well
    Method = Literal[FACTORISERS.names()]

MOST_COMPONENTS = 15
"""Of a layer, unless a number is asked for: more are not looked through, and each is one more test."""
NOT_TAKEN = ("space", "sketch", "correction", "random_sets", "intervene", "step_at", "relabellings")
"""Settings that mean nothing here: components are of positions, and their family is corrected by Holm."""


@dataclass(frozen=True, kw_only=True)
class DiscoverySettings(Settings):
    """How components are found."""

    TITLE = "Discovery"

    method: Method = setting(
        "sparse",
        "How activations at positions are factorised.",
        docs="See [factorisations](discovery.md#factorisations).",
    )
    components: int | None = setting(
        None,
        "Components of each layer.",
        default_text=f"as many as two halves of the groups agree on, {MOST_COMPONENTS} at most",
        least=2,
        most=200,
        metavar="N",
    )
    in_place: bool = setting(
        True,
        "Confirm components not by slopes alone, but also by taking them out where they are.",
        docs="See [how it is done](discovery.md#how-it-is-done).",
    )

    @cached_property
    def factoriser(self) -> "Factoriser":
        return factoriser(self.method)

    def for_provenance(self) -> dict[str, Any]:
        """The settings, with the name of the factorisation."""
        return super().for_provenance() | {"method": self.factoriser.name}
