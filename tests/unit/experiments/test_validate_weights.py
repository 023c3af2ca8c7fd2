import pytest

from video_tcav.experiments.validate import _beside_if_there


@pytest.mark.parametrize("name", ["epoch.ckpt", "epoch.ckpt::model_ema", "w.pt::ema", "w.safetensors"])
def test_weights_are_looked_for_beside_the_experiment_with_their_choice(tmp_path, name):
    (tmp_path / "epoch.ckpt").touch()
    assert _beside_if_there(name, tmp_path / "run.yaml") == str(tmp_path / name)


def test_published_names_stay(tmp_path):
    assert _beside_if_there("KINETICS400_V1", tmp_path / "run.yaml") == "KINETICS400_V1"
    assert _beside_if_there(None, tmp_path / "run.yaml") is None
