"""Audits whose passes are shared: the figures are those of one process, bit for bit, whoever passes what and is killed."""

import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import video_tcav as vt
from tests.plugins import installed, make_plugin
from tests.unit.auditing.rendered_audit import ExactMasks, rendered_clips
from tests.unit.auditing.test_run import PAINTED, counted
from video_tcav.auditing.kept_logits import LogitFiles
from video_tcav.auditing.pending_clips import PendingClips
from video_tcav.auditing.plan import AuditQuestion, plan_audit
from video_tcav.auditing.settings import AuditSettings
from video_tcav.auditing.shared_passes import AuditJob, AuditPiece, AuditWorker
from video_tcav.auditing.versions import VERSIONS
from video_tcav.core.errors import InputError, MediaError, WorkerError
from video_tcav.masks.identity import mask_identity
from video_tcav.media import source_digest
from video_tcav.recording.cache import ActivationStore, CacheView
from video_tcav.recording.cache.row_sender import RowSender
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.workers.chunks import cut, job_fields
from video_tcav.rendered import rule_of, write_world

pytestmark = [pytest.mark.timeout(180, func_only=True)]

ASKED = ("shuffled", "swap")


@pytest.fixture(scope="module")
def model():
    return vt.load_model("rendered:r2plus1d-scene", device="cpu")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Five videos with masks; the list, in a folder that tests may copy from."""
    rule = rule_of("scene")
    factors, labels = rule.sample(5, seed=3)
    names = [rule.labels[label] for label in labels]
    return write_world(tmp_path_factory.mktemp("shared") / "world", factors, names, masks=True)


def audited(model, world, **options):
    return vt.audit(
        model, world, **({"versions": ASKED, "masks": world.parent / "masks.json", "bootstraps": 200} | options)
    )


@pytest.fixture(scope="module")
def alone(model, world):
    return audited(model, world)


def assert_same(result, expected):
    assert result.answers.to_frame().equals(expected.answers.to_frame())
    assert str(result.versions) == str(expected.versions)
    assert str(result.shares) == str(expected.shares)
    assert str(result.figures) == str(expected.figures)
    assert result.skipped == expected.skipped
    assert result.warnings == expected.warnings


def test_two_processes_change_no_bit_and_leave_nothing_to_pass(model, world, alone, tmp_path, monkeypatch):
    batches = counted(monkeypatch)
    shared = audited(model, world, workers=2, store=tmp_path / "store")
    assert batches == [0]
    assert_same(shared, alone)
    assert_same(audited(model, world, store=tmp_path / "store"), alone)
    assert batches == [0]


def test_a_clip_that_is_none_and_a_run_without_a_store(model, world, monkeypatch, tmp_path):
    lines = world.read_text().splitlines()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    listed = world.with_name("with broken.csv")
    listed.write_text("\n".join([*lines, f"{broken},{lines[1].split(',')[1]}"]) + "\n")
    options = {"versions": ["reversed"], "shares": False}
    expected = audited(model, listed, **options)
    batches = counted(monkeypatch)
    assert_same(audited(model, listed, workers=2, **options), expected)
    assert batches == [0]
    assert [file.path for file in expected.skipped] == [str(broken)]


GO = """
import sys
import video_tcav as vt
if __name__ == "__main__":
    model = vt.load_model("rendered:r2plus1d-scene", device="cpu")
    vt.audit(model, sys.argv[1], masks=sys.argv[2], versions=["shuffled", "swap"], store=sys.argv[3], workers=2)
