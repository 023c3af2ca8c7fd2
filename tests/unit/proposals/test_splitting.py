"""Splitting a concept: two planted things are told apart, by a model's vectors or by thumbnails, in one step of undo."""

import numpy as np
import pytest
import torch

from tests.unit.concepts.bank_samples import add_clip
from video_tcav.concepts import ConceptBank
from video_tcav.concepts.bank import Origin
from video_tcav.core.errors import BankError, InputError
from video_tcav.proposals import split_concept


def add(bank, number: int, *, kind: str = "moving", tube: str = "", right: bool = False):
    """A clip that is light on its left or its right half."""
    frames = torch.full((4, 3, 16, 16), 60, dtype=torch.uint8)
    frames[..., 8:] = 200 if right else 60
    frames[..., :8] = 60 if right else 200
    frames[..., 0, 0] = number
    times_s = (0.0, 0.1, 0.2, 0.3)
    origin = Origin(
        video=f"v{number}.mp4",
        video_digest=f"{number:064x}",
        start_s=0.0,
        end_s=0.4,
        times_s=times_s,
        boxes=((0.0, 0.0, 9.0, 9.0),) * 4,
        label="",
        score=0.5,
        proposer={"name": "test"},
    )
    return bank.add(frames, fps=10, concept="swing", kind=kind, origin=origin, tube=tube or f"tube-{number}").id


@pytest.fixture
def bank(tmp_path):
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        yield bank


def test_two_things_are_told_apart_by_how_they_look(bank):
    ids = [add(bank, number, right=number in (1, 4)) for number in range(7)]
    bank.set_verdict([ids[1]], "accepted")
    split = split_concept(bank, "swing")
    assert (split.concept, split.moved, split.tubes, split.left) == ("swing (2)", (ids[1], ids[4]), 2, 5)
    assert [clip.verdict for clip in bank.clips(ids=[ids[1], ids[4]], order="given")] == ["accepted", "open"]
    assert "moved to swing (2)" in (bank.undo() or "") and bank.count(concept="swing") == 7
    assert [count.name for count in bank.concepts()] == ["swing"]


def test_a_models_vectors_come_before_thumbnails(bank):
    ids = [add(bank, number, right=number < 2) for number in range(5)]
    split_concept(bank, "swing")
    bank.undo()
    by_model = {id: np.array([1.0, 0.0] if id == ids[3] else [0.0, 1.0]) + 0.01 * at for at, id in enumerate(ids)}
    bank.set_embeddings("model", by_model)
    assert split_concept(bank, "swing", new="other").moved == (ids[3],)


def test_vectors_that_some_clips_lack_are_not_used(bank):
    ids = [add(bank, number, right=number < 2) for number in range(5)]
    bank.set_embeddings("model", {id: np.array([float(id == ids[3]), 1.0]) for id in ids[:4]})
    assert split_concept(bank, "swing").moved == (ids[0], ids[1])


def test_versions_of_a_tube_stay_together(bank):
    first = [add(bank, number, right=number == 2) for number in range(3)]
    focus = add(bank, 2, kind="focus", tube="tube-2", right=True)
    assert set(split_concept(bank, "swing").moved) == {first[2], focus}


def test_of_two_groups_of_one_size_the_first_clip_stays(bank):
    ids = [add(bank, number, right=number == 1) for number in range(2)]
    assert split_concept(bank, "swing", seed=3).moved == (ids[1],)


def test_names_are_free(bank):
    for number in range(3):
        add(bank, number, right=number == 1)
    bank.add_concept("swing (2)")
    assert split_concept(bank, "swing").concept == "swing (3)"
    bank.undo()
    with pytest.raises(InputError, match="`new` must be no concept of the bank"):
        split_concept(bank, "swing", new="swing (2)")
    bank.rename_concept("swing", "s" * 80)
    assert split_concept(bank, "s" * 80).concept == "s" * 76 + " (2)"


def test_what_cannot_be_split_is_a_plain_error(bank):
    with pytest.raises(BankError, match="must be one of the bank"):
        split_concept(bank, "nothing")
    add(bank, 0)
    with pytest.raises(InputError, match="must have clips that differ. Got swing with 1"):
        split_concept(bank, "swing")
    add_clip(bank, 1, concept="")
    bank.set_embeddings("model", {clip.id: np.ones(3) for clip in bank.clips()})
    add(bank, 0, tube="again")
    bank.set_embeddings("model", {clip.id: np.ones(3) for clip in bank.clips()})
    with pytest.raises(InputError, match="must have clips that differ"):
        split_concept(bank, "swing")
