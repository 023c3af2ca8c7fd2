"""`video-tcav bank`, in this process: what it prints, and how it ends."""

import json
import sqlite3

import numpy as np
import pytest

from tests.studio.banks import write_source
from tests.unit.cli.test_benchmark import command
from tests.unit.concepts.bank_samples import add_clip, sample_frames
from video_tcav.concepts import ConceptBank
from video_tcav.media import write_video
from video_tcav.proposals import HandCut, add_by_hand


@pytest.fixture
def folder(tmp_path):
    """A bank with 3 accepted and 1 open clips of a racket, and one clip in no concept."""
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        for number in range(4):
            add_clip(bank, number, verdict="accepted" if number < 3 else "open")
        add_clip(bank, 9, concept="")
    return tmp_path / "bank"


def test_list_counts_clips(monkeypatch, capsys, folder, tmp_path):
    code, out, _ = command(monkeypatch, capsys, "bank", "list", folder, "--json", tmp_path / "list.json")
    assert code == 0
    assert [line.split() for line in out.splitlines()[:2]] == [
        ["concept", "key", "open", "accepted", "rejected", "videos"],
        ["racket", "1", "1", "3", "0", "3"],
    ]
    assert "1 clip in no concept." in out
    assert json.loads((tmp_path / "list.json").read_text()) == [
        {"name": "racket", "number": 1, "open": 1, "accepted": 3, "rejected": 0, "videos": 3}
    ]


def test_concepts_are_renamed_merged_and_split(monkeypatch, capsys, folder):
    code, out, _ = command(monkeypatch, capsys, "bank", "rename", folder, "racket", "bat")
    assert (code, out) == (0, f"racket is renamed to bat: {folder}\n")
    with ConceptBank.open(folder) as bank:
        ids = [clip.id for clip in bank.clips(concept="bat", order="added")]
        bank.set_embeddings("model", {id: np.array([float(id == ids[2]), 1.0]) for id in ids})
    code, out, _ = command(monkeypatch, capsys, "bank", "split", folder, "bat")
    assert (code, out) == (0, f"1 clip moved to bat (2), 3 left: {folder}\n")
    code, out, _ = command(monkeypatch, capsys, "bank", "rename", folder, "bat (2)", "bat")
    assert (code, out) == (0, f"bat (2) is merged into bat: {folder}\n")
    code, _, error = command(monkeypatch, capsys, "bank", "split", folder, "nothing")
    assert code == 2 and "must be one of the bank" in error


def test_clips_go_out_and_come_in_again(monkeypatch, capsys, folder, tmp_path):
    code, out, _ = command(monkeypatch, capsys, "bank", "export", folder, "--out", tmp_path / "out", "--verdict", "all")
    assert code == 0
    assert f"--concept NAME={tmp_path / 'out' / 'manifest.csv'}::NAME" in out
    code, out, _ = command(monkeypatch, capsys, "bank", "import", tmp_path / "new", tmp_path / "out" / "manifest.csv")
    assert (code, out) == (0, f"4 new clips: {tmp_path / 'new'}\n")
    (tmp_path / "in" / "bat").mkdir(parents=True)
    write_video(tmp_path / "in" / "bat" / "a.mp4", sample_frames(5))
    (tmp_path / "in" / "bat" / "b.mp4").write_bytes(b"x")
    code, out, _ = command(monkeypatch, capsys, "bank", "import", tmp_path / "new", tmp_path / "in", tmp_path / "out")
    assert code == 0
    assert out.startswith(f"1 new clip, 4 known already: {tmp_path / 'new'}\n")
    assert "1 file could not be used:" in out


def test_merge_tells_conflicts(monkeypatch, capsys, folder, tmp_path):
    with ConceptBank.open(tmp_path / "other", create=True) as other:
        for number in range(6):
            add_clip(other, number, verdict="rejected")
    code, out, _ = command(monkeypatch, capsys, "bank", "merge", folder, tmp_path / "other")
    assert code == 0
    assert "2 new clips, 1 decision taken over, 3 conflicts" in out
    assert "clip 1: accepted here, rejected there" in out


