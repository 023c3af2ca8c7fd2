"""The readers that are fuzzed, each with valid inputs to begin with."""

import hashlib
import json
import shutil
import struct
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from benchmarks.fuzz_inputs import Sample
from safetensors.torch import load_file

import video_tcav as vt
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.experiments import load_run, read_experiment, run_experiment
from video_tcav.experiments.digests import DIGESTS, seal
from video_tcav.media import VideoSource
from video_tcav.media.annotations import read_annotations
from video_tcav.media.frame_archive import archived_frames
from video_tcav.media.grouping import grouping
from video_tcav.media.manifest import read_manifest
from video_tcav.media.sources import find_videos
from video_tcav.models.class_names import read_classes
from video_tcav.models.clip_fields import MODEL_FIELDS, merge_clip_spec, parse_clip_fields
from video_tcav.models.devices import pick_device
from video_tcav.models.load import load_model
from video_tcav.recording.rows import parse_bytes
from video_tcav.tcav.cav_files import save_cavs
from video_tcav.tcav.saved_cavs import SavedCav

Read = Callable[[Sample], object]
Prepared = tuple[Sequence[Sample], Read]

EXPERIMENT = """\
title: What does it see?
description: "An audit: of a network"
model: {spec: rendered:r2plus1d-motion, frames: 16, size: [112, 112], mean: 0.45, std: [0.2, 0.2, 0.2], device: cpu}
targets:
  playing tennis: {rendered: {count: 6, seed: 1, motion: swing, object: racket, scene: court}}
concepts:
  swing: {rendered: {count: 6, seed: 2, motion: swing, scene: [lawn, gym]}}
  ball: {static: pictures, dynamic: [a.mp4, b.mp4]}
random: {rendered: {count: 12, seed: 6, motion: [wave, walk, kick], scene: [lawn, gym]}}
layers: [stages.2, stages.3]
spaces: [flatten]
twins: [frozen]
statistics: {permutations: 99, bootstraps: 100, random_sets: 20, level: 0.05, margin: 0.5, tests: [permutation]}
windows: 1
group: video
memory: 2GB
seed: 0
shown: 1
hypotheses:
  - matters: {concept: swing, target: playing tennis}
    name: it sees the swing
    layer: stages.3
  - more_than: {concept: swing, than: ball/static, target: playing tennis}
  - does_not_matter: {concept: ball/dynamic, target: playing tennis, margin: 0.5}
"""


@dataclass(frozen=True)
class Reader:
    """A reader, and how to prepare it in a folder."""

    name: str
    words: Sequence[bytes]
    prepared: Callable[[Path], AbstractContextManager[Prepared]]


def as_json(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass")


def as_yaml(tree: Any) -> bytes:
    return yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False).encode(
        "utf-8", "surrogatepass"
    )


def as_table(separator: str) -> Callable[[Any], bytes]:
    def dump(tree: Any) -> bytes:
        rows = [row if isinstance(row, list) else [row] for row in (tree if isinstance(tree, list) else [tree])]
        return "\n".join(separator.join(str(cell) for cell in row) for row in rows).encode("utf-8", "surrogatepass")

    return dump


def reading(folder: Path, read: Callable[[Path], object]) -> Read:
    """Write an input under its name, and read it."""

    def write_and_read(sample: Sample) -> object:
        path = folder / sample.name
        path.write_bytes(sample.content)
        return read(path)

    return write_and_read


def sample_of(name: str, tree: Any, dump: Callable[[Any], bytes]) -> Sample:
    return Sample(name, dump(tree), tree, dump)


@contextmanager
def experiment(folder: Path) -> Iterator[Prepared]:
    tree = yaml.safe_load(EXPERIMENT)
    samples = [
        Sample("a.yaml", EXPERIMENT.encode()),
        sample_of("a.yaml", tree, as_yaml),
        sample_of("a.yaml", tree, as_json),
    ]
    yield samples, reading(folder, read_experiment)


def videos_in(folder: Path) -> None:
    """Empty files with the names that lists give."""
    for name in ("a.mp4", "b c.avi", "Archery/v_Archery_g01_c01.avi", "wave/w_wave_u_cm_np1_ba_med_0.avi", "123.webm"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "frames").mkdir()
    for number in range(3):
        (folder / "frames" / f"img_{number:05d}.jpg").touch()
    (folder / "abcdefghijk_000001_000011.mp4").touch()


