"""Clips in memory: layouts, types and names that are taken or refused, and the same frames as from files."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import left_out_notes
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError, SourceError
from video_tcav.media import (
    MemorySource,
    VideoSource,
    iter_frames,
    load_clips,
    read_clips,
    read_frames,
    source_digest,
)
from video_tcav.media.memory_clips import refuse_memory
from video_tcav.media.used_steps import used_steps

SPEC = ClipSpec(frames=4, stride=2)


def frames(time: int = 9, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (time, 12, 16, 3), dtype=np.uint8)


def only(clips) -> MemorySource:
    (source,) = as_sources(clips)
    assert isinstance(source, MemorySource)
    return source


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "walk").mkdir()
    for number, picture in enumerate(frames()):
        Image.fromarray(picture).save(tmp_path / "walk" / f"{number:03d}.png")
    return tmp_path / "walk"


@pytest.mark.parametrize(
    "layout",
    [
        lambda clip: clip,
        lambda clip: clip.transpose(0, 3, 1, 2),
        lambda clip: torch.from_numpy(clip),
        lambda clip: torch.from_numpy(clip).permute(0, 3, 1, 2),
        lambda clip: clip / np.float64(255),
        lambda clip: (clip / 255).astype(np.float16),
        lambda clip: torch.from_numpy(clip).permute(0, 3, 1, 2) / 255,
        lambda clip: np.ascontiguousarray(clip[::-1, :, ::-1])[::-1, :, ::-1],  # negative strides
        lambda clip: np.frombuffer(clip.tobytes(), np.uint8).reshape(clip.shape),  # read-only
        lambda clip: (torch.from_numpy(clip) / 255).requires_grad_(),
    ],
)
@pytest.mark.parametrize("spec", [SPEC, ClipSpec(frames=4, sampling="uniform"), ClipSpec(frames=3, fps=10.0)])
def test_every_layout_gives_the_frames_of_a_lossless_file(folder, layout, spec):
    source = only(layout(frames()))
    file = VideoSource(path=folder, kind="frames")
    assert torch.equal(read_clips(source, spec, windows=2), read_clips(file, spec, windows=2))
    assert source_digest(source) == source_digest(only(frames()))
    (memory,), (disk,) = (list(load_clips([one], spec)) for one in (source, file))
    assert memory.frame_indices.tolist() == disk.frame_indices.tolist()
    assert memory.timestamps_s.tolist() == disk.timestamps_s.tolist()
    assert used_steps([source], spec) == used_steps([file], spec)


def test_frames_one_by_one_and_in_any_order():
    source = only(frames())
    expected = torch.from_numpy(frames()).permute(0, 3, 1, 2)
    assert torch.equal(torch.stack(list(iter_frames(source))), expected)
    assert torch.equal(read_frames(source, [5, 0, 5]), expected[[5, 0, 5]])


def test_too_few_frames_follow_the_models_setting():
    source = only(("brief", frames(3).repeat(2, axis=1)))
    with pytest.raises(MediaError, match="too short: 3 frames, the model takes 4"):
        read_clips(source, SPEC)
    padded = read_clips(source, ClipSpec(frames=4, short="pad"))[0]
    assert torch.equal(padded[3], padded[2])


def test_one_frame_is_a_still():
    source = only(frames(1))
    assert source.kind == "still"
    assert read_clips(source, SPEC).shape == (1, 4, 3, 12, 16)


def test_views_are_neither_copied_nor_sent_with_their_batch():
    batch = np.stack([frames(seed=seed) for seed in range(50)])
    sources = as_sources(batch)
    assert all(np.shares_memory(source.frames, batch) for source in sources)
    sent = pickle.dumps(sources[7])
    assert len(sent) < 2 * batch[7].nbytes
    assert source_digest(pickle.loads(sent)) == source_digest(sources[7])


def test_names_are_given_or_counted(folder):
    loader = torch.utils.data.DataLoader(
        [("a", torch.from_numpy(frames(seed=1))), ("b", torch.from_numpy(frames(seed=2)))], 2
    )
    clips = (clip for clip in [frames(seed=3), folder, ("run", frames(seed=4)), np.stack([frames(seed=5)] * 2)])
    assert [source.key for source in as_sources(loader)] == ["a", "b"]
    with pytest.raises(SourceError, match=r"must be \(time, 3, height, width\)"):
        as_sources(torch.utils.data.DataLoader([(torch.from_numpy(frames()), 1)] * 2, 2))
    assert [source.key for source in as_sources([clips, str(folder)])] == [
        "clip 0",
        str(folder),
        "run",
        "clip 1",
        "clip 2",
    ]
    assert [source.key for source in as_sources(frames(), clip_name="random clip")] == ["random clip 0"]


def test_a_pair_is_a_tuple_and_a_list_holds_a_path(folder):
    assert [source.key for source in as_sources([str(folder), frames()])] == [str(folder), "clip 0"]
    assert left_out_notes((str(folder), frames())) == ()
    assert left_out_notes([("no path", frames()), frames()]) == ()


def test_one_name_for_two_clips_is_refused(folder):
    assert len(as_sources([("run", frames()), ("run", frames())])) == 1
    with pytest.raises(SourceError, match="names of their own. Got two clips with the name run"):
        as_sources([("run", frames()), ("run", frames(seed=1))])
    with pytest.raises(SourceError, match="names of their own. Got two clips with the name .*walk"):
        as_sources([(str(folder), frames()), folder])


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (np.zeros((3, 3, 12, 16), np.uint8), r"which dimension is the channel.*Give \(time, height, width, channel\)"),
        (np.zeros((5, 3, 12, 3), np.uint8), "which dimension is the channel"),
        (np.zeros((2, 3, 3, 12, 16), np.uint8), "which dimension is the channel"),
        (np.zeros((3, 9, 12, 16), np.uint8), r"three channels.*\(3, 9, 12, 16\).*Swap its first two dimensions"),
        (np.zeros((2, 3, 9, 12, 16), np.uint8), "three channels"),
        (np.zeros((9, 12, 16, 1), np.uint8), "three channels"),
        (np.zeros((9, 4, 12, 16), np.uint8), "three channels"),
        (np.zeros((9, 12, 16), np.uint8), "one more dimension in front for a batch"),
        (np.zeros((0, 3, 12, 16), np.uint8), "must not be empty"),
        (torch.zeros(0, 9, 3, 12, 16, dtype=torch.uint8), "must not be empty"),
        (np.zeros((9, 3, 12, 16), np.int64), "uint8, or floats.*Got int64"),
        (np.full((9, 3, 12, 16), np.nan), "Got NaN"),
        (np.full((9, 3, 12, 16), 200.0), "Got 200 to 200"),
        (torch.full((9, 3, 12, 16), -0.5), r"Got -0\.5 to -0\.5.*not normalised"),
        (("a", np.zeros((2, 9, 3, 12, 16), np.uint8)), "`a` must name one clip"),
        ((" ", np.zeros((9, 3, 12, 16), np.uint8)), "Got an empty one"),
        (7, "Got int"),
        ([], "must hold a video at least"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused_in_one_line(clips, message):
    with pytest.raises(SourceError, match=message) as caught:
        as_sources(clips)
    assert "\n" not in str(caught.value)


def test_commands_that_need_files_say_so():
    with pytest.raises(SourceError, match="must be files for proposals. Got clip 0, a clip in memory"):
        refuse_memory(as_sources(frames()), "proposals")