def test_check_says_what_is_wrong_and_repairs_what_can_be(monkeypatch, capsys, folder):
    code, out, _ = command(monkeypatch, capsys, "bank", "check", folder)
    assert (code, out) == (0, "5 clips, all files there and unchanged.\n")
    stray = folder / "clips" / "stray.mp4"
    stray.write_bytes(b"x")
    code, out, _ = command(monkeypatch, capsys, "bank", "check", folder)
    assert (code, out) == (1, f"{stray}: no clip has this file; remove it with --repair\n1 problem in 5 clips.\n")
    code, out, _ = command(monkeypatch, capsys, "bank", "check", folder, "--repair")
    assert (code, out) == (0, f"{stray}: removed\n5 clips, all files there and unchanged.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "NONE"], "`bank` must be a folder with bank.sqlite. Got"),
        (["check", "NONE"], "`bank` must be a folder with bank.sqlite. Got"),
        (["merge", "BANK", "BANK"], "`OTHER` must be other banks"),
        (["merge", "BANK", "NONE"], "`bank` must be a folder with bank.sqlite. Got"),
        (["export", "BANK", "--out", "BANK"], "`folder` must be new or empty"),
        (["export", "BANK", "--out", "NONE", "--concept", "bat"], "`concepts` must be of the bank. Got 'bat'"),
        (["export", "BANK", "--out", "NONE", "--verdict", "rejected"], "`bank` must have rejected clips to export"),
        (["import", "NONE", "nothing.mp4"], "`nothing.mp4` must be a file, folder or glob"),
        (["import", "NONE", "BANK", "--concept", "a:b"], "`concept` must be 1 to 80 printable characters"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2_and_leaves_nothing(
    monkeypatch, capsys, folder, tmp_path, arguments, message
):
    places = {"BANK": folder, "NONE": tmp_path / "none"}
    code, _, err = command(monkeypatch, capsys, "bank", *(places.get(one, one) for one in arguments))
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "none").exists()


def test_a_bank_of_a_newer_version_is_refused_in_one_line(monkeypatch, capsys, folder):
    connection = sqlite3.connect(folder / "bank.sqlite")
    with connection:
        connection.execute("UPDATE meta SET value = '3'")
    connection.close()
    code, _, err = command(monkeypatch, capsys, "bank", "list", folder)
    assert code == 2
    assert f"`bank` must be of version 2 at most. Got {folder} of version 3. Update video-tcav." in err


def test_annotations_go_out_and_come_in_again(monkeypatch, capsys, tmp_path):
    write_source(tmp_path / "videos" / "match-0.mp4", 0)
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        cut = HandCut(start_s=0.5, end_s=1.5, boxes=((0.5, (19, 30, 43, 54)),))
        add_by_hand(bank, tmp_path / "videos" / "match-0.mp4", cut, concept="ball")
    code, out, _ = command(
        monkeypatch, capsys, "bank", "export", tmp_path / "bank", "--out", tmp_path / "out", "--format", "cvat"
    )
    assert (code, out) == (0, f"1 file of format cvat: {tmp_path / 'out'}\n")
    arguments = ("bank", "import", tmp_path / "new", tmp_path / "out" / "match-0.xml", "--format", "cvat")
    code, out, _ = command(monkeypatch, capsys, *arguments, "--videos", tmp_path / "videos", "--piece-s", "0.5")
    assert (code, out) == (0, f"8 new clips: {tmp_path / 'new'}\n")
    for more, words in (
        (("--concept", "x"), "`--concept` must go with --format clips"),
        (("--format", "voc"), "`format` must be one of clips, cvat, coco, activitynet. Got 'voc'"),
    ):
        code, _, err = command(monkeypatch, capsys, *arguments, *more)
        assert code == 2 and words in err and err.count("\n") == 1


def test_agreement_says_kappa_and_lists_disagreements(monkeypatch, capsys, folder, tmp_path):
    code, out, _ = command(monkeypatch, capsys, "bank", "agreement", folder)
    assert (code, out) == (0, "No two reviewers have judged a clip in common.\n")
    with ConceptBank.open(folder) as bank:
        bank.set_verdict([1, 2, 4], "accepted", reviewer="Anna")
        bank.set_verdict([1, 4], "rejected", reviewer="Ben")
        bank.set_verdict([2], "accepted", reviewer="Ben")
        bank.settle([4], "rejected", reviewer="Ben")
    code, out, _ = command(monkeypatch, capsys, "bank", "agreement", folder, "--json", tmp_path / "a.json")
    assert code == 0 and out.splitlines() == [
        "Anna and Ben: 1 of 3 clips alike, Cohen's kappa 0.00",
        "  clip 1 (racket)",
        "  clip 4 (racket), settled as rejected",
    ]
    [pair] = json.loads((tmp_path / "a.json").read_text())
    assert (pair["first"], pair["second"], pair["disputed"]) == ("Anna", "Ben", [1, 4])
