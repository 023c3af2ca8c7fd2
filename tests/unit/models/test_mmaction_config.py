"""Configs of mmaction2: what is read without running them, and the clips that their pipelines say."""

import pytest
import torch

from tests.parity.mmaction_configs import CONFIGS, TSM, clip, config_file, frames, loaded
from video_tcav.core.errors import ModelError
from video_tcav.models import load_model
from video_tcav.models.loaders.mmaction.config import Unread, read_config


class TestConfig:
    def test_bases_merge_as_mmengine_merges_them(self, tmp_path):
        config_file(
            tmp_path,
            "width = 8\nmodel = dict(type='A', backbone=dict(depth=50, width=width * 2), head=dict(type='H', classes=400))\n"
            "pipeline = [dict(type='Decode')]\n",
            "base.py",
        )
        changed = config_file(
            tmp_path,
            "'''A page of docs.'''\n_base_ = ['ba' + 'se.py']\nlist_of: list = [1, -2, 3 / 2]\ncommon = dict(backend='disk')\n"
            "model = dict(backbone=dict(depth=101), head=dict(_delete_=True, type='G'), again=_base_.model.backbone.depth)\n"
            "pipeline = [dict(type='Init', **common), {'n': list_of[0]}]\n",
        )
        assert read_config(changed) == {
            "width": 8,
            "model": {"type": "A", "backbone": {"depth": 101, "width": 16}, "head": {"type": "G"}, "again": 50},
            "pipeline": [{"type": "Init", "backend": "disk"}, {"n": 1}],
            "list_of": [1, -2, 1.5],
            "common": {"backend": "disk"},
        }

    def test_names_share_their_dicts_as_in_a_run(self, tmp_path):
        text = "first = dict(n=1, inner=[0])\nsecond = first\nsecond['n'] = 2\nsecond['inner'][0] = 3\n"
        text += "third = first.copy()\nthird['n'] = 4\n"
        path, names = config_file(tmp_path, text), {}
        exec(text, {}, names)
        assert read_config(path) == names

    def test_what_would_have_to_run_is_an_error_only_where_it_is_needed(self, tmp_path):
        schedule = "import os\nworkers = os.cpu_count()\ndef f():\n    pass\nrates = [x for x in (1, 2)]\n"
        schedule += "long = [0] * 10**12\n"
        path = config_file(tmp_path, schedule + CONFIGS["TSN"])
        content = read_config(path)
        assert all(isinstance(content[name], Unread) for name in ("os", "workers", "f", "rates", "long"))
        assert load_model(f"mmaction:{path}", device="cpu").classes == ("0", "1", "2")
        needed = config_file(tmp_path, "import os\n" + CONFIGS["TSN"].replace("depth=18", "depth=os.cpu_count()"))
        with pytest.raises(
            ModelError, match=r"^`model` must be a config of literals.* Got 'os.cpu_count\(\)' in line 4 of"
        ):
            load_model(f"mmaction:{needed}")

    @pytest.mark.parametrize(
        "statement",
        [
            "model.update(type='Recognizer3D')",
            "if True:\n    model = None",
            "from mmengine.config import read_base\nwith read_base():\n    from .base import *",
            "model['type'] = unknown",
            "del model",
            "val_pipeline += []",
            "__import__('pathlib').Path('HERE').touch()",
        ],
    )
    def test_statements_that_may_change_values_are_refused_and_not_run(self, tmp_path, statement):
        path = config_file(tmp_path, CONFIGS["TSN"] + statement.replace("HERE", str(tmp_path / "ran")) + "\n")
        with pytest.raises(
            ModelError, match=r"^`model` must be a config of literals.* in line \d+ of .*config.py\. Write the"
        ):
            load_model(f"mmaction:{path}")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("model = (", "`model` must be a Python config. Got .*config.py, which is none in line 1"),
            ("_base_ = 3", "`_base_` must be the path of a config, or a list of them. Got 3"),
            ("_base_ = 'mmdet::base.py'", "`_base_` must be the path of a config, .* Got .'mmdet::base.py'"),
            ("_base_ = 'config.py'", "must stand on 8 configs at most. Got .* Look for a circle of _base_"),
            ("_base_ = 'none.py'", "none.py` must be a readable text file"),
            ("data = 3", "`model` must be a dict in mmaction:.*config.py. Got None"),
            ("(" * 3000 + ")" * 3000, "`model` must be a Python config"),
            ("model = " + "+".join(["1"] * 1500), "whose values nest less deep"),
        ],
    )
    def test_files_that_are_no_configs(self, tmp_path, text, message):
        with pytest.raises(ModelError, match=message):
            loaded(tmp_path, text)