@contextmanager
def manifest(folder: Path) -> Iterator[Prepared]:
    videos_in(folder)
    header = ["path", "label", "start_s", "end_s", "group"]
    rows = [
        header,
        ["a.mp4", "one", "0", "1.5", "g1"],
        ["b c.avi", "two", "", "", ""],
        ["a.mp4", "", "2", "1e3", "'=1"],
    ]
    samples = [sample_of(name, rows, as_table(sep)) for name, sep in (("m.csv", ","), ("m.tsv", "\t"), ("m.csv", ";"))]
    path = folder / "m.parquet"
    columns = list(zip(*rows[1:], strict=True))
    pd.DataFrame(dict(zip(header, columns, strict=True))).to_parquet(path)
    yield [*samples, Sample("m.parquet", path.read_bytes())], reading(folder, read_manifest)


@contextmanager
def annotations(folder: Path) -> Iterator[Prepared]:
    videos_in(folder)
    kinetics = [
        ["label", "youtube_id", "time_start", "time_end", "split"],
        ["archery", "abcdefghijk", "1", "11", "train"],
    ]
    ssv2 = [{"id": "123", "label": "putting it", "template": "Putting [something]", "placeholders": ["it"]}]
    samples = [
        sample_of("k.csv", kinetics, as_table(",")),
        sample_of("trainlist01.txt", [["Archery/v_Archery_g01_c01.avi", "1"], ["a.mp4", "2"]], as_table(" ")),
        sample_of("wave_test_split1.txt", [["w_wave_u_cm_np1_ba_med_0.avi", "1"]], as_table(" ")),
        sample_of("s.json", ssv2, as_json),
        sample_of("list.csv", [["a.mp4", "3"], ["b c.avi", "4"]], as_table(" ")),
        sample_of("list.csv", [["a.mp4", "a label"], ["b c.avi", "another"]], as_table(",")),
        sample_of("frames.txt", [["frames", "3", "7"]], as_table(" ")),
    ]

    def read(path: Path) -> object:
        # the first number decides whether the format is told or guessed, so that each reader sees every content
        formats = {"k.csv": "kinetics", "trainlist01.txt": "ucf101", "wave_test_split1.txt": "hmdb51", "s.json": "ssv2"}
        told = formats.get(path.name, "auto") if path.stat().st_size % 2 else "auto"
        return read_annotations(path, format=told) if path.stat().st_size % 3 else find_videos(path)

    yield samples, reading(folder, read)


EPIC = [
    *("narration_id", "participant_id", "video_id", "start_timestamp", "stop_timestamp"),
    *("start_frame", "stop_frame", "narration", "verb_class", "noun_class"),
]
ACTION_LISTS: dict[str, tuple[Any, str]] = {
    "epic.csv": ([EPIC, ["a_0", "P01", "a", "00:00:01.5", "00:01:02", "8", "99", "take it", "0", "4"]], ","),
    "charades.csv": (
        [["id", "subject", "scene", "actions"], ["a", "HR43", "Kitchen", "c092 11.90 21.20;c147 0.00 12.60"]],
        ",",
    ),
    "ava.csv": ([["abcdefghijk", "0902", "0.077", "0.151", "0.283", "0.811", "80", "1"]], ","),
    "echonet.csv": ([["FileName", "EF", "ESV", "EDV", "Split"], ["a", "35.5", "40", "98", "TRAIN"]], ","),
    "jester.csv": ([["123", "Drumming Fingers"], ["124", "No gesture"]], ";"),
    "video01-phase.txt": ([["Frame", "Phase"], ["0", "Preparation"], ["1", "Cleaning"]], "\t"),
    "video01-tool.txt": ([["Frame", "Grasper", "Hook"], ["0", "1", "0"], ["25", "1", "1"]], "\t"),
    "gym99.txt": ([["abcdefghijk_E_000001_000002_A_0000_0001", "9"]], " "),
    "haa.txt": ([["Archery/Archery_000.mp4"], ["wave/wave_001.mp4"]], " "),
    "activitynet.json": (
        {"database": {"a": {"subset": "training", "annotations": [{"segment": [0.5, 2], "label": "x"}]}}},
        "",
    ),
    "k700.json": ({"a": {"annotations": {"label": "x", "segment": [1.0, 11.0]}, "subset": "train"}}, ""),
    "gym.json": (
        {"a": {"E_000001_000002": {"event": 1, "timestamps": [[1.5, 2.5]], "segments": {"A_0000_0001": {}}}}},
        "",
    ),
    "diving.json": ([{"vid_name": "a", "label": 1, "start_frame": 0, "end_frame": 9}], ""),
}
LIST_FORMAT_OF = {
    **{"epic.csv": "epic-kitchens", "charades.csv": "charades", "ava.csv": "ava", "echonet.csv": "echonet"},
    **{"jester.csv": "jester", "video01-phase.txt": "cholec80", "video01-tool.txt": "cholec80", "gym99.txt": "finegym"},
    **{"haa.txt": "haa500", "activitynet.json": "activitynet", "k700.json": "kinetics", "gym.json": "finegym"},
    "diving.json": "diving48",
}


