"""Without any extra: the package imports, its models run, and what needs an extra names it in one line."""

import subprocess
import sys

import pytest

EXTRAS = ("torchvision", "transformers", "onnxruntime", "supervision", "fastapi", "uvicorn", "ray")
NEEDED = {
    "vt.load_model('torchvision:r3d_18')": "torchvision",
    "vt.load_model('hf:user/model')": "hf",
    "proposals.parse_detector('onnx:yolox.onnx')": "detect",
    "proposals.parse_detector('torchvision:ssd300_vgg16')": "torchvision",
    "proposals.parse_detector('hf:user/model', ['racket'])": "hf",
    "check_tracker()": "detect",
    "studio.open_studio": "studio",
    "import_ray()": "scale",
}
PROGRAM = f"""
import sys
sys.modules.update(dict.fromkeys({EXTRAS}))
import torch
import video_tcav as vt, video_tcav.cli.demo, video_tcav.demo.demo
from video_tcav import proposals, studio
from video_tcav.proposals.tracking import check_tracker
from video_tcav.recording.workers.ray_data import import_ray

model = vt.load_model("rendered:r2plus1d-motion")
print("classes", len(model.classes), model.logits(model.prepare(torch.zeros(16, 3, 72, 64, dtype=torch.uint8))[None]).shape[1])
for line in {[*NEEDED]}:
    try:
        eval(line)
    except vt.VideoTcavError as error:
        print(line, "->", error)
"""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_packaged_models_run_without_extras(lines):
    word, classes, outputs = lines[0].split()
    assert word == "classes"
    assert int(classes) == int(outputs) > 1


@pytest.mark.parametrize(("line", "extra"), NEEDED.items())
def test_what_needs_an_extra_names_it(lines, line, extra):
    [message] = [printed for printed in lines if printed.startswith(f"{line} -> ")]
    assert message.endswith(f'needs an extra. Install it with: pip install "video-tcav[{extra}]"')
