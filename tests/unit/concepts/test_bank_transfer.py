"""Clips into a bank and out of it, two banks into one, and a concept of a bank as the clips of a test."""

import csv
import shutil

import pytest

from tests.unit.concepts.bank_samples import add_clip, sample_frames, sample_origin, state
from video_tcav.concepts import Concept, ConceptBank, as_sources, export_clips, import_clips, merge_banks
from video_tcav.core.errors import BankError, InputError, MediaError, OutputError, SourceError
from video_tcav.media import file_digest, write_picture, write_video


@pytest.fixture
def bank(tmp_path):
    with ConceptBank.open(tmp_path / "bank", create=True) as opened:
        yield opened


@pytest.fixture
def other(tmp_path):
    with ConceptBank.open(tmp_path / "other", create=True) as opened:
        yield opened


def test_a_concept_of_a_bank_is_its_accepted_moving_clips_grouped_by_video(bank):
    clips = [add_clip(bank, number, verdict="accepted") for number in range(4)]
    add_clip(bank, 5, verdict="open")
    add_clip(bank, 6, verdict="rejected")
    add_clip(bank, 7, concept="bat", verdict="accepted")
    still = add_clip(bank, 1, kind="still", verdict="accepted")
    sources = as_sources(f"{bank.folder}::racket")
    assert [source.path for source in sources] == [clip.path for clip in clips]
    assert [source.group for source in sources] == [f"/videos/{number % 3}.mp4" for number in range(4)]
    assert {(source.kind, source.label) for source in sources} == {("video", "racket")}
    (only,) = as_sources(f"{bank.folder}::racket:still")
    assert (only.path, only.kind, only.group) == (still.path, "still", "/videos/1.mp4")
    assert len(as_sources([f"{bank.folder}::racket", f"{bank.folder}::bat"])) == 5


def test_a_concept_without_moving_clips_is_what_there_is(bank):
    scene = add_clip(bank, 1, kind="scene", verdict="accepted")
    assert [source.path for source in as_sources(f"{bank.folder}::racket")] == [scene.path]


def test_copies_of_a_video_are_one_group(bank):
    for number, place in enumerate(("/here/a.mp4", "/there/a.mp4")):
        add_clip(bank, number, verdict="accepted", origin=sample_origin(number, video=place, video_digest="a" * 64))
    assert {source.group for source in as_sources(f"{bank.folder}::racket")} == {"/here/a.mp4"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("::rackett", "must have the concept after `::`. Got 'rackett'. Choose one of: racket, bat"),
        ("::bat", "must have accepted clips. Got 0 accepted, 1 open, 0 rejected. Accept some with: video-tcav studio"),
        ("::racket:scene", "must have accepted scene clips. Got 1 accepted"),
        ("::racket:moved", "must be BANK::NAME or BANK::NAME:KIND. `kind` must be one of moving"),
        ("::../x", "must be BANK::NAME or BANK::NAME:KIND. `concept` must be 1 to 80"),
        ("", "must name a concept of the bank: .*::NAME. Got none. Choose one of: "),
    ],
)
def test_a_concept_that_cannot_be_used_says_why(bank, text, message):
    add_clip(bank, 1, verdict="accepted")
    add_clip(bank, 1, concept="bat")
    with pytest.raises(SourceError, match=f"concept x: .*{message}"):
        Concept.read("x", f"{bank.folder}{text}")


def test_an_export_is_folders_and_a_manifest_that_serve_as_concepts(bank, tmp_path):
    for number in range(3):
        add_clip(bank, number, concept="tennis, racket", verdict="accepted")
    add_clip(bank, 0, concept="tennis, racket", kind="still", verdict="accepted")
    add_clip(bank, 4, concept="bat", verdict="accepted")
    add_clip(bank, 5, concept="bat", verdict="rejected")
    add_clip(bank, 6, concept="", verdict="accepted")
    manifest = bank.export(tmp_path / "out")
    for name, kind, text in [
        ("tennis, racket", "moving", "tennis, racket"),
        ("tennis, racket", "still", "tennis, racket:still"),
        ("bat", "moving", "bat"),
    ]:
        banked = as_sources(f"{bank.folder}::{name}:{kind}")
        exported = as_sources(f"{manifest}::{text}")
        assert [file_digest(one.path) for one in exported] == [one.path.stem for one in banked]
        assert [(one.group, one.kind) for one in exported] == [(one.group, one.kind) for one in banked]
        assert {(one.start_s, one.end_s) for one in exported} == {(None, None)}
        assert len(as_sources(tmp_path / "out" / text.replace(":", "."))) == len(banked)
    with manifest.open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["label"] == "bat")
    assert (float(row["video_start_s"]), row["video"], row["detected"]) == (4.0, "/videos/1.mp4", "person")


