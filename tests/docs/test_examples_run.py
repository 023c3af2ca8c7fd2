"""Every example in the documents runs: page by page, block after block, in a folder with clips of the rendered world.

A block of Python, console, shell or YAML runs, or has a comment right before it that says why it does not:
`<!-- not run: needs published weights -->`. A block with `title="NAME"` is written to that file. Commands of a console block
begin with `$ `; `$ echo $?` and the line after it tell an exit code other than 0. Text after `<!-- printed -->` must have been
printed by what ran before, whatever its numbers.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import video_tcav as vt
from tests.docs.blocks import EXAMPLES, PAGES, ROOT, Block, blocks, page_id, shell_lines
from video_tcav.cli.app import app
from video_tcav.core.errors import VideoTcavError
from video_tcav.demo.demo import STILLS, demo_clips
from video_tcav.media import write_picture
from video_tcav.rendered import Factors, render, sample_factors
from video_tcav.rendered.dataset import FPS

NUMBER = re.compile(r"[-+−]?\d+(\.\d+)?")
OTHER: dict[str, Any] = {
    "motion": ["wave", "walk", "kick"],
    "object": ["ball", "box", "none"],
    "scene": ["lawn", "gym"],
}
USERS: dict[str, tuple[int, dict[str, Any]]] = {
    "tennis": (8, {"motion": "swing", "object": "racket", "scene": "court"}),
    "new": (2, {"motion": "swing", "object": "racket", "scene": "court"}),
    "swing": (10, {"motion": "swing"}),
    "court": (10, {"scene": "court"}),
    "racket": (10, {"object": "racket"}),
    "random": (30, {}),
    "elsewhere": (40, {}),
    "class": (8, {"motion": "swing", "object": "racket", "scene": "court"}),
    "matches": (3, {"motion": "swing", "object": "racket", "scene": "court"}),
}
"""Folders in `clips` that the documents speak of: how many clips, and what they share."""


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_block_runs_or_says_why_not(page):
    assert not re.search(r"^[ >]+```", page.read_text(), re.MULTILINE), "a fence must start its line"
    for one in blocks(page):
        assert one.language in (*EXAMPLES, "text", "toml"), f"line {one.line}: {one.language}"
        known = "printed" if one.language == "text" else "not run: "
        assert not one.mark or one.mark.startswith(known), f"line {one.line}: {one.mark}"


# Lightning's, Trainer's and PyTorch's own, about what short examples leave out on purpose.
@pytest.mark.filterwarnings("ignore:.*(LeafSpec|legacy TorchScript|num_workers|log_every_n_steps|pin_memory|GPU).*")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.onnx")
@pytest.mark.parametrize("page", [page for page in PAGES if any(one.runs for one in blocks(page))], ids=page_id)
def test_examples_run(page, tmp_path, monkeypatch, request, own_modules):
    for package in NEEDS.get(page_id(page), ()):
        pytest.importorskip(package)
    found = blocks(page)
    lay_out(tmp_path, "\n".join(one.body for one in found if one.runs), request.getfixturevalue)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as for whoever starts Python there
    reader = Reader()
    for one in found:
        if one.runs:
            reader.run(one)
        elif one.mark == "printed":
            reader.compare(one)
    for check in CHECKS.get(page_id(page), ()):
        check(reader)


NEEDS = {"docs/how-to/integrations.md": ("lightning", "accelerate", "tensorboard", "wandb", "mlflow", "onnx")}
"""Packages beyond the usual ones, without which a page's examples are skipped."""


@dataclass(kw_only=True)
class Reader:
    """Somebody who does what a page says, in the folder where they are."""

    names: dict[str, Any] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)

    def run(self, block: Block) -> None:
        try:
            if block.file:
                self._write(block)
            elif block.language == "python":
                self._python(block)
            elif block.language == "console":
                self._console(shell_lines(block.body))
            elif block.language == "bash":
                self.printed.append(_shell(block.body, 0))
            else:
                yaml.safe_load(block.body)
        except Exception as error:
            raise AssertionError(f"the block at line {block.line}: {error}") from error

    def compare(self, block: Block) -> None:
        """Whether the block's text was printed, as far as its words go; `…` stands for what was left out."""
        printed = _words("\n".join(self.printed))
        for piece in block.body.split("…"):
            assert _words(piece) in printed, f"line {block.line}: {piece}\nis not in\n{''.join(self.printed)}"

    def _write(self, block: Block) -> None:
        path = Path(block.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if block.continued else ""
        path.write_text(before + block.body, encoding="utf-8")

    def _python(self, block: Block) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block.body, "example", "exec"), self.names)
        self.printed.append(out.getvalue())

    def _console(self, lines: Sequence[str]) -> None:
        for number, line in enumerate(lines):
            following = [*lines[number + 1 :], ""]
            code = int(following[1]) if following[0] == "$ echo $?" else 0
            if line.startswith("$ video-tcav "):
                self.printed.append(video_tcav(*shlex.split(line)[2:], code=code))
            elif line.startswith("$ ") and line != "$ echo $?":
                self.printed.append(_shell(line.removeprefix("$ "), code))


