"""Workers fill the store, and the run is the one without them, bit for bit."""

import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from torch import nn

import video_tcav as vt
from tests.unit.recording.store_runs import LAYERS, TWINS, load, run
from video_tcav.core.errors import InputError, MediaError, MissingExtraError, WorkerError
from video_tcav.media import find_videos, source_digest
from video_tcav.models.targets import parse_target
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.cache.row_sender import RowSender
from video_tcav.recording.recorder import Recorder
from video_tcav.recording.rows import SpillSpace
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workers.chunks import Chunk, cut
from video_tcav.recording.workers.prefill import backend_for, batch_size, recording_job
from video_tcav.recording.workers.processes import Processes
from video_tcav.recording.workers.worker import RecordingJob, Worker
from video_tcav.recording.workspace import Workspace

pytestmark = [pytest.mark.timeout(180, func_only=True)]


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return load(shapes.__file__, shapes_weights)


@pytest.fixture(scope="module")
def plain(model, shapes_clips):
    return run(model, shapes_clips)


@pytest.fixture
def work(model, tmp_path):
    view = CacheView(RowSender({}, print), model, LAYERS, RecordingSettings(), {})
    return RecordingJob(
        recipe=model.recipe,
        device="cpu",
        torch_threads=1,
        identity=view.identity,
        facts={},
        batch=8,
        layers=LAYERS,
        recording=RecordingSettings(threads=1),
        seed=0,
        store=tmp_path / "store",
    )


@pytest.fixture
def passed(model):
    """Sizes of the batches that went through the model in this process."""
    counts: list[int] = []
    handle = model.module.register_forward_pre_hook(lambda _module, inputs: counts.append(len(inputs[0])))
    yield counts
    handle.remove()


def chunk_of(folder, target=None) -> Chunk:
    sources = tuple(find_videos(folder))
    versions = ("none", *TWINS) if target is None else ("none",)
    return Chunk(sources=sources, digests=tuple(map(source_digest, sources)), versions=versions, target=target)


def test_two_processes_change_no_bit_and_leave_nothing_to_pass(model, shapes_clips, plain, passed, tmp_path):
    found = run(model, shapes_clips, tmp_path / "store", workers=2)
    assert max(passed, default=0) <= 2  # looks at the model, no batch
    assert found.to_frame().equals(plain.to_frame())
    assert found.warnings == plain.warnings
    passed.clear()
    assert run(model, shapes_clips, tmp_path / "store").to_frame().equals(plain.to_frame())
    assert passed == []


def test_interventions_start_from_what_workers_recorded(model, shapes_clips, tmp_path):
    asked = {"intervene": "step,clamp,restore", "intervene_at": "all", "relabellings": 3, "twins": ["frozen"]}
    alone = run(model, shapes_clips, **asked)
    shared = run(model, shapes_clips, tmp_path / "store", workers=2, **asked)
    assert shared.to_frame().equals(alone.to_frame())
    assert alone.to_frame()["restore"].notna().any()


def test_clips_that_do_not_move_and_files_that_are_none(model, shapes_clips, tmp_path):
    clips = tmp_path / "clips"
    shutil.copytree(shapes_clips, clips)
    (clips / "random" / "broken.mp4").write_bytes(b"no video")
    write_stills(clips / "still")
    changes = {"concepts": {"still": clips / "still"}, "twins": []}
    alone = run(model, clips, **changes)
    shared = run(model, clips, workers=2, **changes)
    assert shared.to_frame().equals(alone.to_frame())
    assert shared.skipped == alone.skipped
    assert [one.path for one in shared.skipped] == [str(clips / "random" / "broken.mp4")]
    assert shared.warnings == alone.warnings


def write_stills(folder):
    folder.mkdir()
    for number in range(8):
        Image.new("RGB", (40, 40), (20 * number, 120, 60)).save(folder / f"picture-{number}x.png")


def test_an_error_in_a_worker_is_the_error_of_the_run(model, shapes_clips, tmp_path):
    clips = tmp_path / "clips"
    shutil.copytree(shapes_clips, clips)
    (clips / "random" / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError, match=r"broken\.mp4"):
        run(model, clips, workers=2, strict=True)


def test_a_module_at_hand_cannot_be_sent(shapes, shapes_clips):
    with pytest.raises(WorkerError, match="must be loaded by a spec for workers"):
        run(vt.load_model(shapes.build(), classes=list(shapes.DIRECTIONS), device="cpu"), shapes_clips, workers=2)


def test_a_store_that_may_not_be_written_to(model, shapes_clips, tmp_path):
    run(model, shapes_clips, tmp_path / "store")
    with (
        ActivationStore.open(tmp_path / "store", read_only=True) as store,
        pytest.raises(InputError, match="must be writable for workers"),
    ):
        run(model, shapes_clips, store, workers=2)


@pytest.mark.parametrize("backend", ["Ray", "ray:", "dask", "local:4", ""])
def test_unknown_backends(backend):
    with pytest.raises(InputError, match="`backend` must be local, ray or ray:ADDRESS"):
        backend_for(backend, 2)


@pytest.mark.parametrize("backend", ["ray", "ray:auto", "ray:10.0.0.1:6379"])
def test_ray_without_its_extra(monkeypatch, backend):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"`--backend ray` needs an extra.*video-tcav\[scale\]"):
        backend_for(backend, None)