def test_an_export_takes_what_was_asked_for_and_only_to_a_new_folder(bank, tmp_path):
    add_clip(bank, 1, verdict="rejected")
    add_clip(bank, 2, concept="bat", verdict="accepted")
    manifest = export_clips(bank, tmp_path / "a", concepts=["racket"], verdict=None)
    assert [source.label for source in as_sources(manifest)] == ["racket"]
    with pytest.raises(OutputError, match="`folder` must be new or empty"):
        export_clips(bank, tmp_path / "a")
    with pytest.raises(
        BankError, match="`bank` must have open clips to export. Got none in racket, bat|in bat, racket"
    ):
        export_clips(bank, tmp_path / "b", verdict="open")
    with pytest.raises(BankError, match="`concepts` must be of the bank. Got 'ball'. Choose one of: bat, racket"):
        export_clips(bank, tmp_path / "b", concepts=["ball"])
    assert not (tmp_path / "b").exists()
    bank.clips(concept="bat")[0].path.unlink()
    with pytest.raises(BankError, match="`bank` must have all its files"):
        export_clips(bank, tmp_path / "b")
    assert not (tmp_path / "b" / "manifest.csv").exists()


@pytest.fixture
def folders(tmp_path):
    """A folder a concept."""
    for number, name in enumerate(("racket", "racket", "bat")):
        (tmp_path / "in" / name).mkdir(parents=True, exist_ok=True)
        write_video(tmp_path / "in" / name / f"{number}.mp4", sample_frames(number), fps=10)
    write_picture(tmp_path / "in" / "bat" / "still.png", sample_frames()[0])
    return tmp_path / "in"


def test_folders_are_imported_by_name_and_only_once(bank, folders):
    (folders / "bat" / "broken.mp4").write_bytes(b"x")
    found = import_clips(bank, folders)
    assert (found.added, found.known, [one.path.name for one in found.skipped]) == (4, 0, ["broken.mp4"])
    assert [(one.name, one.accepted) for one in bank.concepts()] == [("bat", 2), ("racket", 2)]
    again = import_clips(bank, [folders / "racket", folders / "bat"], verdict="open")
    assert (again.added, again.known) == (0, 4)
    assert bank.count(verdict="accepted") == 4
    assert bank.check() == []
    assert bank.undo() is None
    with pytest.raises(MediaError, match="broken.mp4"):
        import_clips(bank, folders, strict=True)


def test_what_was_exported_can_be_imported_with_its_kinds_and_groups(bank, other, tmp_path):
    for number in range(4):
        add_clip(bank, number, verdict="accepted")
        add_clip(bank, number, kind="scene", verdict="accepted")
    manifest = bank.export(tmp_path / "out")
    assert import_clips(other, manifest).added == 8
    for kind in ("moving", "scene"):
        ours, theirs = (as_sources(f"{one.folder}::racket:{kind}") for one in (bank, other))
        assert [one.group for one in ours] == [one.group for one in theirs]
        assert [one.path.name for one in ours] == [one.path.name for one in theirs]
    assert other.concepts()[0].videos == bank.concepts()[0].videos == 3


def test_segments_and_folders_of_frames_become_clips_of_their_own(bank, tmp_path):
    write_video(tmp_path / "long.mp4", sample_frames(frames=20), fps=10)
    for number in range(4):
        write_picture(tmp_path / "shots" / f"{number:03d}.png", sample_frames()[0])
    rows = "path,label,start_s,end_s\nlong.mp4,swing,0.5,1.1\nlong.mp4,swing,5,6\nshots,swing,,\n"
    (tmp_path / "list.csv").write_text(rows)
    found = import_clips(bank, tmp_path / "list.csv")
    assert (found.added, len(found.skipped)) == (2, 1)
    assert "no frame in the segment" in found.skipped[0].reason
    cut, shots = bank.clips(order="added")
    assert (cut.frames, cut.origin.start_s, cut.origin.end_s, cut.fps) == (6, 0.5, 1.1, 10)
    assert cut.origin.times_s == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert cut.origin.video_digest == file_digest(tmp_path / "long.mp4")
    assert shots.frames == 4
    assert import_clips(bank, tmp_path / "list.csv").known == 2


def test_what_cannot_be_imported_is_refused_before_anything_is_copied(bank, folders):
    for arguments, message in [
        ({"concept": "a/b"}, "`concept` must be 1 to 80"),
        ({"kind": "still"}, "`kind` of `.*mp4` must be one of moving, focus, scene. Got 'still'"),
        ({"verdict": "good"}, "`verdict` must be one of"),
    ]:
        with pytest.raises(InputError, match=message):
            import_clips(bank, folders, **arguments)
    (folders / "list.csv").write_text("path\nbat/2.mp4\n")
    with pytest.raises(InputError, match="`concept` must be given for files without a label"):
        import_clips(bank, folders / "list.csv")
    with pytest.raises(SourceError, match="Got no such path"):
        import_clips(bank, folders / "nothing")
    assert bank.count() == 0