def video_tcav(*arguments: str, code: int = 0) -> str:
    """Run a command in this process, as `main` does, and return what it printed."""
    done = CliRunner().invoke(app, list(arguments))
    found = 2 if isinstance(done.exception, VideoTcavError) else done.exit_code
    assert found == code, f"{' '.join(arguments)}: exit code {found}, not {code}: {done.exception}\n{done.output}"
    return f"error: {done.exception}" if found == 2 else done.stdout


def _shell(script: str, code: int) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(vt.__file__).parents[1]),
    }
    command = f'video-tcav() {{ "{sys.executable}" -m video_tcav "$@"; }}\n{script}'
    done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == code, f"{script}: exit code {done.returncode}: {done.stderr}"
    return done.stdout


def _words(text: str) -> str:
    return " ".join(NUMBER.sub("#", text).split())


def lay_out(folder: Path, text: str, fixture: Callable[[str], Path]) -> None:
    """Put the folders there that the examples of a page speak of."""
    for name, made_by in {"demo-out": "demo_out", "example-out": "example_out", "clips": "user_clips"}.items():
        if re.search(rf"(?<![\w/-]){name}/", text):
            shutil.copytree(fixture(made_by), folder / name)
    (folder / "examples").symlink_to(ROOT / "examples")


def write_clips(folder: Path, clips: Sequence[Factors], *, still: bool = False) -> None:
    folder.mkdir(parents=True)
    for number, factors in enumerate(clips):
        frames = render(factors).clip
        if still:
            write_picture(folder / f"{folder.name}-{number:03d}.png", frames[len(frames) // 2])
        else:
            vt.write_video(folder / f"{number:03d}.mp4", frames, fps=FPS)


@pytest.fixture
def own_modules(tmp_path) -> Iterator[None]:
    """Modules that a page has written are forgotten after it."""
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def demo_out(tmp_path_factory) -> Path:
    """A folder that looks like the one of `video-tcav demo`, with fewer clips and one layer."""
    folder = tmp_path_factory.mktemp("documents") / "demo-out"
    for name, clips in demo_clips(0).items():
        write_clips(folder / "clips" / name, clips[: 16 if name == "random" else 6], still=name in STILLS)
    model = (
        "--model",
        "rendered:r2plus1d-motion",
        "--target",
        "playing tennis",
        "--clips",
        str(folder / "clips/class"),
    )
    sets = ("--concept", f"swing={folder / 'clips/swing'}", "--random", str(folder / "clips/random"))
    few = ("--layer", "stages.3", "--permutations", "99", "--random-sets", "2")
    video_tcav("test", *model, *sets, *few, "--out", str(folder / "model-A"))
    return folder


@pytest.fixture(scope="session")
def example_out(shapes_clips, shapes_weights, tmp_path_factory) -> Path:
    """A folder that looks like the one of `examples/moving_shapes.py`, with fewer clips and less training."""
    folder = tmp_path_factory.mktemp("documents") / "example-out"
    places = {
        "right": "clips/right",
        "moves-right": "concepts/moves-right",
        "green": "concepts/green",
        "random": "random",
    }
    for name, place in places.items():
        shutil.copytree(shapes_clips / name, folder / place)
    shutil.copy(shapes_weights, folder / "network.safetensors")
    return folder


@pytest.fixture(scope="session")
def user_clips(tmp_path_factory) -> Path:
    """The folders of clips that a user is taken to have."""
    folder = tmp_path_factory.mktemp("documents") / "clips"
    for seed, (name, (count, shared)) in enumerate(USERS.items(), start=100):
        write_clips(folder / name, sample_factors(count, seed=seed, **{**OTHER, **shared}))
    return folder


def _swing_raises_tennis(reader: Reader) -> None:
    assert "swing: raises playing tennis" in "".join(reader.printed)
    assert {one.twin for one in reader.names["result"].results} == {"none", "frozen", "motion"}


def _court_beats_lawn(reader: Reader) -> None:
    court, lawn = (
        float(re.findall(rf"^{scene} (-?[\d.]+)$", "\n".join(reader.printed), re.MULTILINE)[-1])
        for scene in ("court", "lawn")
    )
    assert court > lawn + 1


CHECKS: dict[str, tuple[Callable[[Reader], None], ...]] = {
    "README.md": (_swing_raises_tennis,),
    "docs/rendered-world.md": (_court_beats_lawn,),
}
"""What must be true after a page, beyond that it ran."""
