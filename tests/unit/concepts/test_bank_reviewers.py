"""Verdicts of several reviewers: what stands, blind passes, agreement, settling, notes, and clips in two concepts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.concepts.bank_samples import add_clip, sample_origin
from video_tcav.concepts import ConceptBank, Review, agreements, export_clips, merge_banks
from video_tcav.concepts.bank.records import LONGEST_NOTE
from video_tcav.core.errors import InputError


@pytest.fixture
def bank(tmp_path):
    with ConceptBank.open(tmp_path / "bank", create=True) as opened:
        for number in range(6):
            add_clip(opened, number)
        yield opened


def stands(bank: ConceptBank) -> dict[int, str]:
    return {clip.id: clip.verdict for clip in bank.clips()}


def said(bank: ConceptBank, clip: int) -> dict[str, str]:
    return {review.reviewer: review.verdict for review in bank.reviews([clip])}


def test_a_verdict_stands_while_all_who_judged_agree(bank):
    bank.set_verdict([1, 2], "accepted", reviewer="Anna")
    bank.set_verdict([1], "accepted", reviewer="Ben")
    bank.set_verdict([2], "rejected", reviewer="Ben")
    assert said(bank, 2) == {"Anna": "accepted", "Ben": "rejected"}
    assert stands(bank) == {1: "accepted", 2: "open", 3: "open", 4: "open", 5: "open", 6: "open"}
    assert [clip.id for clip in bank.clips(disputed=True)] == [2]
    assert bank.reviewers() == {"Anna": 2, "Ben": 2}
    bank.set_verdict([2], "open", reviewer="Anna")
    assert stands(bank)[2] == "rejected" and bank.count(disputed=True) == 0


def test_a_blind_reviewer_sees_only_verdicts_of_that_reviewer(bank):
    bank.set_verdict([1, 2, 3], "accepted", reviewer="Anna")
    bank.set_verdict([3], "rejected", reviewer="Ben", blind=True)
    assert {clip.id: clip.verdict for clip in bank.clips(reviewer="Ben")} == {
        **dict.fromkeys((1, 2, 4, 5, 6), "open"),
        3: "rejected",
    }
    assert bank.count(reviewer="Ben", verdict="open") == 5 and bank.count(reviewer="Ben", verdict="accepted") == 0
    [count] = bank.concepts(reviewer="Ben")
    assert (count.open, count.accepted, count.rejected) == (5, 0, 1)


def test_a_verdict_without_a_name_is_taken_over_in_sight_and_stays_in_a_blind_pass(bank):
    bank.set_verdict([1, 2], "accepted")
    bank.set_verdict([1], "rejected", reviewer="Anna")
    assert said(bank, 1) == {"Anna": "rejected"} and stands(bank)[1] == "rejected"
    bank.set_verdict([2], "rejected", reviewer="Anna", blind=True)
    assert said(bank, 2) == {"": "accepted", "Anna": "rejected"} and stands(bank)[2] == "open"
    assert bank.undo(reviewer="Anna") == "clip 2 rejected"
    assert bank.undo(reviewer="Anna") == "clip 1 rejected"
    assert said(bank, 1) == said(bank, 2) == {"": "accepted"} and stands(bank)[1] == "accepted"


def test_a_dispute_is_settled_and_opened_again_by_a_new_verdict(bank):
    bank.set_verdict([1], "accepted", reviewer="Anna")
    bank.set_verdict([1], "rejected", reviewer="Ben", blind=True)
    bank.settle([1], "accepted", reviewer="Anna")
    clip = bank.clip(1)
    assert (clip.verdict, clip.settled_by) == ("accepted", "Anna") and bank.count(disputed=True) == 0
    assert said(bank, 1) == {"Anna": "accepted", "Ben": "rejected"}
    bank.set_verdict([1], "accepted", reviewer="Ben", blind=True)  # who does not see that it was settled
    assert bank.clip(1).settled_by == "Anna"
    bank.set_verdict([1], "rejected", reviewer="Ben")
    assert bank.clip(1).settled_by is None and bank.clip(1).verdict == "open"
    assert bank.undo(reviewer="Ben") == "clip 1 rejected"
    assert (bank.clip(1).verdict, bank.clip(1).settled_by) == ("accepted", "Anna")
    assert bank.undo(reviewer="Anna") == "clip 1 settled as accepted"
    assert (bank.clip(1).verdict, bank.clip(1).settled_by) == ("accepted", None)  # Ben agrees by now
    bank.settle([1], "rejected", reviewer="Anna")
    bank.settle([1], "open", reviewer="Anna")
    assert (bank.clip(1).verdict, bank.clip(1).settled_by) == ("accepted", None)


def test_undo_takes_back_a_reviewers_own_changes_only(bank):
    bank.set_verdict([1], "accepted", reviewer="Anna")
    bank.set_verdict([1, 2], "rejected", reviewer="Ben")
    assert bank.undo(reviewer="Anna") == "clip 1 accepted" and bank.undo(reviewer="Anna") is None
    assert said(bank, 1) == {"Ben": "rejected"} and stands(bank)[1] == "rejected"
    assert bank.undo() is None


def _kappa(first: list[str], second: list[str]) -> float | None:
    """The definition, slower: agreement beyond that of two who give their verdicts at random in the same shares."""
    count = len(first)
    agreed = sum(one == other for one, other in zip(first, second, strict=True)) / count
    chance = sum(first.count(verdict) * second.count(verdict) for verdict in {*first, *second}) / count**2
    return None if chance == 1 else (agreed - chance) / (1 - chance)


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    with ConceptBank.open(tmp_path_factory.mktemp("twelve"), create=True) as opened:
        for number in range(12):
            add_clip(opened, number)
        yield opened


@settings(max_examples=15, deadline=None)
@given(pairs=st.lists(st.tuples(*[st.sampled_from(["accepted", "rejected"])] * 2), min_size=1, max_size=12))
def test_agreement_is_cohens_kappa(twelve, pairs):
    for reviewer in ("Anna", "Ben"):
        twelve.set_verdict(range(1, 13), "open", reviewer=reviewer, blind=True)
    for id, (first, second) in enumerate(pairs, start=1):
        twelve.set_verdict([id], first, reviewer="Anna", blind=True)
        twelve.set_verdict([id], second, reviewer="Ben", blind=True)
    [pair] = agreements(twelve)
    first, second = (list(column) for column in zip(*pairs, strict=True))
    assert (pair.first, pair.second, pair.clips) == ("Anna", "Ben", len(pairs))
    assert pair.kappa == (None if _kappa(first, second) is None else pytest.approx(_kappa(first, second)))
    assert list(pair.disputed) == [id for id, (one, other) in enumerate(pairs, start=1) if one != other]
    assert pair.agreed == len(pairs) - len(pair.disputed)


def test_agreement_counts_a_tube_once_and_leaves_out_what_only_one_has_judged(bank):
    scene = add_clip(bank, 1, kind="scene").id
    bank.set_verdict([2, scene, 3], "accepted", reviewer="Anna")
    bank.set_verdict([2, scene, 4], "rejected", reviewer="Ben")
    [pair] = agreements(bank)
    assert (pair.clips, pair.agreed, pair.disputed) == (1, 0, (2,))


def test_all_versions_of_a_tube_are_told(bank):
    versions = [add_clip(bank, 1, kind=kind).id for kind in ("still", "focus", "scene")]
    other = add_clip(bank, 1, concept="bat", kind="scene").id
    assert bank.versions([versions[1]]) == [2, *versions]
    assert [clip.id for clip in bank.clips(tubes=True, order="added")] == [1, 2, 3, 4, 5, 6, other]
    bank.set_verdict(bank.versions([2]), "accepted")
    racket = bank.concepts(tubes=True)[1]
    assert (racket.accepted, racket.open) == (1, 5) and bank.concepts()[1].accepted == 4


def test_a_clip_is_in_two_concepts_and_judged_in_each(bank):
    bank.set_verdict([1], "accepted")
    [copy] = bank.copy([1], "bat")
    assert bank.clip(copy).path == bank.clip(1).path
    assert (bank.clip(copy).concept, bank.clip(copy).verdict) == ("bat", "open")
    assert bank.copy([1], "bat") == bank.copy([1], "racket") == []
    bank.set_verdict([copy], "rejected")
    assert stands(bank) == {1: "accepted", 2: "open", 3: "open", 4: "open", 5: "open", 6: "open", copy: "rejected"}
    assert bank.check() == []
    assert [bank.undo(), bank.undo()] == [f"clip {copy} rejected", "clip 1 also put into bat"]
    assert bank.count() == 6 and [count.name for count in bank.concepts()] == ["racket"] and bank.clip(1).path.is_file()


def test_numbers_of_concepts_stay(bank):
    def numbers():
        return {count.name: count.number for count in bank.concepts()}

    bank.add_concept("ball")
    bank.add_concept("Arm")
    assert numbers() == {"racket": 1, "ball": 2, "Arm": 3}
    bank.rename_concept("racket", "bat")
    assert numbers() == {"bat": 1, "ball": 2, "Arm": 3}
    bank.undo()
    assert numbers() == {"racket": 1, "ball": 2, "Arm": 3}
    bank.rename_concept("ball", "racket")
    bank.add_concept("court")  # takes the number that is free
    assert numbers() == {"racket": 1, "court": 2, "Arm": 3}
    bank.undo()
    bank.undo()
    assert numbers() == {"racket": 1, "ball": 2, "Arm": 3}


def test_notes_are_a_reviewers_own_and_can_be_searched(bank):
    bank.set_note(1, " Hand covers it ", reviewer="Anna")
    bank.set_note(1, "fine", reviewer="Ben")
    assert bank.reviews([1]) == [
        Review(clip=1, reviewer="Anna", verdict="open", note="Hand covers it"),
        Review(clip=1, reviewer="Ben", verdict="open", note="fine"),
    ]
    assert [clip.id for clip in bank.clips(text="COVERS")] == [1]
    assert bank.clips(text="covers", reviewer="Ben") == []
    assert bank.count(text="racket") == 6 and bank.count(text="/videos/1") == 2 and bank.count(text="100 %") == 0
    bank.set_verdict([1], "accepted", reviewer="Anna")
    assert bank.undo(reviewer="Anna") == "clip 1 accepted" and bank.reviews([1])[0].note == "Hand covers it"
    assert bank.undo(reviewer="Anna") == "note of clip 1 changed" and len(bank.reviews([1])) == 1
    with pytest.raises(InputError, match="`note` must be at most 2000 characters. Got 2001"):
        bank.set_note(1, "x" * (LONGEST_NOTE + 1))
    with pytest.raises(InputError, match="`reviewer` must be at most 80 printable characters"):
        bank.set_verdict([1], "open", reviewer="a\nb")


def test_clips_are_ordered_by_confidence(tmp_path):
    with ConceptBank.open(tmp_path / "other", create=True) as bank:
        ids = [
            add_clip(bank, number, origin=sample_origin(number, score=score)).id
            for number, score in ((0, 0.2), (1, 0.9), (2, 0.5))
        ]
        assert [clip.id for clip in bank.clips(order="confident")] == [ids[1], ids[2], ids[0]]
        assert [clip.id for clip in bank.clips(order="unsure")] == [ids[0], ids[2], ids[1]]


def test_a_merge_brings_two_reviewers_together(bank, tmp_path):
    bank.set_verdict([1, 2, 3], "accepted", reviewer="Anna")
    with ConceptBank.open(tmp_path / "other", create=True) as other:
        for number in range(7):
            add_clip(other, number)
        other.set_verdict([1, 4], "accepted", reviewer="Ben")
        other.set_verdict([2, 7], "rejected", reviewer="Ben")
        other.set_verdict([5], "accepted")
        merged = merge_banks(bank, other)
        assert merge_banks(bank, other).decided == 0
    assert (merged.added, merged.decided) == (1, 4)
    assert merged.conflicts == ("clip 2: accepted here, rejected there",)
    assert stands(bank) == {
        1: "accepted",
        2: "open",
        3: "accepted",
        4: "accepted",
        5: "accepted",
        6: "open",
        7: "rejected",
    }
    assert said(bank, 7) == {"Ben": "rejected"} and said(bank, 5) == {"": "accepted"}
    [pair] = agreements(bank)
    assert (pair.clips, pair.agreed, pair.disputed) == (2, 1, (2,))
    bank.undo()
    assert said(bank, 1) == {"Anna": "accepted"} and stands(bank)[2] == "accepted"


def test_an_export_holds_what_stands(bank, tmp_path):
    bank.set_verdict([1, 2], "accepted", reviewer="Anna")
    bank.set_verdict([2], "rejected", reviewer="Ben")
    manifest = export_clips(bank, tmp_path / "out").read_text().splitlines()
    assert len(manifest) == 2 and "moving-000001" in manifest[1]


def test_a_machine_does_not_sort_what_two_people_disagree_on(bank):
    bank.set_verdict([1], "accepted", reviewer="Anna")
    bank.set_verdict([1], "rejected", reviewer="Ben")
    assert bank.clip(1).verdict == "open" and bank.sort_open([1, 2], "racket 2", expected="racket") == [2]
