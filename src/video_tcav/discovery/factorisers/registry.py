"""The registry of factorisations; other packages add theirs by entry points of `video_tcav.factorisers`."""

from typing import TYPE_CHECKING

from video_tcav.core.registry import Registry

if TYPE_CHECKING:  # the command line lists the names without loading NumPy
    from video_tcav.discovery.factorisers.factoriser import Factoriser

FACTORISERS: "Registry[Factoriser]" = Registry(
    "video_tcav.factorisers",
    "method",
    {
        "sparse": "video_tcav.discovery.factorisers.sparse:SparseSemiNMF",
        "convex": "video_tcav.discovery.factorisers.convex:ConvexNMF",
        "topk": "video_tcav.discovery.factorisers.top_k:TopK",
        "nmf": "video_tcav.discovery.factorisers.nmf:NonNegative",
        "kmeans": "video_tcav.discovery.factorisers.k_means:Clusters",
    },
    members=("name", "help", "centred", "fit", "codes"),
)


def factoriser(method: "str | Factoriser") -> "Factoriser":
    """The factorisation of that name, or the object itself.

    Raises:
        InputError: if there is no such kind.
        PluginError: if the package that adds it cannot be used.
    """
    return FACTORISERS.resolve(method)