def test_one_process_is_the_run_itself():
    assert backend_for("local", None) is None
    assert backend_for("local", 1) is None
    assert backend_for("local", 3) == Processes(workers=3)
    with pytest.raises(InputError, match="`workers` must be at least 1"):
        Workspace(RecordingSettings(workers=0))


@pytest.mark.parametrize(("sources", "batch", "workers"), [(1, 8, 4), (46, 8, 2), (1000, 8, 2), (240, 5, 3), (7, 1, 2)])
def test_chunks_are_whole_batches_and_hold_every_source_once(shapes_clips, sources, batch, workers):
    one = chunk_of(shapes_clips / "right")
    many = tuple(replace(one.sources[0], start_s=float(number)) for number in range(sources))
    whole = replace(one, sources=many, digests=tuple(source.key for source in many))
    chunks = cut([whole], batch, workers)
    assert [source for chunk in chunks for source in chunk.sources] == list(many)
    assert all([source.key for source in chunk.sources] == list(chunk.digests) for chunk in chunks)
    assert all(len(chunk.sources) % batch == 0 for chunk in chunks[:-1])
    assert len(chunks) >= min(workers, -(-sources // batch))


def test_a_worker_whose_numbers_would_differ_is_refused(model, work, tmp_path):
    with ActivationStore.open(tmp_path / "store") as store:
        other = replace(work, identity={**work.identity, "matmul": "medium"})
        with pytest.raises(WorkerError, match="must have the run's matmul.* Got highest instead of medium"):
            Worker(other, store)
        other = replace(work, recipe={**work.recipe, "weights": None})
        with pytest.raises(WorkerError, match="must have the run's model"):
            Worker(other, store)


def test_a_file_with_another_content_is_not_stored(work, shapes_clips, tmp_path):
    chunk = chunk_of(shapes_clips / "right")
    wrong = replace(chunk, digests=("0" * 64, *chunk.digests[1:]))
    with ActivationStore.open(tmp_path / "store") as store:
        unread = Worker(work, store).record(wrong, lambda _steps: None)
        assert unread == {str(chunk.sources[0].path): "another content there"}
        assert store.info().clips == (len(chunk.sources) - 1) * len(chunk.versions)


@pytest.mark.parametrize("role", ["activations", "gradients"])
def test_rows_that_were_sent_are_the_rows_that_were_stored(model, work, shapes_clips, tmp_path, role):
    chunk = chunk_of(
        shapes_clips / "right", None if role == "activations" else parse_target(model, "right", "log_odds")
    )
    sent: list[memoryview] = []
    Worker(work, RowSender({}, sent.append)).record(chunk, lambda _steps: None)
    with ActivationStore.open(tmp_path / "a") as here, ActivationStore.open(tmp_path / "b") as there:
        Worker(work, here).record(chunk, lambda _steps: None)
        for block in sent:
            there.add_encoded(block)
        found = []
        for store in (here, there):
            digests = dict(zip([source.key for source in chunk.sources], chunk.digests, strict=True))
            view = CacheView(store, model, LAYERS, RecordingSettings(), digests)
            found.append(view.find(chunk.sources, chunk.versions, chunk.target))
        assert found[0].sources == found[1].sources
        assert set(found[0].clips) == set(found[1].clips)
        assert len(found[0].clips) == len(chunk.sources) * len(chunk.versions)
        for name, clip in found[0].clips.items():
            assert clip.answer == found[1].clips[name].answer
            for layer in LAYERS:
                assert content(clip.rows[layer]) == content(found[1].clips[name].rows[layer])


def content(place) -> bytes:
    with place.path.open("rb") as file:
        file.seek(place.offset)
        return file.read(place.width * place.dtype.itemsize)


def test_threads_of_torch_are_those_of_the_run(work, tmp_path):
    with (
        ActivationStore.open(tmp_path / "store") as store,
        pytest.raises(WorkerError, match="must have the run's threads"),
    ):
        Worker(replace(work, torch_threads=2), store)


def test_the_recipe_loads_the_same_model(model):
    again = vt.load_model(**model.recipe, device="cpu")
    assert again.weights_digest == model.weights_digest
    assert (again.clip_spec, again.classes, again.name) == (model.clip_spec, model.classes, model.name)
    assert isinstance(again.module, nn.Module)


def test_the_run_decides_how_clips_are_passed_before_it_hands_out_work(model, shapes_clips, tmp_path):
    with ActivationStore.open(tmp_path / "store") as store:
        view = CacheView(store, model, LAYERS, RecordingSettings(), {})
        storage = SpillSpace(10**9, tmp_path)
        recorder = Recorder(model, LAYERS, RecordingSettings(), storage, cache=view)
        batch = batch_size(recorder.runner, find_videos(shapes_clips / "right"), windows=1)
        assert batch is not None
        assert len(recording_job(recorder, store, batch).facts) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="lists open files by Linux's /proc")
def test_the_runs_own_store_is_closed_with_it():
    work = Workspace(RecordingSettings(workers=2))
    with work:
        assert _open_locks()
    assert not _open_locks()


def _open_locks() -> list[Path]:
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists the folder
            links.append(descriptor.readlink())
    return [link for link in links if "store.lock" in link.name]
