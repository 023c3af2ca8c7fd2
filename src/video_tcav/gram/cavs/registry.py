"""The registry of CAV kinds; other packages add theirs by entry points of the group `video_tcav.cavs`."""

from typing import TYPE_CHECKING

from video_tcav.core.registry import Registry

if TYPE_CHECKING:  # the command line lists the names without loading NumPy
    from video_tcav.gram.cavs.fitter import CavFitter

CAV_FITTERS: "Registry[CavFitter]" = Registry(
    "video_tcav.cavs",
    "cav",
    {
        "mean": "video_tcav.gram.cavs.mean:MeanDifference",
        "ridge": "video_tcav.gram.cavs.ridge:Ridge",
        "logistic": "video_tcav.gram.cavs.logistic:Logistic",
        "svm": "video_tcav.gram.cavs.svm:Svm",
    },
    members=("name", "help", "methods_text", "fit", "clip_effects", "effects"),
)


def cav_fitter(cav: "str | CavFitter") -> "CavFitter":
    """The kind of CAV of that name, or the object itself.

    Raises:
        InputError: if there is no such kind.
        PluginError: if the package that adds it cannot be used.
    """
    return CAV_FITTERS.resolve(cav)
