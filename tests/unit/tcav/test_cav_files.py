"""CAV files carry a digest: damage anywhere in them is refused in one line, and files of version 0.1 are read with a warning."""

import json
import math
import os
import random
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from video_tcav.core.errors import InputError
from video_tcav.tcav import load_cavs
from video_tcav.tcav.cav_files import FORMAT, FORMAT_WITHOUT_DIGEST, save_cavs
from video_tcav.tcav.saved_cavs import SavedCav

WARNING = "is of version 0.1 and carries no digest: damage to it may go unnoticed"


def cav(concept: str, **changes) -> SavedCav:
    vector = torch.nn.functional.normalize(torch.arange(1.0, 13.0), dim=0)
    facts = {"versus": "random", "layer": "stages.2", "space": "flatten", "concept_mean": 1.5, "random_mean": -0.5}
    return SavedCav(**{"vector": vector, "concept": concept, **facts, "weights_digest": "ab", "auc": 0.9, **changes})


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "cavs.safetensors"
    save_cavs(path, [cav("swing"), cav("café", auc=float("nan")), cav("flat", vector=torch.zeros(12))])
    return path


def contents(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def refused(path: Path, rule: str = "`cavs` must be ") -> None:
    with pytest.raises(InputError, match=rule) as error:
        load_cavs(path)
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    assert text.endswith("or test again.")
    assert len(text) < len(str(path)) + 600


def write_old(path: Path, **changes) -> None:
    """A file of version 0.1, one of whose facts is another."""
    tensors, metadata = contents(path)
    facts = json.loads(metadata["cavs"])
    for cav_facts in facts:
        cav_facts["accuracy"] = cav_facts.pop("auc")
    for name, value in changes.items():
        if value is ...:
            del facts[0][name]
        else:
            facts[0][name] = value
    save_file(tensors, path, metadata={"format": FORMAT_WITHOUT_DIGEST, "cavs": json.dumps(facts)})


def test_what_is_saved_is_read_back(path):
    swing, cafe, flat = load_cavs(path)
    assert (swing.concept, swing.concept_mean, swing.auc) == ("swing", 1.5, 0.9)
    assert (cafe.concept, math.isnan(cafe.auc)) == ("café", True)
    assert torch.equal(swing.vector, cav("swing").vector)
    assert not flat.vector.any()


def test_every_flipped_bit_is_noticed(path):
    content, generator = path.read_bytes(), random.Random(0)
    for _ in range(200):
        changed, place = bytearray(content), generator.randrange(len(content))
        changed[place] ^= 1 << generator.randrange(8)
        path.write_bytes(changed)
        refused(path)
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        refused(path)


def test_every_cut_and_every_insertion_is_noticed(path):
    content = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refused(path, "readable safetensors file")
    for place in (0, 8, 50, len(content) - 1, len(content)):
        path.write_bytes(content[:place] + b"\0\1" + content[place:])
        refused(path)


def test_exchanged_tensors_are_noticed(path):
    tensors, metadata = contents(path)
    save_file({**tensors, "0": tensors["2"], "2": tensors["0"]}, path, metadata=metadata)
    refused(path, "damaged .other bytes than its digest says")
    save_file({**tensors, "3": tensors["0"] * 1}, path, metadata=metadata)
    refused(path, "damaged .other bytes")
    save_file({**tensors, "0": tensors["0"].view(3, 4)}, path, metadata=metadata)
    refused(path, "damaged .other bytes")
    save_file({**tensors, "0": tensors["0"].view(torch.int32)}, path, metadata=metadata)
    refused(path, "damaged .other bytes")


def test_metadata_that_is_changed_is_noticed(path):
    tensors, metadata = contents(path)
    for changes, rule in (
        ({"cavs": metadata["cavs"].replace("swing", "swung")}, "other bytes"),
        ({"cavs": metadata["cavs"].replace("1.5", "1.6")}, "other bytes"),
        ({"cavs": metadata["cavs"] + " "}, "other bytes"),
        ({"digest": "0" * 64}, "other bytes"),
        ({"digest": ""}, "other bytes"),
        ({"format": "video-tcav cavs 3"}, "of another format"),
        ({"format": FORMAT_WITHOUT_DIGEST}, "damaged .metadata"),
        ({"more": "x"}, "damaged .metadata"),
    ):
        save_file(tensors, path, metadata={**metadata, **changes})
        refused(path, rule)
    for name in metadata:
        save_file(tensors, path, metadata={key: value for key, value in metadata.items() if key != name})
        refused(path, "of another format" if name == "format" else "damaged .metadata")
    save_file(tensors, path)
    refused(path, "of another format")


def test_a_file_of_version_0_1_is_read_with_a_warning(path):
    write_old(path)
    with pytest.warns(UserWarning, match=WARNING):
        swing, _, flat = load_cavs(path)
    assert torch.equal(swing.vector, cav("swing").vector)
    assert not flat.vector.any()


OLD = {
    "no concept": {"concept": ...},
    "no mean": {"concept_mean": ...},
    "no tensor": {"tensor": ...},
    "another tensor": {"tensor": "9"},
    "a tensor twice": {"tensor": "1"},
    "a tensor by number": {"tensor": 0},
    "a concept that is a number": {"concept": 3},
    "a concept that is none": {"concept": None},
    "a concept that is a list": {"concept": ["swing"]},
    "a mean in text": {"concept_mean": "1.5"},
    "a mean that is no number": {"concept_mean": float("nan")},
    "an infinite mean": {"random_mean": float("inf")},
    "a mean beyond a float": {"random_mean": 10**400},
    "true for a mean": {"random_mean": True},
    "an unknown space": {"space": "sideways"},
    "an unknown key": {"colour": "red"},
    "an accuracy above one": {"accuracy": 1.5},
    "an infinite accuracy": {"accuracy": float("-inf")},
    "an accuracy in text": {"accuracy": "high"},
}


@pytest.mark.parametrize("kind", OLD)
def test_facts_of_version_0_1_are_checked_one_by_one(path, kind):
    write_old(path, **OLD[kind])
    refused(path, "damaged")


@pytest.mark.parametrize(
    ("vector", "rule"),
    [
        (torch.full((12,), float("nan")), "a vector of length nan"),
        (torch.full((12,), float("inf")), "a vector of length inf"),
        (torch.ones(12), r"a vector of length 3\.46"),
        (cav("swing").vector * 0.9, r"a vector of length 0\.9"),
        (cav("swing").vector.view(3, 4), "no vector of numbers"),
        (torch.tensor(1.0), "no vector of numbers"),
        (torch.zeros(0), "no vector of numbers"),
        (torch.ones(1, dtype=torch.int64), "no vector of numbers"),
    ],
    ids=["nan", "infinite", "too long", "too short", "a matrix", "a number", "empty", "whole numbers"],
)
def test_vectors_of_version_0_1_are_of_length_one(path, vector, rule):
    write_old(path)
    tensors, metadata = contents(path)
    save_file({**tensors, "0": vector}, path, metadata=metadata)
    refused(path, rule)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "[1]", "[", "[" * 100_000, "[" + "9" * 5000 + "]", '[{"tensor": "0"}]', "\u0000", "[]"],
    ids=["empty", "mapping", "null", "number", "open", "deep", "digits", "few", "NUL", "none"],
)
def test_metadata_of_version_0_1_that_is_no_list_of_cavs(path, text):
    tensors, _ = contents(path)
    save_file(tensors, path, metadata={"format": FORMAT_WITHOUT_DIGEST, "cavs": text})
    refused(path, "damaged")


