"""From `--backend` and `--workers` to a backend."""

from video_tcav.core.checks import at_least
from video_tcav.core.errors import InputError
from video_tcav.recording.workers.backend import Backend
from video_tcav.recording.workers.processes import Processes
from video_tcav.recording.workers.ray_data import RayData, import_ray


def backend_for(backend: str, workers: int | None) -> Backend | None:
    """Where passes are done; `None`: in this process alone.

    Args:
        backend: `local`, `ray` or `ray:ADDRESS`.
        workers: how many; one, or as many as the cluster has room for, if not given.

    Raises:
        InputError: for anything else.
        MissingExtraError: if Ray is asked for without its extra.
    """
    if workers is not None:
        at_least("workers", workers, 1)
    kind, colon, address = backend.partition(":")
    if kind == "ray" and bool(colon) == bool(address):  # not `ray:`
        import_ray()
        return RayData(address=address or None, workers=workers)
    if backend != "local":
        raise InputError(f"`backend` must be local, ray or ray:ADDRESS. Got {backend}. Choose one of them.")
    return None if workers in (None, 1) else Processes(workers=workers)
