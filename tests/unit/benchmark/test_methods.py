"""Methods by the names of entry points, of this package, and as PACKAGE:FUNCTION."""

import pytest

from tests.plugins import installed, make_plugin
from video_tcav.attribution import GradCAM
from video_tcav.benchmark import benchmark_attribution, benchmark_concepts
from video_tcav.benchmark.methods import ATTRIBUTION_FUNCTIONS, CONCEPT_FUNCTIONS, attribution_method, concept_method
from video_tcav.core.errors import InputError, PluginError

MODEL = ["rendered:r2plus1d-scene"]
MAPS = """
def maps(*, model, clip, target, layer):
    return clip[0].abs().mean(0)
"""
CONCEPTS = """
import numpy as np

def concepts(*, model, class_clips, random_clips, new_clips, target, layer, seed):
    return [{"map": new_clips.abs().mean(1).numpy()}]
"""


def test_a_plugin_is_scored_by_its_name(tmp_path):
    maps = make_plugin(tmp_path, "video_tcav.benchmark_attribution", "bright", MAPS, "maps")
    with installed(maps, ATTRIBUTION_FUNCTIONS):
        scores = benchmark_attribution("bright", models=MODEL, quick=True)
        assert scores.method == "bright" and scores.scores[0].clips == 6
        by_path = benchmark_attribution("plugin_bright:maps", models=MODEL, quick=True)
        assert by_path.method == "plugin_bright:maps" and by_path.auc == scores.auc
    concepts = make_plugin(tmp_path, "video_tcav.benchmark_concepts", "lit", CONCEPTS, "concepts")
    with installed(concepts, CONCEPT_FUNCTIONS):
        assert benchmark_concepts("lit", models=MODEL, quick=True).scores[0].components == 1


def test_methods_of_this_package_have_their_names():
    assert attribution_method("gradcam") == ("gradcam", GradCAM())
    assert attribution_method(GradCAM(layers=("stages.1",)))[0] == "gradcam"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            "gradcan",
            InputError,
            r"`method` must be PACKAGE:FUNCTION or a name\. Got 'gradcan'\. Did you mean gradcam\?",
        ),
        (
            "nothing_here:maps",
            PluginError,
            r"Got ModuleNotFoundError: No module named 'nothing_here' from nothing_here",
        ),
        ("math:nothing", PluginError, "Got AttributeError: .* from math:nothing. Install it, or correct the name"),
        ("math:pi", InputError, r"`method` must be a function\. Got a float for math:pi"),
    ],
)
def test_what_names_no_method_is_refused(name, error, message):
    with pytest.raises(error, match=message):
        attribution_method(name)


def test_concepts_have_no_methods_of_this_package():
    with pytest.raises(InputError, match=r"must be PACKAGE:FUNCTION\. Got 'gradcam'\. Write, for example"):
        concept_method("gradcam")


def test_a_plugin_that_cannot_be_imported_is_named(tmp_path):
    folder = make_plugin(tmp_path, "video_tcav.benchmark_concepts", "broken", "import a_module_that_is_missing", "f")
    with installed(folder, CONCEPT_FUNCTIONS), pytest.raises(PluginError, match="`method` broken must be importable"):
        concept_method("broken")