@contextmanager
def action_lists(folder: Path) -> Iterator[Prepared]:
    videos_in(folder)
    for name in ("video01.mp4", "abcdefghijk.mp4", "wave/wave_001.mp4"):
        (folder / name).touch()
    (folder / "finegym_annotation_info_v1.1.json").write_bytes(as_json(ACTION_LISTS["gym.json"][0]))
    samples = [
        sample_of(name, tree, as_table(separator) if separator else as_json)
        for name, (tree, separator) in ACTION_LISTS.items()
    ]

    def read(path: Path) -> object:
        # as above, and with what may stand behind `::`
        size = path.stat().st_size
        if size % 3 == 0:
            return find_videos(f"{path}::{('EF<40', 'noun=4', 'split=train', 'split=train::x', 'label>=1')[size % 5]}")
        return read_annotations(path, format=LIST_FORMAT_OF[path.name] if size % 2 else "auto")

    yield samples, reading(folder, read)


@contextmanager
def tars(folder: Path) -> Iterator[Prepared]:
    for number in range(3):
        (folder / f"{number:03d}.jpg").write_bytes(bytes(range(64)))
    for name, kind in (("a.tar", tarfile.USTAR_FORMAT), ("b.tar", tarfile.PAX_FORMAT), ("c.tar", tarfile.GNU_FORMAT)):
        with tarfile.open(folder / name, "w", format=kind) as tar:
            for number in range(3):
                tar.add(
                    folder / f"{number:03d}.jpg", arcname=f"{'long' * 40 if name != 'a.tar' else 'a'}/{number:03d}.jpg"
                )
    samples = [Sample(name, (folder / name).read_bytes()) for name in ("a.tar", "b.tar", "c.tar")]
    yield samples, reading(folder, lambda path: [frame.read() for frame in archived_frames(path)])


@contextmanager
def fields(folder: Path) -> Iterator[Prepared]:
    (folder / "model.py").write_text("def build():\n    raise RuntimeError\n")
    values = {"frames": 16, "stride": 2, "fps": 15.0, "size": [112, 112], "resize": "128x171", "mean": "0.45,0.45,0.45"}
    words = {"std": 0.225, "layout": "time_first", "sampling": "uniform", "short": "pad", "outputs": "softmax"}
    options = {"memory": "2GB", "device": "cpu", "spec": f"file:{folder}/gone.py:build", "classes": ["a", "b"]}
    whole = {**values, **words, **options}
    samples = [sample_of("fields", whole, as_json), sample_of("fields", {k: str(v) for k, v in whole.items()}, as_json)]
    names = [sample_of("classes", ["run", "walk"], as_json), sample_of("classes", {"run": 0, "walk": 1}, as_json)]
    listed = [Sample("classes", b"0 run\n1 walk\n"), Sample("classes", b"id,name\n0,run\n1,walk\n")]

    def read(sample: Sample) -> object:
        if sample.name == "classes":
            path = folder / "classes"
            path.write_bytes(sample.content)
            return read_classes(path)
        try:
            values = json.loads(sample.content)
        except (ValueError, RecursionError):
            values = {name: sample.content.decode("utf-8", "surrogateescape") for name in MODEL_FIELDS}
        if not isinstance(values, dict):
            values = dict.fromkeys(MODEL_FIELDS, values)
        merge_clip_spec(ClipSpec(), parse_clip_fields(values, source="x"))
        pick_device(str(values.get("device", "cpu")))
        memory = values.get("memory", "2GB")
        parse_bytes(memory if isinstance(memory, str | int) else str(memory))
        spec = str(values.get("spec", "rendered:"))
        # what names a network or a page of the hub is no question of reading
        return None if spec.startswith(("hf:", "torchvision:r", "rendered:r")) else load_model(spec)

    yield [*samples, *names, *listed], read