"""


def test_a_run_that_is_killed_leaves_no_worker_and_goes_on(model, world, alone, tmp_path):
    program = tmp_path / "go.py"
    program.write_text(GO)
    arguments = [str(world), str(world.parent / "masks.json"), str(tmp_path / "store")]
    with subprocess.Popen([sys.executable, program, *arguments], stdout=subprocess.PIPE) as process:
        while process.poll() is None and not list(tmp_path.glob("store-logits/*/*.safetensors")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.read()  # workers hold the other end of the pipe: it ends with the last of them
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("store-logits/*/*.safetensors")}
    assert kept
    assert_same(audited(model, world, workers=2, store=tmp_path / "store"), alone)
    assert any(file.stat().st_mtime_ns == written for file, written in kept.items())


def job_of(model, world, folder, **changes):
    """A job and its one piece, as a run would hand them out."""
    settings = AuditSettings(masks=world.parent / "masks.json")
    plan = plan_audit(model, AuditQuestion(clips=world, versions=ASKED), settings, source_digest)
    view = CacheView(RowSender({}, print), model, (), RecordingSettings(), {})
    job = AuditJob(
        **job_fields(model, view, RecordingSettings(), "float32"),
        batch=1,
        versions=tuple(version.name for version in plan.versions),
        shares=False,
        masks=plan.masks.name,
        mask_identity=mask_identity(plan.masks),
        seed=0,
        folder=folder,
    )
    piece = AuditPiece(sources=plan.order, lenders=plan.lenders, digests=plan.digests)
    return replace(job, **changes), piece, replace(plan, shares=False)


def test_what_is_sent_from_elsewhere_is_what_is_kept_here_and_takes_nothing_away(model, world, tmp_path):
    sent: list[memoryview] = []
    job, piece, plan = job_of(model, world, tmp_path / "here")
    assert job.local_worker().record(piece, lambda _steps: None) == {}
    assert job.remote_worker(sent.append).record(piece, lambda _steps: None) == {}
    there = LogitFiles(tmp_path / "there", job.identity)
    # a store that has other versions of the same clips keeps them
    earlier = replace(job, versions=("original", "mirrored"))
    AuditWorker(earlier, there).record(piece, lambda _steps: None)
    for block in (*sent, *sent[:2]):  # where a node is lost, some come twice
        there.add_encoded(block)
    here = LogitFiles(tmp_path / "here", job.identity)
    wider = replace(plan, versions=(*plan.versions, VERSIONS["mirrored"]))
    settings = RecordingSettings()
    for source in piece.sources:
        mine, other = (PendingClips(model.clip_spec, plan, settings, [files]).of(source)[0] for files in (here, there))
        assert not mine.missing
        assert not other.missing
        assert mine.passed.facts == other.passed.facts
        assert set(mine.passed.logits) == {"original", *ASKED}
        for name, logits in mine.passed.logits.items():
            assert logits.dtype == other.passed.logits[name].dtype
            assert np.array_equal(logits.numpy(), other.passed.logits[name].numpy())
        assert PendingClips(model.clip_spec, wider, settings, [there]).is_kept(source)
        assert not PendingClips(model.clip_spec, wider, settings, [here]).is_kept(source)


def test_videos_that_differ_elsewhere_are_left_to_the_run(model, world, tmp_path):
    job, piece, _ = job_of(model, world, tmp_path)
    first = piece.sources[0]
    wrong = replace(piece, digests={**piece.digests, first.key: "0" * 64})
    unread = job.local_worker().record(wrong, lambda _steps: None)
    lenders_of = [source for source in piece.sources if first in piece.lenders[source.key]]
    assert unread[str(first.path)] == "another content there"
    assert lenders_of
    for source in lenders_of:  # its swap would get another scene
        assert unread[str(source.path)] == f"{first.path}, whose scene it may get: another content there"
    assert len(unread) == 1 + len(lenders_of)


def test_a_strict_run_ends_at_the_first_video_that_cannot_be_used(model, world, tmp_path):
    job, piece, _ = job_of(model, world, tmp_path)
    broken = replace(piece.sources[0], path=tmp_path / "broken.mp4")
    broken.path.write_bytes(b"no video")
    alone = replace(piece, sources=(broken,), lenders={broken.key: ()}, digests={broken.key: source_digest(broken)})
    assert list(job.local_worker().record(alone, lambda _steps: None)) == [str(broken.path)]
    with pytest.raises(MediaError, match=r"broken\.mp4"):
        replace(job, recording=replace(job.recording, strict=True)).local_worker().record(alone, lambda _steps: None)


def test_a_worker_whose_numbers_or_masks_would_differ_is_refused(model, world, tmp_path):
    job, _, _ = job_of(model, world, tmp_path)
    with pytest.raises(WorkerError, match="must have the run's matmul.* Got highest instead of medium"):
        replace(job, identity={**job.identity, "matmul": "medium"}).local_worker()
    with pytest.raises(WorkerError, match="`masks` must be the same for workers as for the run"):
        replace(job, masks="motion").local_worker()


def test_pieces_hold_every_video_once_with_what_it_needs(model, world, tmp_path):
    _, whole, _ = job_of(model, world, tmp_path)
    pieces = cut([whole], 1, 2)
    assert [source for piece in pieces for source in piece.sources] == list(whole.sources)
    for piece in pieces:
        for source in piece.sources:
            assert piece.lenders[source.key] == whole.lenders[source.key]
            assert all(piece.digests[each.key] for each in (source, *piece.lenders[source.key]))
        assert len(piece.lenders) == len(piece.sources)


def test_a_version_of_another_package_is_passed_by_the_run(model, world, tmp_path, monkeypatch):
    plugin = make_plugin(tmp_path, "video_tcav.audit_versions", "painted", PAINTED, "PAINTED")
    options = {"versions": ["painted", "reversed"], "shares": False}
    with installed(plugin, VERSIONS):
        expected = audited(model, world, **options)
        batches = counted(monkeypatch)
        assert_same(audited(model, world, workers=2, **options), expected)
    assert batches == [1]  # one version of five clips


def test_what_cannot_be_sent_is_refused(model, world, tmp_path):
    clips, rendered = rendered_clips("scene", 4)
    with pytest.raises(WorkerError, match="`masks` must come from a spec of this package for workers. Got exact"):
        vt.audit(model, clips, masks=ExactMasks(rendered), versions=ASKED, workers=2)
    with pytest.raises(WorkerError, match="`model` must be loaded by a spec for workers"):
        vt.audit(replace(model, recipe=None), world, versions=["reversed"], shares=False, workers=2)
    with (
        ActivationStore.open(tmp_path / "store"),
        ActivationStore.open(tmp_path / "store", read_only=True) as store,
        pytest.raises(InputError, match="must be writable for workers"),
    ):
        vt.audit(model, world, versions=["reversed"], shares=False, workers=2, store=store)


class TestRay:
    pytestmark = [
        # Ray leaves sockets and processes to the collector, and calls parts of its own that it has deprecated
        pytest.mark.filterwarnings("ignore::ResourceWarning"),
        pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
        pytest.mark.filterwarnings("ignore::DeprecationWarning"),
        pytest.mark.filterwarnings("ignore:.*RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO.*:FutureWarning"),
    ]

    def test_actors_change_no_bit_and_leave_nothing_to_pass(self, model, world, alone, tmp_path, monkeypatch):
        pytest.importorskip("ray")
        batches = counted(monkeypatch)
        shared = audited(model, world, backend="ray", workers=2, store=tmp_path / "store")
        assert batches == [0]
        assert_same(shared, alone)