def test_a_merge_takes_clips_and_decisions_and_tells_conflicts(bank, other):
    for number in range(6):
        add_clip(bank, number)
        add_clip(other, number)
    new = [add_clip(other, 7, concept="bat"), add_clip(other, 1, kind="scene", verdict="accepted")]
    other.add_concept("ball")
    other.set_embeddings("m", {new[0].id: [1, 2]})
    bank.set_verdict([1, 2], "accepted")
    bank.set_verdict([3], "rejected")
    other.set_verdict([1, 3, 4], "accepted")
    other.set_verdict([5], "rejected")
    other.move([6], "bat")  # in the bank it is still in racket
    before, there = state(bank), state(other)
    found = merge_banks(bank, other)
    assert (found.added, found.decided, found.broken) == (2, 2, ())
    assert found.conflicts == ("clip 3: rejected here, accepted there", "clip 6: in racket here, in bat there")
    verdicts = {clip: verdict for clip, (_, verdict) in state(bank)[0].items()}
    assert [verdicts[clip] for clip in range(1, 7)] == [
        "accepted",
        "accepted",
        "rejected",
        "accepted",
        "rejected",
        "open",
    ]
    assert [one.name for one in bank.concepts()] == ["ball", "bat", "racket"]
    assert (bank.count(), bank.count(concept="bat"), bank.check()) == (8, 1, [])
    assert bank.embeddings("m")[1].tolist() == [[1, 2]]
    assert state(other) == there
    again = merge_banks(bank, other)
    assert (again.added, again.decided, again.conflicts) == (0, 0, found.conflicts)
    assert bank.undo() == "2 clips decided by a merge"
    assert {clip: one for clip, one in state(bank)[0].items() if clip <= 6} == before[0]


def test_clips_that_were_in_no_concept_take_the_one_that_the_other_gave(bank, other):
    for one in (bank, other):
        add_clip(one, 1, concept="")
    other.move([1], "bat")
    assert bank.merge(other) == 0
    assert bank.clip(1).concept == "bat"
    assert other.merge(bank) == 0
    assert other.undo() == "clip 1 moved to bat"


def test_two_clips_that_are_one_here_are_one_step_of_undo(bank, other):
    add_clip(bank, 1, concept="")
    add_clip(other, 1, concept="")
    other.move([1], "bat")
    add_clip(other, 1, concept="", verdict="accepted", origin=sample_origin(1, label="dog"))  # of the same pixels
    before = state(bank)
    assert merge_banks(bank, other).decided == 1
    assert state(bank)[0] == {1: ("bat", "accepted")}
    assert bank.undo() == "clip 1 decided by a merge"
    assert state(bank) == before


def test_merging_a_copy_or_into_an_empty_bank_gives_the_same_bank(bank, other, tmp_path):
    for number in range(4):
        add_clip(bank, number, kind=("moving", "still")[number % 2])
    bank.set_verdict([1, 3], "accepted")
    assert other.merge(bank) == 4
    assert state(other) == state(bank)
    assert [clip.path.read_bytes() for clip in other.clips()] == [clip.path.read_bytes() for clip in bank.clips()]
    bank.close()
    shutil.copytree(bank.folder, tmp_path / "copy")
    with ConceptBank.open(tmp_path / "copy") as copy:
        assert merge_banks(other, copy).added == 0


def test_a_file_that_is_not_what_it_was_is_not_merged(bank, other):
    good, gone, changed = (add_clip(other, number) for number in range(3))
    gone.path.unlink()
    changed.path.write_bytes(b"other")
    found = merge_banks(bank, other)
    assert found.added == 1
    assert [words.split(":")[0] for words in found.broken] == [f"clip {gone.id}", f"clip {changed.id}"]
    assert bank.clips()[0].digest == good.digest
    assert bank.check() == []


def test_file_names_that_are_no_text_are_no_obstacle(bank, tmp_path):
    path = tmp_path / "caf\udce9.mp4"  # Latin-1 on a disk of UTF-8
    write_video(tmp_path / "a.mp4", sample_frames())
    (tmp_path / "a.mp4").rename(path)
    clip = bank.add_file(path, concept="bat")
    assert clip.origin.video == str(path)
    assert bank.clips(video=str(path)) == bank.clips(video=bank.videos()[0]) == [clip]
    assert bank.videos() == [f"{tmp_path}/caf\\udce9.mp4"]
    assert bank.add_file(path, concept="bat") == clip
    assert len(as_sources(f"{bank.export(tmp_path / 'out')}::bat")) == 1


@pytest.mark.parametrize("there", [False, True])
def test_an_export_that_fails_leaves_nothing(bank, tmp_path, there):
    clips = [add_clip(bank, number, verdict="accepted") for number in range(3)]
    clips[-1].path.unlink()
    target = tmp_path / "to" / "out"
    if there:
        target.mkdir(parents=True)
    with pytest.raises(BankError, match="`bank` must have all its files"):
        export_clips(bank, target)
    assert list((tmp_path / "to").rglob("*")) == ([target] if there else [])


def test_an_empty_folder_is_filled_where_it_is(bank, tmp_path):
    add_clip(bank, 0, verdict="accepted")
    (tmp_path / "out").mkdir()
    before = (tmp_path / "out").stat().st_ino
    manifest = export_clips(bank, tmp_path / "out")
    assert (tmp_path / "out").stat().st_ino == before
    assert sorted(path.name for path in manifest.parent.iterdir()) == ["manifest.csv", "racket"]
