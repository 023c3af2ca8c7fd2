"""Tables and tensors with hostile names, and on full disks."""

import json

import pandas as pd
import pytest
import torch
from safetensors import safe_open

from tests.mounts import small_disk
from video_tcav.core.errors import OutputError
from video_tcav.core.files import read_json, write_in_turn, write_json, write_text
from video_tcav.core.tables import write_csv, write_parquet, write_tensors

FRAME = pd.DataFrame(
    {
        "=name": pd.Series(["sw\udcff", "=1+1", "-0.5", None], dtype=object),
        "effect": [-1.5, float("nan"), 2.0, 3.0],
        "ok": [True, False, True, True],
        "count": [1, 2, 3, 4],
    }
)


def test_csv_is_utf_8_without_formulas(tmp_path):
    write_csv(tmp_path / "a.csv", FRAME)
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert lines == [
        "'=name,effect,ok,count",
        r"sw\udcff,-1.5,True,1",
        "'=1+1,,False,2",
        "-0.5,2.0,True,3",
        ",3.0,True,4",
    ]


def test_parquet_keeps_all_but_what_utf_8_cannot_hold(tmp_path):
    write_parquet(tmp_path / "a.parquet", FRAME)
    read = pd.read_parquet(tmp_path / "a.parquet")
    assert read["=name"].tolist()[:3] == [r"sw\udcff", "=1+1", "-0.5"]
    assert read.drop(columns="=name").equals(FRAME.drop(columns="=name"))


def test_harmless_tables_are_written_as_pandas_would(tmp_path):
    frame = pd.DataFrame({"a": ["x", None, "größer"], "b": [1.0, 2.0, 3.0], "c": pd.Categorical(["u", "v", "u"])})
    write_csv(tmp_path / "a.csv", frame)
    write_parquet(tmp_path / "a.parquet", frame)
    assert (tmp_path / "a.csv").read_text() == frame.to_csv(index=False)
    assert pd.read_parquet(tmp_path / "a.parquet").equals(frame)


def test_json_and_text_hold_any_name(tmp_path):
    write_json(tmp_path / "a.json", {"sw\udcff": ["a\ud800"]})
    assert read_json(tmp_path / "a.json") == {r"sw\udcff": [r"a\ud800"]}  # spelled out: half a character is none
    write_text(tmp_path / "a.md", "sw\udcff – ü")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == r"sw\udcff – ü"


def test_metadata_of_tensors_hold_any_name(tmp_path):
    write_tensors(tmp_path / "a.safetensors", {"0": torch.ones(3)}, metadata={"cavs": json.dumps(["sw\udcff"])})
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["cavs"]) == ["sw\udcff"]


def test_what_fits_is_written_and_what_does_not_is_named(tmp_path):
    large = {"0": torch.zeros(100_000)}
    with small_disk(tmp_path / "disk", "64k") as disk:
        with pytest.raises(OutputError) as error:
            write_in_turn(
                disk / "out",
                {
                    "a.json": lambda path: write_json(path, [1]),
                    "b.safetensors": lambda path: write_tensors(path, large),
                    "c.csv": lambda path: write_csv(path, FRAME),
                    "d.parquet": lambda path: write_parquet(path, pd.DataFrame({"x": torch.rand(50_000).numpy()})),
                },
            )
        assert {path.name for path in (disk / "out").iterdir()} == {"a.json", "c.csv"}
    line = str(error.value)
    assert "No space left on device" in line
    assert "Free space on the disk" in line
    assert line.endswith("Written: a.json, c.csv. Not written: b.safetensors, d.parquet.")
    assert "\n" not in line