@contextmanager
def groups(folder: Path) -> Iterator[Prepared]:
    patterns = (
        rb"video",
        rb"([a-z]+)_\d+",
        rb"person(?P<p>\d+)",
        rb"(?i)v_(.+_g\d+)_c\d+",
        rb"(a|b)*?c",
        rb"^/.*/([^/]+)/",
        rb"[^/]+$",
    )
    paths = [folder / name for name in ("a" * 200 + ".mp4", "v_Archery_g01_c01.avi", "person12/clip_0001.mp4")]

    def read(sample: Sample) -> object:
        name = grouping(sample.content.decode("utf-8", "surrogateescape"))
        return [name(VideoSource(path=path, kind="video")) for path in paths]

    yield [Sample("group", pattern) for pattern in patterns], read


def tensor_file(metadata: Any, tensors: dict[str, torch.Tensor]) -> bytes:
    """A safetensors file whose metadata may be anything."""
    header, content = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().tobytes()
        span = [len(content), len(content) + len(raw)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": span}
        content += raw
    text = as_json(header)
    return struct.pack("<Q", len(text)) + text + content


@contextmanager
def cavs(folder: Path) -> Iterator[Prepared]:
    path = folder / "cavs.safetensors"
    vector = torch.nn.functional.normalize(torch.arange(1.0, 9.0), dim=0)
    facts = {"versus": "random", "layer": "stages.2", "space": "flatten", "concept_mean": 1.0, "random_mean": 0.0}
    names = ("swing", "court")
    save_cavs(
        path,
        [SavedCav(vector=vector.clone(), concept=name, **facts, weights_digest="ab", auc=0.9) for name in names],
    )
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    rows = [
        {"tensor": str(number), "concept": name, **facts, "weights_digest": "ab", "auc": 0.9}
        for number, name in enumerate(names)
    ]

    def of_facts(tree: Any) -> bytes:
        return tensor_file({"format": "video-tcav cavs 1", "cavs": json.dumps(tree)}, tensors)

    def of_metadata(tree: Any) -> bytes:
        return tensor_file(tree, tensors)

    old = {"format": "video-tcav cavs 1", "cavs": json.dumps(rows)}
    samples = [
        Sample(path.name, path.read_bytes()),
        Sample(path.name, of_metadata(old)),
        sample_of(path.name, rows, of_facts),
        sample_of(path.name, old, of_metadata),
    ]
    yield samples, reading(folder, vt.load_cavs)


class SealedRun:
    """A run directory in which files are exchanged, with or without digests that say so."""

    def __init__(self, run: Path) -> None:
        self.run = run
        paths = [
            path for path in sorted(run.rglob("*")) if path.is_file() and "clips" not in path.relative_to(run).parts
        ]
        self.contents = {
            str(path.relative_to(run)): path.read_bytes() for path in paths if not path.name.startswith(".")
        }

    def exchange(self, name: str, content: bytes) -> None:
        """Write another content, and the digests of it."""
        if name == "run.json":
            self.write(name, resealed(content))
            return
        self.write(name, content)
        record = json.loads(self.contents["run.json"])
        folder = next((parent for parent in Path(name).parents if str(parent / DIGESTS) in self.contents), None)
        if folder is not None and name != str(folder / DIGESTS):
            digests = json.loads(self.contents[str(folder / DIGESTS)])
            digests[str(Path(name).relative_to(folder))] = hashlib.sha256(content).hexdigest()
            self.write(str(folder / DIGESTS), as_json(digests))
            record["digests"][str(folder / DIGESTS)] = hashlib.sha256(as_json(digests)).hexdigest()
        if name in record["digests"]:
            record["digests"][name] = hashlib.sha256(content).hexdigest()
        self.write("run.json", resealed(as_json(record)))

    def restore(self, name: str) -> None:
        for changed in {name, "run.json", *(name for name in self.contents if Path(name).name == DIGESTS)}:
            self.write(changed, self.contents[changed])

    def write(self, name: str, content: bytes) -> None:
        (self.run / name).write_bytes(content)


def resealed(content: bytes) -> bytes:
    """A record with a digest that says what it holds, if it is one."""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(record, dict):
        return content
    record.pop("digest", None)
    return as_json(seal(record))


def read_all(run: Path) -> None:
    """Everything that reports and comparisons read of a run."""
    loaded = load_run(run)
    assert loaded.shown is not None
    assert loaded.previews is not None
    for analysis in loaded.analyses:
        analysis.diagnostics()
        vt.load_cavs(analysis.folder / "cavs.safetensors")
    loaded.warnings(), loaded.remarks(), loaded.counts(), loaded.to_frame()


@contextmanager
def runs(folder: Path) -> Iterator[Prepared]:
    text = EXPERIMENT.replace("  ball: {static: pictures, dynamic: [a.mp4, b.mp4]}\n", "")
    text = text[: text.index("  - more_than")].replace("layers: [stages.2, stages.3]", "layers: [stages.3]")
    (folder / "small.yaml").write_text(text)
    run = folder / "run"
    run_experiment(folder / "small.yaml", out=run)
    sealed = SealedRun(run)
    shutil.rmtree(run / "clips")
    samples = []
    for name, content in sealed.contents.items():
        if name.endswith((".json", ".yaml", ".csv", ".parquet", ".safetensors")):
            samples.append(Sample(name, content))
        if name.endswith(".json"):
            samples.append(Sample(name, content, json.loads(content), as_json))

    def read(sample: Sample) -> None:
        try:
            if hashlib.sha256(sample.content).digest()[0] % 4:  # one of four as it is, the others with new digests
                sealed.exchange(sample.name, sample.content)
            else:
                sealed.write(sample.name, sample.content)
            read_all(run)
        finally:
            sealed.restore(sample.name)

    yield samples, read


READERS = {
    reader.name: reader
    for reader in (
        Reader("experiment", [line.encode() for line in EXPERIMENT.splitlines(keepends=True)], experiment),
        Reader("manifests", [b"path", b"label", b"start_s", b"a.mp4", b"b c.avi,", b"1.5", b"path,label\n"], manifest),
        Reader(
            "annotations",
            [b"a.mp4 1\n", b"youtube_id,", b"frames 3 7\n", b'{"id": "1"}', b"[", b"time_start"],
            annotations,
        ),
        Reader(
            "action lists",
            [
                *(
                    b"c092 1.5 2;",
                    b"00:00:01",
                    b"narration_id,",
                    b"abcdefghijk,0902,",
                    b"Frame\t",
                    b"0\t",
                    b'"database": ',
                ),
                *(b'"annotations": ', b'"segment": [1, 2]', b'"vid_name": "a"', b"123;", b"_E_000001_000002", b" 9\n"),
            ],
            action_lists,
        ),
        Reader("tars", [b"ustar", b"000.jpg", b"../", b"0000644", bytes(512), b"2", b"GNU.sparse.size"], tars),
        Reader(
            "fields",
            [b'"size": ', b'"frames": 16,', b"112x112", b"0.45,0.45", b"native", b"cuda:", b"file:a:b"],
            fields,
        ),
        Reader(
            "groups",
            [
                *(bytes([byte]) for byte in rb"()*+?{}|.^$\[]0129,:"),
                b"(?=",
                b"(?<=",
                b"(?P<a>",
                rb"\d+",
                b"(.*)*",
                b"{1000}",
            ],
            groups,
        ),
        Reader("CAV files", [b'"tensor": "0"', b"__metadata__", b"F32", b'"cavs": ', b'"digest": '], cavs),
        Reader("run directories", [b'"format": 2', b'"finished": true', b'"digests": {}', b"null", b"PAR1"], runs),
    )
}
