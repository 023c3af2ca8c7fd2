"""Settings of an audit: who tells the person from the scene, and what is computed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from video_tcav.core.settings import Settings, setting

if TYPE_CHECKING:  # the command line lists the settings without loading PyTorch
    from video_tcav.masks.mask_source import MaskSource

    Masks = str | Path | MaskSource
else:
    Masks = str

NOT_TAKEN = ("space", "memory", "sketch")
"""Settings of recordings that mean nothing here: no activations are kept."""
REPAIR_NOT_TAKEN = (*NOT_TAKEN, "shares", "workers", "backend")
"""Those of a repair: nothing is shared out, and a model without concepts is in memory only, where workers cannot load it."""


@dataclass(frozen=True, kw_only=True)
class AuditSettings(Settings):
    """How an audit is done."""

    TITLE = "Audit"

    masks: Masks = setting(
        "motion",
        "Who is the person: a source of masks.",
        metavar="SPEC",
        docs="See [masks](audit.md#who-is-the-person).",
    )
    shares: bool = setting(
        True,
        "Shapley shares of order, motion, scene, person and object, which take up to 23 more passes of each clip.",
    )
    bootstraps: int = setting(2000, "Resamples of the groups, for intervals.", least=100, most=10**6)

    def for_provenance(self) -> dict[str, Any]:
        """The settings, with the name of the source of masks."""
        return super().for_provenance() | {"masks": getattr(self.masks, "name", str(self.masks))}
