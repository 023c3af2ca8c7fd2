"""Captum's TCAV with fixed CAVs against Gram space, on r3d_18."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from video_tcav.gram.effects import fit_cavs, tcav_magnitude, tcav_score
from video_tcav.gram.kernel import unit_coefficients
from video_tcav.models import load_model, record_activations, record_gradients
from video_tcav.models.targets import Target

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Captum's own imports
    from captum.attr import LayerGradientXActivation
    from captum.concept import TCAV, Classifier, Concept

LAYERS = ("layer2", "layer4")
TARGET = 7


class MeanDifference(Classifier):
    """The CAV of Gram space's default, as a Captum classifier: fixed, without randomness."""

    def __init__(self) -> None:
        self._weights, self._classes = torch.empty(0), []

    def train_and_eval(self, dataloader, **_kwargs):
        rows, labels = zip(*dataloader, strict=True)
        rows, labels = torch.cat(rows).double(), torch.cat(labels)
        found = sorted(set(labels.tolist()))
        vector = rows[labels == found[0]].mean(0) - rows[labels == found[1]].mean(0)
        vector = vector / vector.norm()
        self._weights, self._classes = torch.stack([vector, -vector]).float(), found
        return {"accs": torch.tensor(1.0)}

    def weights(self):
        return self._weights

    def classes(self):
        return self._classes


@pytest.fixture(scope="module")
def clips() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    noise = {
        name: torch.randn(count, 3, 8, 40, 40, generator=generator) for name, count in (("concept", 4), ("random", 5))
    }
    noise["concept"][:, 0] += 0.7
    noise["class"] = torch.randn(6, 3, 8, 40, 40, generator=generator)
    return noise


def test_sign_count_and_magnitude_equal_captums(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = load_model("torchvision:r3d_18", frames=8, size=40, device="cpu")

    def batches(name: str) -> Iterator[torch.Tensor]:
        return iter(clips[name].split(2))

    class Batches(torch.utils.data.IterableDataset):
        def __init__(self, name: str) -> None:
            self.name = name

        def __iter__(self):
            return batches(self.name)

    concepts = [
        Concept(index, name, torch.utils.data.DataLoader(Batches(name), batch_size=None))
        for index, name in enumerate(("concept", "random"))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tcav = TCAV(
            model.module,
            list(LAYERS),
            classifier=MeanDifference(),
            layer_attr_method=LayerGradientXActivation(model.module, None, multiply_by_inputs=False),
            save_path=str(tmp_path),
        )
        theirs = tcav.interpret(clips["class"], [concepts], target=TARGET)["0-1"]

    both = record_activations(model, LAYERS, torch.cat([clips["concept"], clips["random"]]))
    gradients = record_gradients(model, LAYERS, clips["class"], Target(class_index=TARGET, kind="logit"))
    labels = np.arange(9) < 4
    for layer in LAYERS:
        rows = both[layer].flatten(1).double()
        centred = (rows - rows.mean(0)).numpy()
        kernel, cross = centred @ centred.T, gradients.layers[layer].flatten(1).double().numpy() @ centred.T
        ours = (unit_coefficients(kernel, fit_cavs("mean", kernel, labels[None])) @ cross.T)[0]
        assert float(tcav_score(ours)) == pytest.approx(float(theirs[layer]["sign_count"][0]), abs=1e-5)
        assert float(tcav_magnitude(ours)) == pytest.approx(float(theirs[layer]["magnitude"][0]), rel=1e-5)
        assert np.abs(ours).max() > 0
