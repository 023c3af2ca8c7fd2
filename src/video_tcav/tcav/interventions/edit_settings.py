"""How operations are drawn: kind of CAV, bootstrap, relabellings and seed."""

from dataclasses import dataclass

from video_tcav.gram.cavs.fitter import CavFitter


@dataclass(frozen=True, kw_only=True)
class EditSettings:
    """How operations are drawn; as the test's own settings, but for `relabellings`.

    Attributes:
        fitter: how CAVs are learned.
        bootstraps: resamples of the groups.
        permutations: of the test; the first `relabellings` of them are used.
        relabellings: CAVs of permuted labels that operations are compared with; none where 0.
        seed: of every draw.
    """

    fitter: CavFitter
    bootstraps: int
    permutations: int
    relabellings: int
    seed: int
