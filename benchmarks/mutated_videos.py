"""Fuzzing with damaged videos: each is decoded right, refused, or silently different; never a crash, a hang or over 1 GB.

    python benchmarks/mutated_videos.py --videos 500 --seed 0

Videos of many containers and codecs are written, then bits flipped, ends cut off, bytes inserted, removed and overwritten.
Each is read in a process of its own with limits of time and memory. A frame counts as different where it differs from the
undamaged one of the same time by more than coding noise. `no check` marks what carries nothing to tell damage by.
"""

import argparse
import multiprocessing
import random
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import av
import numpy as np

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import VideoTcavError
from video_tcav.media import VideoSource, load_clips

FRAMES, HEIGHT, WIDTH = 90, 144, 176  # of the sizes that H.263 knows
NOISE_LEVELS = 8  # of 255; decoders of one stream agree to the bit
MOST_BYTES = 1 << 30
MOST_SECONDS = 30

# container, encoder, and whether container or codec carry a check of the picture's bytes
KINDS: dict[str, tuple[str, str, bool]] = {
    "mp4 h264": ("mp4", "libx264", False),
    "mp4 hevc": ("mp4", "libx265", False),
    "mp4 av1": ("mp4", "libsvtav1", False),
    "mov mpeg4": ("mov", "mpeg4", False),
    "3gp h263": ("3gp", "h263", False),
    "mkv h264": ("mkv", "libx264", True),
    "mkv mpeg4": ("mkv", "mpeg4", True),
    "webm vp8": ("webm", "libvpx", False),
    "webm vp9": ("webm", "libvpx-vp9", False),
    "ogv vp8": ("ogv", "libvpx", True),
    "avi mpeg4": ("avi", "mpeg4", False),
    "avi mjpeg": ("avi", "mjpeg", False),
    "avi h264": ("avi", "libx264", False),
    "gif": ("gif", "gif", False),
    "ts mpeg2": ("ts", "mpeg2video", False),
    "ts h264": ("ts", "libx264", False),
    "mpg mpeg1": ("mpg", "mpeg1video", False),
    "flv flv1": ("flv", "flv", False),
    "flv h264": ("flv", "libx264", False),
    "wmv wmv2": ("wmv", "wmv2", False),
}
MUTATIONS = ("flip", "cut", "insert", "remove", "overwrite")
OUTCOMES = ("right", "refused", "different", "crash", "hang", "memory", "traceback")