def test_other_types_of_numbers_are_read(tmp_path):
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        save_cavs(tmp_path / "cavs.safetensors", [cav("swing", vector=cav("swing").vector.to(dtype))])
        assert load_cavs(tmp_path / "cavs.safetensors")[0].vector.dtype == dtype
    save_cavs(tmp_path / "cavs.safetensors", [])
    assert load_cavs(tmp_path / "cavs.safetensors") == ()
    assert contents(tmp_path / "cavs.safetensors")[1]["format"] == FORMAT


def test_what_is_no_file(tmp_path):
    refused(tmp_path / "gone.safetensors", "readable safetensors file")
    refused(tmp_path, "a folder with cavs.safetensors. Got .*, which has none")
    if os.name != "nt":
        os.mkfifo(tmp_path / "pipe")
        refused(tmp_path / "pipe", "Got .*a pipe")
        refused(Path("/dev/zero"), "Got .*a device")
    (tmp_path / "other").write_bytes((10**15).to_bytes(8, "little") + b"{}")
    refused(tmp_path / "other", "readable safetensors file")


def test_the_folder_of_a_test_or_of_a_run_stands_for_the_file_in_it(path):
    assert len(load_cavs(path.parent)) == 3
    run = path.parent / "run"
    for name in ("001-a", "002-b"):
        (run / "analyses" / name).mkdir(parents=True)
    (run / "analyses" / "001-a" / path.name).write_bytes(path.read_bytes())
    assert len(load_cavs(run)) == 3
    (run / "analyses" / "002-b" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"which has several. Give one of: .*001-a, .*002-b\."):
        load_cavs(run)
    with pytest.raises(InputError, match=r"must be a folder with cavs.safetensors. Got .*, which has none"):
        load_cavs(run / "analyses")
