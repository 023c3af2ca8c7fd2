"""Inputs for fuzzing: mutated bytes of valid files, values replaced by hostile ones, random words of a format."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Sample:
    """One input.

    Attributes:
        name: of the file, with the ending by which its reader is chosen.
        content: of that file, or of a text.
        tree: the same as plain values, where it is made of them; `dump` turns them into bytes.
        dump: see `tree`.
    """

    name: str
    content: bytes
    tree: Any = None
    dump: Callable[[Any], bytes] | None = None


def nested(depth: int, value: Any = 1) -> Any:
    for _ in range(depth):
        value = [value]
    return value


HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf")),
    *(2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, "", " ", "\n", "\0", "\t", "nan", "inf", "1e999", "-1", "0x10"),
    *(
        "1_000",
        "9" * 400,
        "9" * 5000,
        "x" * 20_000,
        "\ud800",
        "\udce9",
        "é" * 300,
        "\u202e",
        "\ufeff",
        "\x1b[31m",
        "../../..",
    ),
    *("/dev/zero", "/", "a\0b", "2024-01-01", "=1+1", "[[[[", "{{{{", "%s%n", "::", ":", ".", "*" * 50, "[" * 3000),
    *(
        [],
        {},
        [[]],
        [None],
        [1] * 50,
        {"a": 1},
        {"": None},
        {"x" * 500: 1},
        nested(10),
        nested(60),
        [True],
        ["a", 1, None],
    ),
)
WORDS: tuple[bytes, ...] = (
    *(
        b"\n",
        b"\r\n",
        b"\r",
        b"\t",
        b" ",
        b",",
        b";",
        b":",
        b": ",
        b"- ",
        b'"',
        b"'",
        b"[",
        b"]",
        b"{",
        b"}",
        b"(",
        b")",
    ),
    *(
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!int ",
        b"!!python/name:os ",
        b"|",
        b">",
        b"? ",
        b"#",
        b"%YAML 1.1\n",
        b"---\n",
        b"...\n",
    ),
    *(
        b"\0",
        b"\xff",
        b"\xfe\xff",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xe2\x80\xa8",
        b"\x85",
        b"\x1a",
        b"\x1b",
    ),
    *(b"9" * 400, b"9" * 5000, b"-1", b"0", b"1e999", b"nan", b".inf", b"null", b"~", b"true", b"2024-02-31", b"1:2:3"),
    *(b"[" * 200, b'{"a":' * 100, b"- " * 100, b"a: " * 50, b"x" * 5000, b"\\", b"\\u0000", b"\\ud800", b"/", b"../"),
)


def mutated(sample: Sample, samples: Sequence[Sample], words: Sequence[bytes], generator: random.Random) -> Sample:
    """An input made of valid ones and words of the format."""
    kind = generator.random()
    if sample.tree is not None and sample.dump is not None and kind < 0.5:
        tree = sample.tree
        for _ in range(generator.choice((1, 1, 1, 2, 4))):
            tree = exchanged(tree, generator)
        try:
            return replace(sample, content=sample.dump(tree))
        except (ValueError, TypeError, RecursionError):  # such as a text that no UTF-8 holds
            return replace(sample, content=json.dumps(str(tree)[:10_000]).encode())
    if kind < 0.6:
        count = generator.choice((1, 3, 10, 100))
        return replace(sample, content=b"".join(generator.choice((*words, *WORDS)) for _ in range(count)))
    content = bytearray(sample.content)
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        change(content, samples, words, generator)
    return replace(sample, content=bytes(content))


def change(content: bytearray, samples: Sequence[Sample], words: Sequence[bytes], generator: random.Random) -> None:
    """Change bytes in place."""
    start = generator.randrange(len(content) + 1)
    stop = start + generator.choice((1, 1, 4, 20, 200))
    match generator.randrange(8):
        case 0 if start < len(content):
            content[start] ^= 1 << generator.randrange(8)
        case 1 if start < len(content):
            content[start] = generator.randrange(256)
        case 2:
            content[start:start] = generator.choice((*words, *WORDS))
        case 3:
            del content[start:stop]
        case 4:
            content[start:stop] = generator.choice((*words, *WORDS))
        case 5:
            content[start:start] = content[start:stop] * generator.choice((1, 2, 50))
        case 6:
            content_of_sample = generator.choice(samples).content
            begin = generator.randrange(len(content_of_sample) + 1)
            content[start:] = content_of_sample[begin:]
        case _:
            del content[start:]


def exchanged(tree: Any, generator: random.Random) -> Any:
    """Replace, remove or repeat one of the values, at any depth."""
    if isinstance(tree, dict) and tree and generator.random() < 0.85:
        key = generator.choice(list(tree))
        match generator.randrange(10):
            case 0:
                return {name: value for name, value in tree.items() if name != key}
            case 1:
                return {**tree, generator.choice(("x", "", "path", "format", "a\0", "é", "9" * 50)): hostile(generator)}
            case 2:
                return {(str(hostile(generator))[:500] if name == key else name): value for name, value in tree.items()}
            case _:
                return {**tree, key: exchanged(tree[key], generator)}
    if isinstance(tree, list) and tree and generator.random() < 0.85:
        position = generator.randrange(len(tree))
        match generator.randrange(10):
            case 0:
                return tree[:position] + tree[position + 1 :]
            case 1:
                return tree[:position] + [tree[position]] * generator.choice((2, 3, 30)) + tree[position:]
            case _:
                return [*tree[:position], exchanged(tree[position], generator), *tree[position + 1 :]]
    return hostile(generator)


def hostile(generator: random.Random) -> Any:
    return generator.choice(HOSTILE)