def picture(number: int) -> np.ndarray:
    """A bright block that moves over a textured ground that moves, too."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ground = np.stack([x * 2 + number * 3, y * 2 + number * 5, x + y + number * 2], -1) % 256 // 2
    texture = np.random.default_rng(7).integers(0, 40, ground.shape)
    left = 20 + number * 2 % (WIDTH - 60)
    ground[40:80, left : left + 30] = (200, 190, 20)
    return (ground + texture).clip(0, 255).astype(np.uint8)


def write(kind: str, path: Path) -> None:
    _, encoder, _ = KINDS[kind]
    options = {"x265-params": "log-level=none:keyint=30"} if encoder == "libx265" else {"g": "30"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=25, options={} if encoder == "gif" else options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(encoder, "yuv420p")
        if encoder not in ("libx264", "libx265", "libsvtav1", "gif"):
            stream.bit_rate = 800_000
        for number in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode())


def mutated(content: bytes, mutation: str, generator: random.Random) -> bytes:
    changed, start = bytearray(content), generator.randrange(len(content))
    length = generator.choice([1, 7, 188, 1000])
    if mutation == "flip":
        for _ in range(generator.choice([1, 3, 8])):
            changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    elif mutation == "cut":
        del changed[generator.randrange(len(content) // 10, len(content)) :]
    elif mutation == "insert":
        changed[start:start] = generator.randbytes(length)
    elif mutation == "remove":
        del changed[start : start + length]
    else:
        changed[start : start + length] = generator.randbytes(len(changed[start : start + length]))
    return bytes(changed)


def clip_of(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """The clip and its times, or none where the video is refused."""
    (loaded,) = load_clips([VideoSource(path=path, kind="video")], ClipSpec(frames=16, stride=2), threads=1)
    return None if loaded.clips is None else (loaded.clips[0].numpy(), loaded.timestamps_s[0])


def differs(clip: tuple[np.ndarray, np.ndarray], undamaged: tuple[np.ndarray, np.ndarray]) -> bool:
    (frames, times_s), (right, right_s) = clip, undamaged
    if frames.shape != right.shape or np.abs(times_s - right_s).max() > 0.02:
        return True
    return bool(np.abs(frames.astype(int) - right).max() > NOISE_LEVELS)


def judge(path: Path, undamaged: tuple[np.ndarray, np.ndarray], base_bytes: int, answer) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (base_bytes + 4 * MOST_BYTES,) * 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        clip = clip_of(path)
        outcome = "refused" if clip is None else "different" if differs(clip, undamaged) else "right"
    except VideoTcavError:
        outcome = "refused"
    except BaseException as error:  # whatever it is, it is counted
        outcome = f"traceback {type(error).__name__}: {error}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    answer.put("memory" if grown > MOST_BYTES else outcome)


def outcome_of(path: Path, undamaged: tuple[np.ndarray, np.ndarray]) -> str:
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()
    base_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    process = context.Process(target=judge, args=(path, undamaged, base_bytes, answer))
    process.start()
    process.join(MOST_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return "hang"
    return answer.get() if process.exitcode == 0 and not answer.empty() else "crash"


def table(counts: dict[str, Counter]) -> str:
    lines = [f"{'kind':12}{'check':>8}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES)]
    for kind, count in counts.items():
        check = "" if KINDS[kind][2] else "no check"
        lines.append(f"{kind:12}{check:>8}" + "".join(f"{count[outcome]:>11}" for outcome in OUTCOMES))
    total = sum(counts.values(), Counter())
    return "\n".join([*lines, f"{'all':20}" + "".join(f"{total[outcome]:>11}" for outcome in OUTCOMES)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--keep", type=Path, help="folder for the videos that are silently different")
    options = parser.parse_args()
    generator, started = random.Random(options.seed), time.monotonic()
    counts: dict[str, Counter] = {kind: Counter() for kind in options.kinds}
    with tempfile.TemporaryDirectory() as name:
        wholes = {}
        for kind in options.kinds:
            path = Path(name) / f"whole-{kind.replace(' ', '-')}.{KINDS[kind][0]}"
            write(kind, path)
            wholes[kind] = path, clip_of(path)
            if wholes[kind][1] is None:
                raise SystemExit(f"the undamaged {kind} is refused")
        for number in range(options.videos):
            kind = options.kinds[number % len(options.kinds)]
            mutation = MUTATIONS[number // len(options.kinds) % len(MUTATIONS)]
            path, undamaged = wholes[kind]
            damaged = Path(name) / f"{number:04d}-{mutation}.{KINDS[kind][0]}"
            damaged.write_bytes(mutated(path.read_bytes(), mutation, generator))
            outcome = outcome_of(damaged, undamaged)
            counts[kind][outcome.split()[0]] += 1
            if outcome not in ("right", "refused"):
                print(f"{kind:12} {damaged.name}: {outcome}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{kind.replace(' ', '-')}-{damaged.name}").write_bytes(damaged.read_bytes())
            damaged.unlink()
            if number % 50 == 49:
                print(f"{number + 1} of {options.videos}, {time.monotonic() - started:.0f} s", flush=True)
    print(table(counts))
    bad = sum(counts.values(), Counter())
    checked = sum(counts[kind]["different"] for kind in counts if KINDS[kind][2])
    raise SystemExit(bool(checked or sum(bad[outcome] for outcome in OUTCOMES[3:])))


if __name__ == "__main__":
    main()
