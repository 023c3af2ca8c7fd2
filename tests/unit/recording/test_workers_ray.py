"""Two nodes on this machine, one of which is lost: the run is the local one, bit for bit, and does not hang."""

import threading
import time
import warnings
from types import SimpleNamespace

import pyarrow as pa
import pytest
import torch

from tests.unit.recording.store_runs import load, run
from video_tcav.core.errors import WorkerError
from video_tcav.recording.cache import RowKind
from video_tcav.recording.cache.row_sender import RowSender
from video_tcav.recording.cache.store import ActivationStore
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.rows import read_rows
from video_tcav.recording.workers.ray_data import Actor, RayData, read_row, room, row_table

pytest.importorskip("ray")

pytestmark = [
    pytest.mark.timeout(180, func_only=True),
    # Ray leaves sockets and processes to the collector, and calls parts of its own that it has deprecated
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return load(shapes.__file__, shapes_weights)


@pytest.fixture(scope="module")
def cluster():
    """A head node, on which the run is, and one more."""
    import ray
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        found = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 2, "object_store_memory": 200 * 2**20, "include_dashboard": False},
        )
        found.add_node(num_cpus=2, object_store_memory=200 * 2**20)
        ray.init(address=found.address, log_to_driver=False, logging_level="ERROR")
        yield found
        ray.shutdown()
        found.shutdown()


def test_a_node_is_lost_in_the_middle(model, shapes_clips, cluster, tmp_path, monkeypatch):
    """The second node is ended when the first rows have come; whatever it had is done again by the first."""
    plain = run(model, shapes_clips)
    lost = threading.Event()
    add_encoded = ActivationStore.add_encoded

    def add_and_lose(store, content):
        if not lost.is_set():
            lost.set()
            cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        add_encoded(store, content)

    monkeypatch.setattr(ActivationStore, "add_encoded", add_and_lose)
    passed: list[int] = []
    handle = model.module.register_forward_pre_hook(lambda _module, inputs: passed.append(len(inputs[0])))
    found = run(model, shapes_clips, tmp_path / "store", backend="ray", workers=4)
    handle.remove()
    assert lost.is_set()
    assert max(passed) <= 2  # the run itself passed no batch
    assert found.to_frame().equals(plain.to_frame())
    assert found.warnings == plain.warnings
    deadline = time.monotonic() + 60
    while sum(node["Alive"] for node in _nodes()) > 1:
        assert time.monotonic() < deadline
        time.sleep(1)


def _nodes():
    import ray

    return ray.nodes()


def test_an_error_on_a_node_is_told_in_its_own_words(model, shapes_clips, cluster, tmp_path):
    (tmp_path / "random").mkdir()
    for file in (shapes_clips / "random").iterdir():
        (tmp_path / "random" / file.name).symlink_to(file)
    (tmp_path / "random" / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(WorkerError, match=r"broken\.mp4: "):
        run(model, shapes_clips, random=tmp_path / "random", backend="ray", workers=2, strict=True)


def test_a_cluster_that_is_not_there(monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(WorkerError, match="must name a Ray cluster that can be reached. Got 127.0.0.1:1"):
        RayData(address="127.0.0.1:1", workers=1).fill(None, [], lambda _steps: None, add=print)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cpus", "threads", "actors"),
    [([2, 2], 1, 4), ([2, 2], 2, 2), ([2, 2], 4, 2), ([8, 1], 4, 2), ([64], 16, 4), ([0], 2, 1)],
)
def test_room(cpus, threads, actors):
    nodes = [{"Alive": True, "Resources": {"CPU": float(count)}} for count in cpus]
    assert room([*nodes, {"Alive": False, "Resources": {"CPU": 99.0}}], threads) == actors


def test_room_on_gpus():
    nodes = [{"Alive": True, "Resources": {"CPU": 8.0, "GPU": count}} for count in (1.0, 2.0)]
    assert room(nodes, 4, gpu=True) == 3


def test_an_actor_can_be_left_in_the_middle_and_asked_again(monkeypatch):
    """Where a caller is lost, the passes of the chunk end and the next one starts."""
    actor = Actor()

    def record(task, queue):
        for block in task:
            queue.put(block)
            queue.check(1)
        return {}

    blocks = [memoryview(bytes([number])) for number in range(1, 6)]
    monkeypatch.setattr(actor, "_record", record)
    left = actor({"task": [blocks]})
    assert next(left).column("block").to_pylist() == [b"\1"]
    left.close()

    class Task(list):
        chunk = type("Chunk", (), {"sources": ()})

    found = [table.column("block").to_pylist()[0] for table in actor({"task": [Task(blocks)]})]
    assert found == [b"\1", b"\2", b"\3", b"\4", b"\5", b""]


def test_rows_travel_in_tables_as_they_were_sent(tmp_path):
    """Several blocks in one table, as Ray Data hands them out: each is read where it lies."""
    sent: list[memoryview] = []
    sender = RowSender({}, sent.append)
    kind = RowKind(model="m", model_digest="d", space="flatten", role="gradient")
    layers = [
        {"a": torch.randn(2, 3, generator=torch.manual_seed(number)), "b": torch.randn(2, 5, dtype=torch.float64)}
        for number in range(3)
    ]
    for number, rows in enumerate(layers):
        keys = [bytes([number, row]) for row in range(2)]
        sender.add(
            kind,
            keys,
            rows,
            answers=[ClassAnswer(0.5, 1, 0.25), ClassAnswer(-0.5)],
            sources={bytes([9, number]): (2, False)},
        )
    table = pa.concat_tables([row_table(block=block) for block in sent]).combine_chunks()
    with ActivationStore.open(tmp_path / "store", durable=False) as store:
        for part in table.to_batches(max_chunksize=1):
            for _ in range(2):  # where a node is lost, some blocks come twice
                store.add_encoded(read_row(part)["block"])
        assert store.info().blocks == 3
        assert store.verify() == ()
        for number, rows in enumerate(layers):
            for index in range(2):
                found = store.find(kind, [bytes([number, index])], ["a", "b"])[bytes([number, index])]
                assert found.answer == (ClassAnswer(0.5, 1, 0.25), ClassAnswer(-0.5))[index]
                for name, values in rows.items():
                    assert torch.equal(read_rows([found.rows[name]])[0], values[index])


@pytest.mark.parametrize("error", [WorkerError("`x` must be y. Got z."), ZeroDivisionError()])
def test_an_error_in_the_passes_ends_the_chunk(monkeypatch, error):
    actor = Actor()

    def record(task, queue):
        queue.put(memoryview(b"first"))
        raise error

    monkeypatch.setattr(actor, "_record", record)
    task = SimpleNamespace(chunk=SimpleNamespace(sources=()))
    handed = actor({"task": [task]})
    assert next(handed).column("block").to_pylist() == [b"first"]
    if isinstance(error, WorkerError):
        assert next(handed).column("error").to_pylist() == [str(error)]
        assert list(handed) == []
    else:
        with pytest.raises(ZeroDivisionError):
            next(handed)
