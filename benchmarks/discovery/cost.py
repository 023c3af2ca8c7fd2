"""What discovery costs beside the passes that it needs: r3d_18 with random weights, three layers, clips in memory."""

import resource
import time
from dataclasses import dataclass

import video_tcav as vt
from video_tcav.discovery.plan import DiscoveryPlan, DiscoveryQuestion, plan_discovery
from video_tcav.models import VideoModel
from video_tcav.recording.rows import Rows
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workspace import Workspace
from video_tcav.rendered import render, sample_factors

LAYERS = ("layer2", "layer3", "layer4")


class _DroppedRows(Rows):
    def _take(self, values: object, find_rows: object) -> None:
        """A pass alone: nothing is kept."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds of processor time, and the most memory that the process took.

    Attributes:
        clips: class and random clips together.
        bare_s: the same passes (clips, twins, gradients) with nothing kept.
        discovery_s: all of `discover`.
        memory_gb: resident, at most.
    """

    clips: int
    bare_s: float
    discovery_s: float
    memory_gb: float

    @property
    def factor(self) -> float:
        return self.discovery_s / self.bare_s


def measure_cost(clips: int, *, layers: tuple[str, ...] = LAYERS) -> Cost:
    """So many clips, a third of them of the class."""
    model = vt.load_model("torchvision:r3d_18")
    named = [
        (f"clip {number}", render(factors, frames=16, size=112).clip)
        for number, factors in enumerate(sample_factors(clips, seed=0))
    ]
    question = DiscoveryQuestion(target=0, clips=named[: clips // 3], random=named[clips // 3 :], layers=layers)
    with Workspace(RecordingSettings()) as work:
        plan = plan_discovery(model, question, work.digest)
        bare_s = _bare_passes(model, plan, work)
    start = time.process_time()
    vt.discover(model, target=0, clips=named[: clips // 3], random=named[clips // 3 :], layers=layers)
    return Cost(
        clips=clips,
        bare_s=bare_s,
        discovery_s=time.process_time() - start,
        memory_gb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    )


def _bare_passes(model: VideoModel, plan: DiscoveryPlan, work: Workspace) -> float:
    dropped = {layer: _DroppedRows() for layer in plan.layers}
    gradients = {layer: _DroppedRows() for layer in plan.layers}
    recorder = work.recorder(model, plan.layers, plan.digests, sinks=dropped, gradient_sinks=gradients)
    twins = {source.key for source in plan.twin_sources}
    start = time.process_time()
    recorder.record_class(plan.gradient_sources, plan.target, lambda _steps: None)
    alone = [source for source in plan.sources if source.key not in twins]
    recorder.record_concepts(alone, ("none",), lambda _steps: None)
    recorder.record_concepts(plan.twin_sources, ("none", *plan.twins), lambda _steps: None)
    return time.process_time() - start
