"""Mask sources: what moves, networks whose answer is planted, boxes, plug-ins, and specs that are refused."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import video_tcav as vt
from tests.plugins import installed, make_plugin
from tests.unit.proposals.onnx_file import write_onnx
from video_tcav.concepts import as_sources
from video_tcav.core.errors import InputError, MediaError, ModelError
from video_tcav.masks import MASK_SOURCES, ClipMasks, MaskSource, parse_mask_source
from video_tcav.masks.quality import overlap
from video_tcav.masks.segments import Segment, SegmentMasks
from video_tcav.masks.specs import mask_source_help
from video_tcav.media import load_clips
from video_tcav.rendered import Factors, Nuisance, render

CLIP = torch.randint(0, 255, (2, 3, 48, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def loaded(clip, frames=None):
    (loaded,) = load_clips(as_sources(clip), vt.ClipSpec(frames=frames or len(clip), size=(32, 32)))
    return loaded


@pytest.mark.parametrize("shake", [0.0, 0.02])
def test_a_runner_is_cut_out_by_a_camera_that_stands_still_or_shakes(shake):
    runner = render(
        Factors(motion="run", object="ball", scene="lawn", nuisance=Nuisance(shake=shake, noise=2, detail=3)), size=96
    )
    (masks,) = parse_mask_source("motion").masks(loaded(runner.clip))
    truth = runner.mask("figure") | runner.mask("object")
    assert np.mean([overlap(*frame) for frame in zip(masks.person, truth, strict=True)]) > 0.65
    assert masks.object is None and masks.how == "what moves, against the background"


def test_frames_around_the_clip_tell_the_background():
    """A block that moves on: within four frames it hides its background, the rest of the video shows it."""
    generator = torch.Generator().manual_seed(1)
    scene = torch.randint(90, 110, (3, 64, 96), dtype=torch.uint8, generator=generator)
    clip = scene.expand(30, -1, -1, -1).clone()
    truth = torch.zeros(30, 64, 96, dtype=torch.bool)
    for frame in range(30):
        truth[frame, 20:44, 2 * frame : 2 * frame + 16] = True
    clip.permute(0, 2, 3, 1)[truth] = torch.tensor([200, 40, 40], dtype=torch.uint8)
    short = loaded(clip, frames=4)
    (masks,) = parse_mask_source("motion").masks(short)
    expected = truth[torch.from_numpy(short.frame_indices[0])]
    assert np.mean([overlap(*frame) for frame in zip(masks.person, expected, strict=True)]) > 0.8


def test_a_still_scene_and_a_single_picture_have_nobody():
    with pytest.raises(MediaError, match="no person was found in the clip; give masks of it, or another mask source"):
        parse_mask_source("motion").masks(loaded(CLIP[:1].expand(8, -1, -1, -1)))
    with pytest.raises(MediaError, match="no person was found"):
        parse_mask_source("motion").masks(loaded(CLIP[:1], frames=4))


def test_boxes_are_filled_and_said_to_be_boxes():
    runner = render(Factors(motion="run", object="none", scene="lawn", nuisance=Nuisance(detail=3)), size=96)
    source = parse_mask_source("boxes:motion")
    (masks,) = source.masks(loaded(runner.clip))
    assert source.is_boxes and source.name == "boxes:motion" and not parse_mask_source("motion").is_boxes
    for mask in masks.person:
        rows, columns = mask.any(1).nonzero().ravel(), mask.any(0).nonzero().ravel()
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    figure = runner.mask("figure")
    assert (masks.person & figure).sum() > 0.8 * figure.sum()


def test_mask_rcnn_gives_masks_of_the_boxes_that_it_is_sure_of(tmp_path):
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    state = network.state_dict()
    state["roi_heads.box_predictor.cls_score.bias"][1] = 20  # class 1 of COCO is person
    state["roi_heads.mask_predictor.mask_fcn_logits.bias"][:] = 20  # all of a box is its mask
    save_file(state, tmp_path / "w.safetensors")
    source = parse_mask_source(f"maskrcnn:{tmp_path / 'w.safetensors'}", device="cpu")
    source._network._module.transform.min_size = (64,)  # instead of 800 pixels, which take a minute
    (segments,) = source.segments(CLIP[:1])
    assert segments and all(segment.label == "person" and segment.mask.shape == (48, 64) for segment in segments)
    (masks,) = source.masks(loaded(CLIP[:1]))
    assert torch.equal(masks.person[0], torch.stack([segment.mask for segment in segments]).any(0))
    assert masks.object is not None and not masks.object.any()
    with pytest.raises(InputError, match=r"must have \?architecture=NAME behind maskrcnn:"):
        parse_mask_source("maskrcnn:w?size=3")
    with pytest.raises(InputError, match="`architecture` must be one of maskrcnn_resnet50_fpn"):
        parse_mask_source("maskrcnn:w?architecture=resnet")


@pytest.fixture(scope="module")
def mask2former(tmp_path_factory):
    """A tiny Mask2Former that calls all of its queries person."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("mask2former")
    backbone = transformers.SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1] * 4,
        num_heads=[1] * 4,
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    sizes = {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_feedforward_dim": 16}
    layers = {
        "encoder_layers": 1,
        "decoder_layers": 2,
        "num_attention_heads": 2,
        "dim_feedforward": 16,
        "num_queries": 4,
    }
    names = {"id2label": {0: "Person", 1: "ball"}, "label2id": {"Person": 0, "ball": 1}}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.Mask2FormerConfig(backbone_config=backbone, **sizes, **layers, **names)
        network = transformers.Mask2FormerForUniversalSegmentation(config)
    network.class_predictor.bias.data = torch.tensor([20.0, 0.0, 0.0])
    network.save_pretrained(folder)
    transformers.Mask2FormerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def test_a_segmenter_of_hugging_face_names_its_segments(mask2former):
    source = parse_mask_source(f"hf:{mask2former}", device="cpu")
    before = {name: tensor.clone() for name, tensor in source._module.state_dict().items()}
    segments = source.segments(CLIP)
    assert len(segments) == 2 and all(segment.label == "person" for segment in segments[0])
    assert all(segment.mask.shape == (48, 64) for segment in segments[0]) and source.tells_objects
    assert all(torch.equal(tensor, before[name]) for name, tensor in source._module.state_dict().items())
    with pytest.raises(InputError, match=r"must have \?boxes=DETECTOR behind hf:FOLDER for SAM 2, and for no other"):
        parse_mask_source(f"hf:{mask2former}?boxes=motion")


def test_a_segmenter_without_persons_or_of_another_family_is_refused(mask2former, tmp_path):
    config = (mask2former / "config.json").read_text()
    for file in mask2former.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(config.replace("Person", "dog"))
    with pytest.raises(InputError, match="must have a class called person, which hf:.* does not. Got ball, dog"):
        parse_mask_source(f"hf:{tmp_path}", device="cpu")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(
        ModelError, match="`masks` must be one of the families mask2former, maskformer, eomt, sam2_video"
    ):
        parse_mask_source(f"hf:{tmp_path}")


@pytest.fixture(scope="module")
def sam2(tmp_path_factory):
    """A tiny SAM 2 of the real classes, with random weights."""
    transformers = pytest.importorskip("transformers")
    folder, side = tmp_path_factory.mktemp("sam2"), 128
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=16,
        image_size=[side, side],
        window_positional_embedding_background_size=[2, 2],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[16, 32, 64, 128],
        num_attention_heads_per_stage=[1] * 4,
        window_size_per_stage=[4, 2, 4, 2],
        global_attention_blocks=[3],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=[[side // 4] * 2, [side // 8] * 2, [side // 16] * 2],
    )
    config = transformers.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=transformers.Sam2VideoPromptEncoderConfig(image_size=side, patch_size=16),
        image_size=side,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[side // 16] * 2,
        memory_fuser_num_layers=1,
        memory_fuser_intermediate_dim=32,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.Sam2VideoModel(config).save_pretrained(folder)
    size = {"height": side, "width": side}
    pictures = transformers.Sam2ImageProcessor(size=size, mask_size={"height": side // 4, "width": side // 4})
    videos = transformers.Sam2VideoVideoProcessor(size=size)
    transformers.Sam2VideoProcessor(image_processor=pictures, video_processor=videos, target_size=side).save_pretrained(
        folder
    )
    return folder


def test_sam2_follows_the_boxes_of_a_detector_over_all_frames(sam2):
    runner = render(Factors(motion="run", object="none", scene="lawn", nuisance=Nuisance(detail=3)), frames=8)
    source = parse_mask_source(f"hf:{sam2}?boxes=motion", device="cpu")
    (masks,) = source.masks(loaded(runner.clip))
    (again,) = source.masks(loaded(runner.clip))
    assert masks.person.shape == (8, 64, 64) and torch.equal(masks.person, again.person)
    assert masks.person.any((1, 2)).sum() > 4  # random weights lose it in some frames
    assert source.name.endswith("?boxes=motion") and masks.how == "SAM 2 from boxes of motion"
    with pytest.raises(MediaError, match="no person was found"):
        source.masks(loaded(CLIP[:1].expand(8, -1, -1, -1)))
    with pytest.raises(InputError, match=r"must have \?boxes=DETECTOR"):
        parse_mask_source(f"hf:{sam2}")


def test_onnx_segmenters_of_one_channel_or_one_a_class(tmp_path):
    left = np.zeros((1, 1, 16, 16))
    left[..., :8] = 1
    half = torch.zeros(2, 48, 64, dtype=torch.bool)
    half[..., :32] = True
    classes = np.concatenate([np.full_like(left, 0.5), 0.2 * left, left], axis=1)
    for answer, number in ((left, ""), (8 * left - 4, ""), (classes, "?person=2")):
        path = write_onnx(tmp_path / "s.onnx", answer, side=32)
        (masks,) = parse_mask_source(f"onnx:{path}{number}").masks(loaded(CLIP))
        assert (masks.person ^ half).float().mean() < 0.02  # half a cell of the small map
    for spec, message in (
        (f"onnx:{path}", r"must have \?person=NUMBER, from 0 to 2, for the 3 channels of .* Got none"),
        (f"onnx:{path}?person=3", r"from 0 to 2.* Got 3"),
        (f"onnx:{tmp_path / 'none.onnx'}", "must be an ONNX file that exists"),
        (
            f"onnx:{write_onnx(tmp_path / 'flat.onnx', np.zeros((1, 9)), side=32)}",
            r"must return \(1, class, height, width\)",
        ),
    ):
        with pytest.raises(InputError, match=message):
            parse_mask_source(spec)
    with pytest.raises(InputError, match=r"must have no \?person= for the one channel"):
        parse_mask_source(f"onnx:{write_onnx(tmp_path / 'one.onnx', left, side=32)}?person=0")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match="must be an ONNX segmenter that takes pictures"):
        parse_mask_source(f"onnx:{tmp_path / 'bad.onnx'}")


class Planted(SegmentMasks):
    """Segments that a test decides about."""

    name, tells_objects = "planted", True

    def __init__(self, *segments):
        self._segments = segments

    def segments(self, frames):
        return [self._segments] * len(frames)


def rectangle(label, rows, columns):
    mask = torch.zeros(48, 64, dtype=torch.bool)
    mask[slice(*rows), slice(*columns)] = True
    return Segment(label=label, mask=mask)


def test_objects_are_what_touches_a_person_and_is_no_larger():
    person, second = rectangle("person", (10, 40), (20, 30)), rectangle("person", (10, 20), (50, 55))
    racket, far = rectangle("racket", (15, 20), (30, 36)), rectangle("ball", (2, 5), (2, 5))
    bench = rectangle("bench", (35, 48), (0, 64))
    (masks,) = Planted(person, second, racket, far, bench).masks(loaded(CLIP))
    assert torch.equal(masks.person[0], person.mask | second.mask)
    assert torch.equal(masks.object[0], racket.mask)
    assert not (masks.person & masks.object).any()
    with pytest.raises(MediaError, match="no person was found"):
        Planted(racket, far).masks(loaded(CLIP))


def test_masks_of_another_size_are_one_clear_line():
    small = Segment(label="person", mask=torch.ones(24, 32, dtype=torch.bool))

    class Small(MaskSource):
        name = "small"

        def masks(self, loaded):
            from video_tcav.masks.mask_source import checked_masks

            return checked_masks(loaded, [ClipMasks(person=small.mask.expand(2, -1, -1))])

    with pytest.raises(InputError, match="must have the size of their video, 2 frames of 48x64. Got 2 frames of 24x32"):
        Small().masks(loaded(CLIP))


@pytest.mark.parametrize("spec", ["motion:3", "maskrcnn", "nowhere.json", "hf:", "sam"])
def test_specs_that_are_not_known_are_refused(spec):
    with pytest.raises(InputError, match=r"`masks` must be motion, maskrcnn:FILE, hf:FOLDER, .* or a path that exists"):
        parse_mask_source(spec)


def test_a_source_is_returned_as_it_is():
    source = Planted()
    assert parse_mask_source(source) is source


PLUGIN = """
from video_tcav.masks import ClipMasks, MaskLoader, MaskSource


class Everything(MaskSource):
    name = "everything"

    def masks(self, loaded):
        return tuple(ClipMasks(person=clip[:, 0] >= 0) for clip in loaded.clips)


class Loader(MaskLoader):
    name, help, finds = "everything", "", "all pixels"

    def load(self, source, *, threads, device):
        return Everything()


loader = Loader()
"""


def test_another_package_adds_a_source(tmp_path):
    with installed(make_plugin(tmp_path, "video_tcav.mask_sources", "everything", PLUGIN, "loader"), MASK_SOURCES):
        (masks,) = parse_mask_source("everything").masks(loaded(CLIP))
        assert masks.person.all() and "everything (all pixels)" in mask_source_help(finds=True)