class TestClip:
    @pytest.mark.parametrize(
        ("sampling", "expected"),
        [
            ("type='SampleFrames', clip_len=8, frame_interval=4", {"frames": 8, "stride": 4, "sampling": "dense"}),
            ("type='SampleFrames', clip_len=8, frame_interval=4, num_clips=10", {"frames": 8, "stride": 4}),
            ("type='SampleFrames', clip_len=8, frame_interval=4, target_fps=30", {"frames": 8, "fps": 7.5}),
            ("type='UniformSample', clip_len=8", {"frames": 8, "sampling": "uniform"}),
            ("type='DenseSampleFrames', clip_len=8, frame_interval=2, num_clips=1", {"frames": 8, "stride": 2}),
        ],
    )
    def test_sampling_of_clips(self, tmp_path, sampling, expected):
        published = "type='SampleFrames', clip_len=16, frame_interval=2, num_clips=1"
        assert published in CONFIGS["I3D"]
        model = loaded(tmp_path, CONFIGS["I3D"].replace(published, sampling))
        assert {name: getattr(model.clip_spec, name) for name in expected} == expected
        assert any("10 " in note for note in model.notes) == ("num_clips=10" in sampling or "Dense" in sampling)

    def test_segments_of_images(self, tmp_path):
        spec = loaded(tmp_path, TSM + frames(4, 32)).clip_spec
        assert (spec.frames, spec.sampling, spec.layout) == (4, "uniform", "time_first")
        dense = "type='DenseSampleFrames', clip_len=1, frame_interval=1, num_clips=4, sample_range=20"
        text = TSM + frames(4, 32).replace("type='SampleFrames', clip_len=1, frame_interval=1, num_clips=4", dense)
        spec = loaded(tmp_path, text).clip_spec
        assert (spec.frames, spec.stride, spec.sampling) == (4, 5, "dense")

    def test_resize_crop_mean_and_deviation(self, tmp_path):
        text = CONFIGS["SlowOnly"].replace("scale=(-1, 32)", "scale=(-1, 40)")
        spec = loaded(tmp_path, text).clip_spec
        assert (spec.resize, spec.size) == (40, (32, 32))
        assert spec.mean == pytest.approx((0.485, 0.456, 0.406))
        assert spec.std == pytest.approx((0.229, 0.224, 0.225))
        text = text.replace("scale=(-1, 40)", "scale=(48, 40), keep_ratio=False")
        text = text.replace("dict(type='CenterCrop', crop_size=32),", "")
        model = loaded(tmp_path, text.replace("keep_ratio=False", "keep_ratio=False, interpolation='bicubic'"))
        assert (model.clip_spec.resize, model.clip_spec.size) == ((40, 48), (40, 48))
        assert model.notes == ("Resize is bilinear here, and bicubic in the config.",)
        assert loaded(tmp_path, CONFIGS["SlowOnly"], frames=8, size=48).clip_spec.size == (48, 48)

    def test_the_pipeline_of_the_loader_wins_over_one_that_has_only_its_name(self, tmp_path):
        text = CONFIGS["SlowOnly"] + "val_dataloader = dict(dataset=dict(pipeline=val_pipeline))\n"
        text += clip(8, 48)
        assert loaded(tmp_path, text).clip_spec.frames == 4

    def test_colours_are_turned_round_where_the_config_does(self, tmp_path):
        model = loaded(tmp_path, CONFIGS["TSM"])
        pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
        expected = (pixels[:, [2, 1, 0]] - mean[:, None, None]) / std[:, None, None]
        torch.testing.assert_close(model.prepare(pixels), expected)
        assert any("blue, green and red" in note for note in model.notes)

    def test_mean_and_order_of_colours_of_configs_before_1_0(self, tmp_path):
        text = CONFIGS["TSN"]
        model = text[: text.index("    data_preprocessor")] + ")\n"
        step = "dict(type='Normalize', mean=[1, 2, 3], std=[4, 5, 6], to_bgr=True), dict(type='FormatShape'"
        steps = text[text.index("file_client_args") :].replace("dict(type='FormatShape'", step)
        model = loaded(tmp_path, model + steps)
        assert model.clip_spec.mean == pytest.approx((1 / 255, 2 / 255, 3 / 255))
        assert any("blue, green and red" in note for note in model.notes)

    def test_pixels_stay_as_they_are_without_a_mean(self, tmp_path):
        text = CONFIGS["TSN"].replace("mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],", "")
        pixels = torch.full((3, 3, 32, 32), 200, dtype=torch.uint8)
        torch.testing.assert_close(loaded(tmp_path, text).prepare(pixels), pixels.float())

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                ("type='Resize', scale=(-1, 32)", "type='ColorJitter'"),
                "must have steps of decoding, .* Got 'ColorJitter'",
            ),
            (("scale=(-1, 32)", "scale=0.5"), "must resize to pixels, .* Got 0.5"),
            (("num_clips=3", "num_clips='many'"), "must have a whole number num_clips. Got 'many'"),
            (("dict(type='CenterCrop', crop_size=32),", ""), "must end in one size, .* Got 'neither'"),
            (
                ("type='SampleFrames', clip_len=1, frame_interval=1, num_clips=3", "type='DecordDecode'"),
                "sample frames",
            ),
            (("val_pipeline", "train_pipeline"), "`pipeline` must stand in .* Got no val_pipeline or test_pipeline"),
            (
                ("ActionDataPreprocessor", "Mine"),
                "have a data_preprocessor of the type ActionDataPreprocessor. Got 'Mine'",
            ),
            (("mean=[123.675, 116.28, 103.53]", "mean=[128, 128]"), "have a mean and a std of three colours"),
            (("mean=[123.675, 116.28, 103.53]", "mean=['128', 1, 1]"), "have a mean and a std of three colours"),
            (
                ("data_preprocessor=dict(", "data_preprocessor=3, init_cfg=dict("),
                "have a dict data_preprocessor. Got 3",
            ),
        ],
    )
    def test_steps_that_no_clip_says(self, tmp_path, change, message):
        text = CONFIGS["TSN"].replace(*change)
        assert text != CONFIGS["TSN"]
        with pytest.raises(ModelError, match=message) as error:
            loaded(tmp_path, text)
        assert "\n" not in str(error.value)
