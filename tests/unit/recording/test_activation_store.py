"""A run with a store is the run without it, bit for bit, and computes nothing twice."""

import dataclasses
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import video_tcav as vt
from tests.unit.recording.store_runs import LAYERS, TWINS, load, run
from video_tcav.core.errors import InputError, OutputError, StoreError
from video_tcav.models.video_model import state_digest
from video_tcav.recording.cache.keys import model_digest, numerics, preparation_digest


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return load(shapes.__file__, shapes_weights)


@pytest.fixture(scope="module")
def plain(model, shapes_clips):
    return run(model, shapes_clips).to_frame()


@pytest.fixture(scope="module")
def full(model, shapes_clips, tmp_path_factory) -> Path:
    """A store that holds everything the run needs; copied before it is changed."""
    folder = tmp_path_factory.mktemp("store") / "full"
    run(model, shapes_clips, folder)
    return folder


@pytest.fixture
def store(full, tmp_path) -> Path:
    shutil.copytree(full, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def passed(model):
    """How many clips went through the model."""
    counts: list[int] = []
    handle = model.module.register_forward_pre_hook(lambda _module, inputs: counts.append(len(inputs[0])))
    yield counts
    handle.remove()


def test_an_empty_store_changes_no_bit(model, shapes_clips, plain, tmp_path):
    assert run(model, shapes_clips, tmp_path / "store").to_frame().equals(plain)


@pytest.mark.parametrize("memory", ["2GB", "0", "300kB"])
def test_a_full_store_changes_no_bit_and_nothing_is_passed(model, shapes_clips, plain, store, passed, memory):
    assert run(model, shapes_clips, store, memory=memory).to_frame().equals(plain)
    assert passed == []


def test_rows_that_do_not_fit_are_read_from_the_store(model, shapes_clips, plain, tmp_path):
    found = run(model, shapes_clips, tmp_path / "store", memory="0")
    assert found.to_frame().equals(plain)
    assert found.provenance["spilled"] == []


@pytest.fixture
def opened_files():
    """Paths that this process opens, told by Python itself; a hook of this kind stays for good, so it is made deaf."""
    paths: list[str] = []
    listening = [True]

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "open":
            paths.append(str(arguments[0]))

    sys.addaudithook(note)
    yield paths
    listening.clear()


def test_the_second_run_does_not_even_open_the_videos(
    model, shapes_clips, plain, store, passed, tmp_path, opened_files
):
    clips = tmp_path / "clips"
    shutil.copytree(shapes_clips, clips)
    _wait_until_settled()
    opened_files.clear()
    assert run(model, clips, store).to_frame().equals(plain)
    assert len({path for path in opened_files if path.endswith(".mp4")}) == 46  # to hash them: they lie elsewhere now
    opened_files.clear()
    assert run(model, clips, store).to_frame().equals(plain)
    assert [path for path in opened_files if path.endswith(".mp4")] == []
    assert passed == []


def test_clips_are_known_by_content_not_by_place(model, shapes_clips, plain, store, passed, tmp_path):
    shutil.copytree(shapes_clips, tmp_path / "elsewhere")
    found = run(model, tmp_path / "elsewhere", store)
    assert found.to_frame().equals(plain)
    assert passed == []


def test_a_changed_file_is_passed_again(model, shapes_clips, store, passed, tmp_path):
    clips = tmp_path / "clips"
    shutil.copytree(shapes_clips, clips)
    changed, other = sorted((clips / "random").iterdir())[:2]
    content = sorted((clips / "green").iterdir())[0].read_bytes() + bytes(9)
    times = changed.stat()
    changed.write_bytes(content)
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    found = run(model, clips, store)
    assert sum(count > 2 for count in passed) == 1  # one clip and its twins, filled up to a batch
    assert found.to_frame().equals(run(model, clips).to_frame())
    assert other.exists()


def test_only_what_is_new_is_passed(model, shapes_clips, plain, tmp_path, passed):
    run(model, shapes_clips, tmp_path, twins=[], layers=["stages.2"])
    first = sum(count > 2 for count in passed)
    passed.clear()
    run(model, shapes_clips, tmp_path, twins=["frozen"], layers=["stages.2"])
    assert 0 < sum(count > 2 for count in passed) <= first  # the twins alone; no gradient again
    passed.clear()
    assert run(model, shapes_clips, tmp_path).to_frame().equals(plain)  # other layers and twins beside what was there
    passed.clear()
    assert run(model, shapes_clips, tmp_path).to_frame().equals(plain)
    assert passed == []


@pytest.mark.parametrize(
    "changes", [{"target": "left"}, {"against": "logit"}, {"space": "space"}, {"seed": 1}, {"windows": 2}]
)
def test_other_settings_take_nothing_that_is_not_theirs(model, shapes_clips, store, changes):
    if "target" in changes:
        assert model.classes.index("left") != model.classes.index("right")
    assert run(model, shapes_clips, store, **changes).to_frame().equals(run(model, shapes_clips, **changes).to_frame())


def test_clips_that_share_a_batch_with_copies_of_themselves(model, shapes_clips, tmp_path):
    clips = tmp_path / "clips"
    shutil.copytree(shapes_clips, clips)
    for number, file in enumerate(sorted((clips / "random").iterdir())[:5]):
        shutil.copy(file, clips / "random" / f"copy-{number}.mp4")
    plain = run(model, clips).to_frame()
    assert run(model, clips, tmp_path / "store").to_frame().equals(plain)
    assert run(model, clips, tmp_path / "store").to_frame().equals(plain)
    with vt.ActivationStore.open(tmp_path / "store") as store:
        assert store.verify() == ()


def test_cavs_are_the_same_with_a_store(model, shapes_clips, store, tmp_path):
    settings = {
        "concepts": {"green": shapes_clips / "green"},
        "random": shapes_clips / "random",
        "layers": ["stages.2"],
    }
    [expected] = vt.learn_cavs(model, **settings)
    for folder in (store, tmp_path / "new", tmp_path / "new"):
        [found] = vt.learn_cavs(model, **settings, store=folder)
        assert torch.equal(found.vector, expected.vector)
        assert found.auc == expected.auc


def test_a_file_that_cannot_be_used_is_skipped_again(model, shapes_clips, tmp_path):
    clips = tmp_path / "clips"
    shutil.copytree(shapes_clips, clips)
    (clips / "random" / "broken.mp4").write_bytes(b"no video")
    results = [run(model, clips, folder, twins=[]) for folder in (None, tmp_path / "store", tmp_path / "store")]
    assert len({one.skipped for one in results}) == 1
    assert results[0].to_frame().equals(results[2].to_frame())
    assert len(results[0].skipped) == 1


def test_stills_are_known_to_be_stills(model, shapes_clips, tmp_path):
    from PIL import Image

    stills = tmp_path / "stills"
    stills.mkdir()
    for number in range(6):
        Image.new("RGB", (48, 48), (40 * number, 90, 200 - 30 * number)).save(stills / f"{number}.png")
    settings = {"concepts": {"stills": stills}, "twins": [], "layers": ["stages.2"], "windows": 2}
    plain = run(model, shapes_clips, **settings)
    for _ in range(2):
        assert run(model, shapes_clips, tmp_path / "store", **settings).to_frame().equals(plain.to_frame())
    assert plain.results[0].negatives == "frozen"


def test_a_block_is_a_safetensors_file_with_a_row_for_each_clip(full, model):
    shapes = {tuple(values.shape) for path in block_files(full) for values in load_file(path).values()}
    assert all(rows <= 8 for rows, _ in shapes)
    assert {path.suffix for path in block_files(full)} == {".safetensors"}


def test_the_name_of_a_block_says_what_is_in_it(full, model, shapes_clips, tmp_path):
    """Whoever computes a batch, it lies in the same file."""
    run(model, shapes_clips, tmp_path / "again")
    names = [{path.relative_to(store) for path in block_files(store)} for store in (full, tmp_path / "again")]
    assert names[0] == names[1]


def test_a_store_that_may_not_be_written_to_is_read(model, shapes_clips, plain, store, passed):
    before = sorted((path.name, path.stat().st_mtime_ns) for path in store.rglob("*"))
    with vt.ActivationStore.open(store, read_only=True) as opened:
        assert run(model, shapes_clips, opened).to_frame().equals(plain)
        assert passed == []
        assert run(model, shapes_clips, opened, seed=1).to_frame().equals(run(model, shapes_clips, seed=1).to_frame())
        assert opened.info().blocks > 0
    assert sorted((path.name, path.stat().st_mtime_ns) for path in store.rglob("*")) == before


def test_digests_of_files_are_kept_only_once_they_have_settled(store, tmp_path):
    source = _source(tmp_path / "a.mp4", b"first")
    with vt.ActivationStore.open(store) as opened:
        first = opened.source_digest(source)
    times = source.path.stat()
    source.path.write_bytes(b"other")
    os.utime(source.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with vt.ActivationStore.open(store) as opened:
        assert opened.source_digest(source) != first
        _wait_until_settled()
        second = opened.source_digest(source)
    with vt.ActivationStore.open(store) as opened:
        assert str(source.path) in opened._entries
        assert opened.source_digest(source) == second


def test_a_file_that_changes_during_the_run_is_not_kept(store, tmp_path):
    source = _source(tmp_path / "a.mp4", b"first")
    with vt.ActivationStore.open(store) as opened:
        opened.source_digest(source)
        assert opened.unchanged(source)
        source.path.write_bytes(b"second")
        assert not opened.unchanged(source)


class Scaled(nn.Module):
    def __init__(self, factor: float, hidden: float = 1.0) -> None:
        super().__init__()
        self.stage = nn.Conv3d(3, 2, 1)
        self.factor = factor
        self._hidden = hidden
        self.register_buffer("place", torch.full((2,), factor), persistent=False)

    def forward(self, clips):
        return self.stage(clips).mean((2, 3, 4)) * self.factor


class Squared(Scaled):
    def forward(self, clips):
        return super().forward(clips) ** 2


def _described(module: nn.Module) -> vt.VideoModel:
    spec = vt.ClipSpec(frames=4, size=(8, 8))
    return vt.VideoModel(
        name="test",
        module=module.eval(),
        clip_spec=spec,
        classes=("a", "b"),
        default_layers=("stage",),
        prepare=lambda clip: clip.transpose(0, 1).float(),
    )


def _seeded(build) -> nn.Module:
    torch.manual_seed(0)
    return build()


def test_models_of_the_same_weights_are_told_apart():
    modules = [lambda: Scaled(1.0), lambda: Scaled(2.0), lambda: Scaled(1.0, 2.0), lambda: Squared(1.0)]
    models = [_described(_seeded(build)) for build in modules]
    assert len({state_digest(one.module) for one in models}) == 1
    assert len({model_digest(one) for one in models}) == 4
    again = _described(_seeded(modules[0]))
    assert model_digest(again) == model_digest(models[0])


def test_weights_that_are_changed_in_place_are_other_weights():
    model = _described(_seeded(lambda: Scaled(1.0)))
    before = model_digest(model)
    with torch.no_grad():
        model.module.stage.weight.add_(1)
    assert model_digest(model) != before


_LAB_NETWORK = """
from torch import nn


class Net(nn.Module):
    clip_spec = {{"frames": 2, "size": 4, "mean": 0.5, "std": 0.5}}

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, clip):
        return {scale} * self.head(clip.mean((2, 3, 4)))


build = Net
"""


def test_another_version_of_an_installed_package_is_another_model(tmp_path):
    # as timm, pytorchvideo or a lab's own package: their versions are not in the key, as torch's is
    path = tmp_path / "site-packages" / "lab" / "net.py"
    path.parent.mkdir(parents=True)
    digests = []
    for scale in (1, 2, 1):
        path.write_text(_LAB_NETWORK.format(scale=scale))
        model = vt.load_model(f"file:{path}:build", device="cpu")
        digests.append((state_digest(model.module), model_digest(model)))
    (state, first), (other_state, second), again = digests
    assert state == other_state
    assert first != second
    assert again == (state, first)


def test_a_change_of_the_preparation_is_seen_by_what_it_does():
    model = _described(_seeded(lambda: Scaled(1.0)))
    other = dataclasses.replace(model, prepare=lambda clip: clip.transpose(0, 1).float() / 255)
    same = dataclasses.replace(model, prepare=lambda clip: clip.float().transpose(0, 1))
    faster = dataclasses.replace(model, clip_spec=dataclasses.replace(model.clip_spec, stride=2))
    assert preparation_digest(model) == preparation_digest(same)
    assert len({preparation_digest(one) for one in (model, other, faster)}) == 3


def test_what_decides_about_the_last_bits_is_part_of_the_key():
    model = _described(_seeded(lambda: Scaled(1.0)))
    before = numerics(model)
    torch.set_num_threads(2)
    try:
        assert numerics(model) != before
    finally:
        torch.set_num_threads(1)
    assert numerics(_described(_seeded(lambda: Scaled(1.0)).double())) != before
    assert numerics(model, "bfloat16") != before


def test_rows_of_different_precision_never_mix(model, shapes_clips, tmp_path):
    changes = {"twins": [], "layers": ["stages.2"], "concepts": {"moves-right": shapes_clips / "moves-right"}}
    alone = {
        precision: run(model, shapes_clips, precision=precision, **changes) for precision in ("float32", "bfloat16")
    }
    largest = max(abs(one.effect) for one in alone["float32"].results)
    for exact, half in zip(alone["float32"].results, alone["bfloat16"].results, strict=True):
        assert half.effect != exact.effect
        assert abs(half.effect - exact.effect) <= 0.02 * largest
    with vt.ActivationStore.open(tmp_path / "store") as store:
        for _ in range(2):
            for precision, expected in alone.items():
                found = run(model, shapes_clips, store=store, precision=precision, **changes)
                assert found.results == expected.results
                assert found.provenance["settings"]["precision"] == precision


def test_info_counts(full, model):
    with vt.ActivationStore.open(full) as store:
        found = store.info()
    assert found.models == (model.name,)
    assert found.layers == LAYERS
    assert found.clips == 40 * (1 + len(TWINS)) + 6
    assert found.rows == found.clips * len(found.layers)
    assert found.bytes >= sum(path.stat().st_size for path in block_files(full))
    assert found.last_used_s == pytest.approx(time.time(), abs=600)


def block_files(store: Path) -> list[Path]:
    return sorted((store / "blocks").glob("*/*"))


def test_pruning_takes_the_least_recently_used_first(model, shapes_clips, plain, store):
    paths, now = block_files(store), time.time()
    for number, path in enumerate(paths):
        os.utime(path, (now, now - 100 * (30 - number)))
    most = sum(path.stat().st_size for path in paths[-3:])
    with vt.ActivationStore.open(store) as opened:
        said = opened.prune(max_size=most, dry_run=True)
        assert block_files(store) == paths
        assert opened.prune(max_size=most) == said
        assert (said.blocks, said.blocks_left, said.bytes_left) == (len(paths) - 3, 3, most)
        assert block_files(store) == paths[-3:]
        assert opened.verify() == ()
        assert opened.prune(older_than_s=3600).blocks == 0
    assert run(model, shapes_clips, store).to_frame().equals(plain)
    with vt.ActivationStore.open(store) as opened:
        assert opened.prune().blocks_left == 0
        assert block_files(store) == []
        with pytest.raises(InputError, match="`max_size` must be a size in bytes. Got 'much'"):
            opened.prune(max_size="much")


def test_what_is_used_is_not_the_least_recently_used(model, shapes_clips, store):
    for path in block_files(store):
        os.utime(path, (0, 1000))
    run(model, shapes_clips, store, twins=[])
    with vt.ActivationStore.open(store) as opened:
        assert opened.info().last_used_s == pytest.approx(time.time(), abs=600)
        left = opened.prune(older_than_s=3600).blocks_left
    assert left > 0


def test_a_store_in_use_is_not_pruned(store):
    with vt.ActivationStore.open(store), vt.ActivationStore.open(store) as other:
        with pytest.raises(StoreError, match="`store` must not be used by another process while it is pruned"):
            other.prune()
        with pytest.raises(StoreError, match="`store` must not be used by another process while it is repaired"):
            other.verify(repair=True)
        assert other.prune(dry_run=True).blocks > 0


def test_a_folder_that_is_no_store(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"")
    with pytest.raises(
        StoreError, match="`store` must be an activation store, or a new or empty folder. Got .*other files"
    ):
        vt.ActivationStore.open(tmp_path / "clips")
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["a.mp4"]
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(StoreError, match="`store` must be a folder with store.json. Got .*none"):
            vt.ActivationStore.open(tmp_path / "none", **options)
    assert not (tmp_path / "none").exists()
    with pytest.raises(OutputError, match="`store` must be a folder. Got .*a file"):
        vt.ActivationStore.open(tmp_path / "clips" / "a.mp4")


def _source(path: Path, content: bytes) -> vt.VideoSource:
    path.write_bytes(content)
    return vt.VideoSource(path=path, kind="video")


def _wait_until_settled() -> None:
    time.sleep(2.2)
