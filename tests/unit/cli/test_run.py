"""`video-tcav run` and `diff` as a user meets them."""

import json

from tests.unit.experiments.audited_world import write_audit
from tests.unit.experiments.files import SMALL, write

FLIPPED = SMALL.partition("hypotheses:")[0] + (
    "hypotheses:\n  - more_than: {concept: court, than: swing, target: playing tennis}\n"
)


def test_a_contradicted_hypothesis_fails_the_build_at_its_line(call, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    experiment, out = write(tmp_path, FLIPPED), tmp_path / "run"
    code, said, _ = call("run", experiment, "--out", out, "--fail-on-contradicted", "--junit", tmp_path / "junit.xml")
    assert code == 1
    assert f"::error file={experiment},line=13,title=contradicted" in said
    assert "<failure" in (tmp_path / "junit.xml").read_text()
    assert (out / "report.html").stat().st_size > 10**5
    code, said, _ = call("run", experiment, "--out", out, "--resume", "--no-annotate", "--no-report")
    assert code == 0
    assert "1 contradicted" in said
    assert "::error" not in said
    code, said, _ = call("diff", out, out, "--json", tmp_path / "diff.json")
    assert code == 0
    assert "0 of 1 verdicts changed" in said
    assert json.loads((tmp_path / "diff.json").read_text())["settings"] == []


def test_a_mistake_is_one_line_and_exit_code_2(call, tmp_path):
    path = write(tmp_path, SMALL.replace("shown: 1", "showen: 1"))
    code, said, error = call("run", path, "--out", tmp_path / "run")
    assert code == 2
    assert not said
    assert error.strip() == (f"error: {path}:11: `showen` must be a known key. Got 'showen'. Did you mean shown?")
    assert not (tmp_path / "run").exists()
    code, _, error = call("diff", tmp_path, tmp_path)
    assert code == 2
    assert "must hold run.json" in error


def test_check_computes_and_writes_nothing(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path)
    code, said, _ = call("run", path, "--check")
    assert code == 0
    assert "4 hypotheses can be tested" in said
    assert [one.name for one in tmp_path.iterdir()] == ["small.yaml"]


def test_defaults_stand_in_only_where_the_file_says_nothing(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDEO_TCAV_BACKEND", "nowhere")
    code, _, error = call("run", write(tmp_path), "--check")
    assert code == 2
    assert "nowhere" in error
    path = write(tmp_path, SMALL.replace("shown: 1", "shown: 1\nbackend: local"))
    assert call("run", path, "--check")[0] == 0
    assert call("run", path, "--check", "--backend", "nowhere")[0] == 2


def test_a_planted_shortcut_fails_the_build_and_a_sound_model_does_not(call, tmp_path):
    codes = {}
    for model in ("scene", "motion"):
        (tmp_path / model).mkdir()
        file, out = write_audit(tmp_path / model, model), tmp_path / model / "run"
        assert call("run", file, "--check")[1].endswith("2 hypotheses can be tested.\n")
        codes[model], said, _ = call(
            "run", file, "--out", out, "--fail-on-contradicted", "--junit", out / "../junit.xml"
        )
        assert "pixels: the share of swapped clips of which it says the scene's class is" in said
        assert (out / "report.html").stat().st_size > 10**5
    assert codes == {"scene": 1, "motion": 0}
    assert (tmp_path / "scene" / "junit.xml").read_text().count("<failure") == 1
    assert "<failure" not in (tmp_path / "motion" / "junit.xml").read_text()
    code, said, _ = call(
        "diff", tmp_path / "scene" / "run", tmp_path / "motion" / "run", "--json", tmp_path / "diff.json"
    )
    assert code == 0
    assert "1 of 2 verdicts changed" in said
    assert "of 4 shares of audited clips changed" in said
    assert "swap: says the scene's class 100" in said
    assert len(json.loads((tmp_path / "diff.json").read_text())["shares"]) == 4
    code, _, error = call("run", write_audit(tmp_path / "scene", "scene", audit="{clips: world/gone.csv}"), "--check")
    assert code == 2
    assert len(error.strip().splitlines()) == 1
    assert "audit.yaml:3: `audit.clips`" in error
