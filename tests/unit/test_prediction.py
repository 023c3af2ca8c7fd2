"""Predictions: how many are right where folders or lists name classes, and what was taken for what."""

import pytest
import torch

import video_tcav as vt
from video_tcav.prediction import Label, Prediction, Predictions


@pytest.fixture(scope="module")
def bright_model() -> vt.VideoModel:
    """Two classes by the brightness of a clip."""

    class Brightness(torch.nn.Module):
        def forward(self, clip):
            mean = clip.mean((1, 2, 3, 4))
            return torch.stack([-mean, mean], 1)

    return vt.load_model(
        Brightness(), classes=["Dark_Clip", "bright clip"], frames=4, size=16, mean=0.5, std=0.5, outputs="logits"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for name, levels in {"dark clip": (10, 20, 240), "Bright-clip": (230,), "other": (0,)}.items():
        (root / name).mkdir()
        for number, level in enumerate(levels):
            vt.write_video(root / name / f"{number}.mp4", torch.full((4, 3, 16, 16), level, dtype=torch.uint8))
    return root


def test_folders_that_name_classes_tell_what_is_right_and_what_is_confused(bright_model, folder):
    predictions = vt.predict(bright_model, folder)
    assert [each.actual for each in predictions] == ["bright clip", "Dark_Clip", "Dark_Clip", "Dark_Clip", None]
    assert len(predictions.labelled) == 4 and predictions.accuracy == 0.75
    (confusion,) = predictions.confusions
    assert (confusion.actual, confusion.predicted, confusion.count) == ("Dark_Clip", "bright clip", 1)
    assert predictions.summary() == (
        "3 of 4 right, going by the names of folders or the labels of lists; 1 more are of no known class; most often wrong: "
        "Dark_Clip taken for bright clip (1)."
    )
    assert list(predictions.to_frame()["rank"]) == [1, 2] * 5


def test_labels_of_a_manifest_count_as_folders_do(bright_model, folder, tmp_path):
    rows = [f"{folder}/other/0.mp4,dark_clip", f"{folder}/dark clip/2.mp4,bright clip"]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    assert vt.predict(bright_model, tmp_path / "list.csv").accuracy == 1.0


def test_a_regression_has_no_right_class(folder):
    class Level(torch.nn.Module):
        def forward(self, clip):
            return clip.mean((1, 2, 3, 4))[:, None]

    model = vt.load_model(Level(), classes=["other"], frames=4, size=16, outputs="numbers")
    predictions = vt.predict(model, folder)
    assert predictions.accuracy is None and predictions.confusions == () and predictions.summary() == ""


def test_predictions_are_a_sequence_that_a_notebook_shows_escaped():
    labels = (Label(label="<b>&", probability=0.5), Label(label="no", probability=0.25))
    one = Prediction(path="<i>.mp4", labels=labels, actual="no")
    predictions = Predictions(predictions=(one, one, one), skipped=())
    assert predictions[1] is one and len(predictions[1:]) == 2 and list(predictions) == [one] * 3
    html = predictions._repr_html_()
    assert "&lt;b&gt;&amp;" in html and "<i>" not in html and "0.500" in html and "labelled" in html
    assert repr(predictions) == "<Predictions of 3 videos, accuracy 0.00>"
