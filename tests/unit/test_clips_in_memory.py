"""Whole answers about clips in memory equal those about the same frames in files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import video_tcav as vt
from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import find_videos, probe_video, read_frames
from video_tcav.reports import write_explanations

SETTINGS = {"target": "right", "layers": ["stages.2"], "permutations": 99, "random_sets": 10, "bootstraps": 20}
TWINS = ("frozen", "shuffled")


@pytest.fixture(scope="module")
def model(shapes, shapes_weights):
    return vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")


@pytest.fixture(scope="module")
def folders(shapes_clips, tmp_path_factory) -> Path:
    """The example clips as folders of PNG frames, which lose nothing."""
    root = tmp_path_factory.mktemp("frames")
    for source in find_videos(shapes_clips):
        folder = root / source.path.parent.name / source.path.stem
        folder.mkdir(parents=True)
        for number, frame in enumerate(read_frames(source, range(16)).permute(0, 2, 3, 1).numpy()):
            Image.fromarray(frame).save(folder / f"{number:03d}.png")
    return root


@pytest.fixture(scope="module")
def clips(folders) -> dict[str, list[tuple[str, np.ndarray]]]:
    """The same frames in memory, with the same names."""
    return {
        role.name: [(str(source.path), read_frames(source, range(16)).numpy()) for source in find_videos(role)]
        for role in folders.iterdir()
    }


def run(model, clips, **changes) -> vt.TcavResult:
    concepts = {"moves-right": clips["moves-right"]}
    settings = {"clips": clips["right"], "concepts": concepts, "random": clips["random"], "twins": TWINS, **changes}
    return vt.run_tcav(model, **SETTINGS, **settings)


@pytest.fixture(scope="module")
def from_files(model, folders) -> vt.TcavResult:
    return run(model, {role.name: role for role in folders.iterdir()})


def test_a_run_is_the_same_as_from_files(model, clips, from_files):
    found = run(model, clips, detail=True, group="([^/]+/[^/]+)$")
    assert found.to_frame().equals(from_files.to_frame())
    assert found.warnings == from_files.warnings
    digests = found.provenance["clips"]["random"]
    assert set(digests) == {name for name, _ in clips["random"]} and all(digests.values())


def test_a_store_takes_and_finds_them(model, clips, from_files, tmp_path):
    counts: list[int] = []
    handle = model.module.register_forward_pre_hook(lambda _module, inputs: counts.append(len(inputs[0])))
    try:
        run(model, clips, store=tmp_path / "store", intervene="none")
        counts.clear()
        # a generator, floats and another layout: the same pixels under other names
        unnamed = {role: (clip.transpose(0, 2, 3, 1) / 255 for _, clip in pairs) for role, pairs in clips.items()}
        found = run(model, unnamed, store=tmp_path / "store", twins=("frozen",), intervene="none")
        assert counts == []
    finally:
        handle.remove()
    expected = from_files.to_frame().query("twin in ('none', 'frozen', 'motion')")
    assert found.to_frame()["effect"].tolist() == pytest.approx(expected["effect"].tolist(), rel=1e-6)


def test_worker_processes_are_sent_the_clips(model, clips, from_files):
    assert run(model, clips, workers=2).to_frame().equals(from_files.to_frame())


def test_one_name_in_two_roles_is_refused(model, clips):
    (name, _), *others = clips["random"]
    with pytest.raises(SourceError, match="names of their own"):
        run(model, {**clips, "random": [(name, clips["right"][0][1]), (clips["right"][0][0], others[0][1]), *others]})


def test_predictions_and_maps_are_the_same_as_from_files(model, folders, clips, tmp_path):
    batch = np.stack([clip for _, clip in clips["right"]])
    found, expected = vt.predict(model, batch), vt.predict(model, folders / "right")
    assert [one.path for one in found.predictions] == [f"clip {number}" for number in range(6)]
    assert [one.labels for one in found.predictions] == [one.labels for one in expected.predictions]
    with pytest.raises(InputError, match="`top` must be at least 1"):
        vt.predict(model, batch, top=0)
    maps = vt.explain(model, iter(clips["right"][:1]), check=False)
    (disk,) = vt.explain(model, clips["right"][0][0], check=False).explanations
    (memory,) = maps.explanations
    assert memory.facts() == disk.facts()
    assert memory.values.equal(disk.values)
    written = write_explanations(maps, tmp_path, formats=("mp4", "png", "npz"))
    assert not written.skipped
    (video,) = (path for path in written.files if path.suffix == ".mp4")
    assert probe_video(video).fps == pytest.approx(25)
