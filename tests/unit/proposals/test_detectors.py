"""Detectors of files and libraries: layouts, labels, and what is said about bad ones."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from video_tcav.core.errors import InputError, MissingExtraError, ModelError, WeightsError
from video_tcav.media import find_videos, read_frames
from video_tcav.proposals import OnnxDetector, TorchvisionDetector, hf_detector, onnx, parse_detector

from .onnx_file import write_onnx

NAMES = "['person', 'tennis racket']"
FRAME = torch.zeros(1, 3, 128, 128, dtype=torch.uint8)  # twice the size of the small models' input
BOX = (40.0, 24.0, 80.0, 96.0)


def _cells(side=64):
    return [
        (column, row, stride)
        for stride in (8, 16, 32)
        for row in range(side // stride)
        for column in range(side // stride)
    ]


def _yolox_raw():
    """One racket in the cell (3, 4) of stride 8, in the units of its cell."""
    rows = np.zeros((84, 7), np.float32)
    rows[:, 4] = 0.01
    at = _cells().index((3, 4, 8))
    middle, size = np.array([30, 30]), np.array([20, 36])  # of BOX, halved
    rows[at] = [*(middle / 8 - [3, 4]), *np.log(size / 8), 0.9, 0.1, 1.0]
    return rows[None]


def _yolox_decoded():
    rows = np.array(
        [[(column + 0.5) * stride, (row + 0.5) * stride, 8, 8, 0, 0, 0] for column, row, stride in _cells()]
    )
    rows[5] = [30, 30, 20, 36, 0.9, 0.1, 1.0]
    return rows[None]


def _yolov5():
    rows = np.zeros((252, 7))
    rows[17] = [30, 30, 20, 36, 0.9, 0.1, 1.0]
    rows[18] = [31, 30, 20, 36, 0.8, 0.1, 1.0]  # the same thing again
    return rows[None]


def _yolov8():
    columns = np.zeros((6, 84))
    columns[:, 9] = [30, 30, 20, 36, 0.1, 0.9]
    return columns[None]


def _chosen():
    return np.array([[[20, 12, 40, 48, 0.9, 1], [0, 0, 0, 0, 0, 0]]])


@pytest.mark.parametrize("answer", [_yolox_raw, _yolox_decoded, _yolov5, _yolov8, _chosen])
def test_each_layout_gives_the_box_in_pixels_of_the_frame(tmp_path, answer):
    detector = OnnxDetector(write_onnx(tmp_path / "d.onnx", answer(), names=NAMES))
    (found,) = detector.detect(FRAME)
    assert found.labels == ("tennis racket",)
    np.testing.assert_allclose(found.boxes, [BOX], atol=1e-3)
    assert found.scores[0] == pytest.approx(0.9, abs=1e-5)


def test_a_wide_frame_is_fitted_in_and_boxes_come_back(tmp_path):
    wide = torch.zeros(1, 3, 128, 256, dtype=torch.uint8)
    corner = OnnxDetector(write_onnx(tmp_path / "x.onnx", _yolox_raw(), names=NAMES)).detect(wide)[0]
    np.testing.assert_allclose(corner.boxes, [[80, 48, 160, 128]], atol=1e-3)  # scale 4, from the corner, cut off below
    middle = OnnxDetector(write_onnx(tmp_path / "y.onnx", _yolov8(), names=NAMES)).detect(wide)[0]
    np.testing.assert_allclose(middle.boxes, [[80, 0, 160, 128]], atol=1e-3)  # 16 rows of grey above


def test_only_the_labels_asked_for_are_found(tmp_path):
    path = write_onnx(tmp_path / "d.onnx", _yolov8(), names=NAMES)
    assert OnnxDetector(path, labels=["person"]).detect(FRAME)[0].labels == ()
    with pytest.raises(InputError, match=r"Got 'tenis racket'\. Closest: tennis racket"):
        OnnxDetector(path, labels=["tenis racket"])


def test_names_come_from_a_file_the_model_or_coco(tmp_path):
    path = write_onnx(tmp_path / "d.onnx", _yolov8())
    with pytest.raises(InputError, match=r"must name the 2 classes of d\.onnx, which does not say them"):
        OnnxDetector(path)
    for names in ("{[]: 1}", "[" * 5000):  # no names, and Python says so in other ways than for a syntax error
        with pytest.raises(InputError, match=r"which does not say them"):
            OnnxDetector(write_onnx(tmp_path / "odd.onnx", _yolov8(), names=names))
    (tmp_path / "two.txt").write_text("cat\ndog\n")
    assert parse_detector(f"onnx:{path}?classes={tmp_path / 'two.txt'}").detect(FRAME)[0].labels == ("dog",)
    (tmp_path / "three.txt").write_text("cat\ndog\ncow\n")
    with pytest.raises(InputError, match=r"must name the 2 classes of d\.onnx\. Got 3"):
        OnnxDetector(path, classes=tmp_path / "three.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary.txt` must be text in UTF-8"):
        OnnxDetector(path, classes=tmp_path / "binary.txt")
    coco = np.zeros((1, 84, 189), np.float32)
    coco[0, :, 9] = [30, 30, 20, 36, *np.eye(80)[38]]
    assert OnnxDetector(write_onnx(tmp_path / "c.onnx", coco, side=96)).detect(FRAME)[0].labels == ("tennis racket",)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("onnx:missing.onnx", r"must be an ONNX file\. Got missing\.onnx, which does not exist"),
        ("onnx:{tmp}/text.onnx", r"must be a readable ONNX file"),
        ("onnx:{tmp}/odd.onnx", r"must have the output of YOLOX, .* Got .*odd\.onnx with shape \(1, 7, 9\)"),
        ("onnx:{tmp}/odd.onnx?weights=x", r"must have \?classes=FILE behind onnx:"),
        ("yolo:x", r"must be motion, onnx:FILE, torchvision:NAME, or hf:ID or FOLDER\. Got 'yolo:x'"),
        ("onnx:", r"must be motion, onnx:FILE"),
        ("motion:x", r"must be motion, onnx:FILE"),
        ("torchvision:resnet18", r"must be torchvision: and one of .*fasterrcnn_resnet50_fpn_v2"),
        ("hf:some/model", r"must say in words what hf:some/model is to find"),
    ],
)
def test_a_bad_detector_is_refused_in_plain_words(tmp_path, spec, message):
    (tmp_path / "text.onnx").write_text("no model at all")
    write_onnx(tmp_path / "odd.onnx", np.zeros((1, 7, 9)))
    with pytest.raises(InputError, match=message):
        parse_detector(spec.format(tmp=tmp_path))


def test_the_cure_is_named_where_a_library_is_missing(monkeypatch):
    monkeypatch.setattr(onnx, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r'pip install "video-tcav\[detect\]"'):
        parse_detector("onnx:x.onnx")
    monkeypatch.setattr(hf_detector, "transformers", None)
    with pytest.raises(MissingExtraError, match=r'pip install "video-tcav\[hf\]"'):
        parse_detector("hf:x", ["racket"])


def test_a_real_yolox_finds_the_one_person(assets):
    folder = assets / "models" / "yolox_nano"
    detector = parse_detector(f"onnx:{folder}/yolox_nano.onnx?classes={folder}/coco_classes.txt", ["person"])
    for clip in ("walk", "bend", "wave1"):
        frames = read_frames(find_videos(assets / "clips" / "weizmann" / clip)[0], [10, 20, 30])
        for found in detector.detect(frames):
            sure = found.scores > 0.5
            assert sure.sum() == 1
            left, top, right, bottom = found.boxes[sure][0]
            assert 30 < bottom - top < 100 and 10 < right - left < 80  # of 144 × 180


def test_a_torchvision_detector_reads_a_file_and_leaves_it_as_it_was(tmp_path):
    name = "ssdlite320_mobilenet_v3_large"
    from torchvision.models import get_model

    torch.manual_seed(0)
    state = get_model(name, weights=None, weights_backbone=None, num_classes=91).state_dict()
    for key, value in state.items():  # as sure of a person as of nothing, wherever it looks
        if "classification_head" in key and ".1." in key and key.count(".") == 5:
            value.zero_()
            if key.endswith("bias"):
                value.view(-1, 91)[:, :2] = 9.0
    save_file(state, tmp_path / "w.safetensors")
    detector = parse_detector(f"torchvision:{name}?weights={tmp_path / 'w.safetensors'}", ["person", "tennis racket"])
    (found,) = detector.detect(torch.randint(0, 255, (1, 3, 90, 120), dtype=torch.uint8))
    assert set(found.labels) == {"person"}
    assert found.scores == pytest.approx(0.5, abs=0.01)
    assert (found.boxes[:, 2] <= 120).all() and (found.boxes[:, 3] <= 90).all()
    with pytest.raises(InputError, match=r"Got 'raket'\. Closest:"):
        parse_detector(f"torchvision:{name}", ["raket"])
    with pytest.raises(WeightsError, match=r"must be one of COCO_V1, DEFAULT, or a file\. Got COCO_V9"):
        TorchvisionDetector(name, weights="COCO_V9")
    with pytest.raises(WeightsError, match=r"`weights` must fit the model"):
        save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
        TorchvisionDetector(name, weights=str(tmp_path / "other.safetensors"))


def test_a_label_of_several_words_has_the_score_of_its_strongest_word():
    tokens = torch.tensor([101, 7, 1012, 8, 9, 1012, 102])  # start, person, ".", tennis, racket, ".", end
    logits = torch.full((2, 256), -9.0)
    logits[0, 1], logits[1, 4], logits[1, 6] = 2.0, 3.0, 9.0  # the end token belongs to no label
    scores = hf_detector._scores_by_label(logits, tokens, 1012, 2)
    assert scores.argmax(1).tolist() == [0, 1]
    torch.testing.assert_close(scores[[0, 1], [0, 1]], torch.tensor([2.0, 3.0]).sigmoid())


def test_a_label_without_a_token_leaves_the_others_where_they_are():
    tokens = torch.tensor([101, 1012, 8, 1012, 102])  # start, nothing, ".", tennis, ".", end
    logits = torch.full((1, 256), -9.0)
    logits[0, 2] = 3.0
    scores = hf_detector._scores_by_label(logits, tokens, 1012, 2)
    torch.testing.assert_close(scores, torch.tensor([[0.0, torch.tensor(3.0).sigmoid()]]))


@pytest.fixture(scope="module")
def grounding_dino(tmp_path_factory):
    """A Grounding DINO of a few layers with random weights, and its processor."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("dino")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "person", "tennis", "racket", "?"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
    text = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    backbone = transformers.SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=2,
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.GroundingDinoConfig(
        backbone_config=backbone, text_config=text, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=5,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    images = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def test_grounding_dino_takes_free_text(grounding_dino):
    detector = parse_detector(f"hf:{grounding_dino}", ["Person", "tennis  racket"])
    found = detector.detect(torch.randint(0, 255, (2, 3, 60, 80), dtype=torch.uint8))
    assert len(found) == 2
    assert set(found[0].labels) <= {"person", "tennis racket"}
    assert len(found[0].labels) > 0  # random weights are sure of nothing, and near one half of everything
    assert (found[0].boxes >= 0).all() and (found[0].boxes[:, 2] <= 80).all() and (found[0].boxes[:, 3] <= 60).all()


def test_owlv2_takes_free_text(tmp_path):
    transformers = pytest.importorskip("transformers")
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({word: at for at, word in enumerate(vocabulary)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), model_max_length=16
    )
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Owlv2Config(
        text_config={**small, "vocab_size": len(vocabulary), "max_position_embeddings": 16, "eos_token_id": 53},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    torch.manual_seed(0)
    transformers.Owlv2ForObjectDetection(config).save_pretrained(tmp_path)
    images = transformers.Owlv2ImageProcessor(size={"height": 32, "width": 32})
    transformers.Owlv2Processor(images, tokenizer).save_pretrained(tmp_path)
    found = parse_detector(f"hf:{tmp_path}", ["racket", "ball"]).detect(torch.zeros(1, 3, 40, 60, dtype=torch.uint8))[0]
    assert set(found.labels) <= {"racket", "ball"}
    assert (found.boxes >= 0).all() and (found.boxes <= 60).all()


def test_another_family_is_refused(tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"one of the families grounding-dino, owlv2, owlvit\. Got .*, which is bert"):
        parse_detector(f"hf:{tmp_path}", ["racket"])
    with pytest.raises(ModelError, match=r"must name a folder with config\.json"):
        parse_detector(f"hf:{tmp_path / 'missing'}", ["racket"])


def test_weights_of_another_training_are_other_settings_though_the_file_has_the_same_name(tmp_path):
    from torchvision.models import get_model

    name, found = "ssdlite320_mobilenet_v3_large", []
    for seed in (0, 1):
        torch.manual_seed(seed)
        state = get_model(name, weights=None, weights_backbone=None, num_classes=91).state_dict()
        save_file(state, tmp_path / "w.safetensors")
        detector = parse_detector(f"torchvision:{name}?weights={tmp_path / 'w.safetensors'}", device="cpu")
        assert detector.side_px == 320
        found.append(dict(detector.settings))
    assert found[0]["weights"] == found[1]["weights"] == "w.safetensors"
    assert found[0]["weights_digest"] != found[1]["weights_digest"]


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(InputError, match=r"`device` must be auto or a device that is here\. Got 'cuda:99'"):
        parse_detector("torchvision:ssdlite320_mobilenet_v3_large", device="cuda:99")
