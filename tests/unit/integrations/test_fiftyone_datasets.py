"""FiftyOne, with its own database in a folder of the test: a bank's tubes there and back, and effects on clips."""

import sys
import uuid
import warnings
from importlib.util import find_spec

import pytest

from tests.studio.banks import write_source
from video_tcav.concepts import ConceptBank
from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.integrations import bank_from_fiftyone, bank_to_fiftyone, effects_to_fiftyone
from video_tcav.proposals import HandCut, add_by_hand

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
BOXES = ((0.5, (19.0, 30.0, 43.0, 54.0)), (1.4, (46.0, 30.0, 70.0, 54.0)))


@pytest.fixture(scope="session")
def fiftyone(tmp_path_factory):
    """Imported once: it starts a MongoDB, which ends with this process."""
    if find_spec("fiftyone") is None:
        pytest.skip("needs the extra fiftyone")
    folder = tmp_path_factory.mktemp("fiftyone")
    settings = {"FIFTYONE_DATABASE_DIR": folder / "database", "FIFTYONE_DO_NOT_TRACK": "1", "HOME": folder}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its packages' own
        for name, value in (settings | {"FIFTYONE_DATABASE_VALIDATION": "false"}).items():
            patch.setenv(name, str(value))
        import fiftyone

        fiftyone.list_datasets()  # connects
    return fiftyone


@pytest.fixture
def name(fiftyone):
    name = f"test-{uuid.uuid4()}"
    yield name
    if fiftyone.dataset_exists(name):
        fiftyone.delete_dataset(name)


@pytest.fixture
def bank(tmp_path):
    write_source(tmp_path / "match.mp4", 0)
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        add_by_hand(bank, tmp_path / "match.mp4", HandCut(start_s=0.5, end_s=1.5, boxes=BOXES), concept="ball")
        add_by_hand(bank, tmp_path / "match.mp4", HandCut(start_s=1.0, end_s=2.0), concept="whole picture")
        yield bank


def tubes_of(bank):
    return {
        (clip.concept, clip.kind, round(clip.origin.start_s, 3), round(clip.origin.end_s, 3), clip.origin.boxes)
        for clip in bank.clips()
        if clip.kind == "moving"
    }


def test_tubes_there_and_back(fiftyone, name, bank, tmp_path):
    dataset = bank_to_fiftyone(bank, name)
    [sample] = fiftyone.load_dataset(name)
    assert dataset.media_type == "video"
    spans = {span.label: span.support for span in sample.concepts.detections}
    assert spans == {"ball": [6, 15], "whole picture": [11, 20]}
    [box] = sample.frames[6].tubes.detections
    assert box.label == "ball"
    assert box.bounding_box == pytest.approx([19 / 128, 30 / 96, 24 / 128, 24 / 96], abs=1e-3)
    assert {label.label for frame in sample.frames.values() for label in frame.tubes.detections} == {"ball"}
    with ConceptBank.open(tmp_path / "other", create=True) as other:
        imported = bank_from_fiftyone(dataset, other, reviewer="anna")
        assert imported.added == other.count()
        for one, back in zip(sorted(tubes_of(bank)), sorted(tubes_of(other)), strict=True):
            assert one[:4] == back[:4]
            for box, box_back in zip(one[4], back[4], strict=True):
                assert box_back == pytest.approx(box, abs=0.02)
        assert bank_from_fiftyone(dataset, other).added == 0
        assert [clip.verdict for clip in other.clips(concept="ball", kind="moving")] == ["accepted"]


def test_labels_that_were_drawn_there(fiftyone, name, tmp_path):
    write_source(tmp_path / "match.mp4", 1)
    sample = fiftyone.Sample(filepath=str(tmp_path / "match.mp4"))
    for number, left in ((3, 0.1), (12, 0.4)):
        label = fiftyone.Detection(label="racket", bounding_box=[left, 0.3, 0.2, 0.25], index=7)
        sample.frames[number] = fiftyone.Frame(drawn=fiftyone.Detections(detections=[label]))
    dataset = fiftyone.Dataset(name)
    dataset.add_sample(sample)
    with pytest.raises(InputError, match="`samples` must have a field tubes or concepts. Got .*drawn"):
        bank_from_fiftyone(dataset, tmp_path / "bank")
    bank_from_fiftyone(dataset, tmp_path / "bank", tubes="drawn", verdict="open")
    with ConceptBank.open(tmp_path / "bank") as bank:
        [clip] = bank.clips(kind="moving")
    assert (clip.concept, clip.verdict, len(clip.origin.boxes)) == ("racket", "open", 10)
    assert clip.origin.boxes[0] == pytest.approx((12.8, 28.8, 38.4, 52.8), abs=0.1)
    assert clip.origin.boxes[-1][0] == pytest.approx(51.2, abs=0.1)


def test_effects_of_a_run_by_clip(fiftyone, name, run):
    import pandas as pd

    dataset = effects_to_fiftyone(run, name)
    frame = pd.read_parquet(run.path / "clip_effects.parquet")
    wanted = frame.query("concept == 'moves-right' and layer == 'stages.2' and twin == 'none' and versus == 'random'")
    values = dict(zip(*dataset.values(["filepath", "effect_moves_right"]), strict=True))
    assert values == pytest.approx(dict(zip(wanted["clip"], wanted["effect"], strict=True)))
    assert dataset.distinct("tags") == ["right"]
    assert "effect_green" in dataset.get_field_schema()
    with pytest.raises(InputError, match="`name` must be new. Got 'test-"):
        effects_to_fiftyone(run, name)
    with pytest.raises(InputError, match="`layer` must be one of stages.1, stages.2. Got 'head'"):
        effects_to_fiftyone(run, name, layer="head")


def test_pictures_are_refused(fiftyone, name, tmp_path):
    dataset = fiftyone.Dataset(name)
    dataset.add_sample(fiftyone.Sample(filepath=str(tmp_path / "a.png")))
    with pytest.raises(InputError, match="`samples` must be videos. Got image"):
        bank_from_fiftyone(dataset, tmp_path / "bank")


def test_without_fiftyone_the_extra_is_named(bank, monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)  # as if it were not installed
    with pytest.raises(
        MissingExtraError, match=r'^A dataset of FiftyOne needs an extra. Install it with: .*\[fiftyone\]"$'
    ):
        bank_to_fiftyone(bank, "any")
