"""Experiment files that would blow up, wait for ever or build objects are refused in one line, at once."""

import os
import time
from pathlib import Path

import pytest

from tests.unit.experiments.files import SMALL, write
from video_tcav.core.errors import ExperimentError
from video_tcav.core.yaml_lines import DEEPEST, LARGEST_FILE, MOST_VALUES, check_events, read_yaml
from video_tcav.experiments import read_experiment


def bomb(levels: int, width: int, brackets: str = "[]") -> str:
    """Aliases of lists of aliases: `width ** levels` values in some bytes."""
    begin, end = brackets
    first = ["x"] * width if begin == "[" else [f"k{place}: x" for place in range(width)]
    lines = [f"a0: &a0 {begin}{', '.join(first)}{end}"]
    for level in range(1, levels):
        alias = f"*a{level - 1}"
        inner = [alias if begin == "[" else f"k{place}: {alias}" for place in range(width)]
        lines.append(f"a{level}: &a{level} {begin}{', '.join(inner)}{end}")
    return "\n".join(lines) + "\n"


REFUSED = {
    "a bomb of lists": (bomb(10, 10), "values at most"),
    "a bomb of mappings": (bomb(10, 10, "{}"), "values at most"),
    "a bomb of pairs": (bomb(25, 2), "values at most"),
    "a bomb that is wide": (bomb(3, 150), "values at most"),
    "aliases of a long text": ("a: &a " + "x" * 5000 + "\nb: [" + "*a, " * 30_000 + "]", "values at most"),
    "many values": ("a: [" + "1," * 100_000 + "]", "values at most"),
    "many keys": ("\n".join(f"k{number}: 1" for number in range(30_000)), "values at most"),
    "brackets": ("a: " + "[" * 5000 + "]" * 5000, "levels at most"),
    "brackets that stay open": ("a: " + "[" * 400_000, "levels at most"),
    "braces": ("a: " + "{b: " * 5000 + "}" * 5000, "levels at most"),
    "dashes": ("- " * 5000 + "a", "levels at most"),
    "indents": ("\n".join(" " * level + "a:" for level in range(900)), "levels at most"),
    "question marks": ("? " * 5000 + "a", "levels at most|must be YAML"),
    "a list as a key": ("? [a, b]\n: 1\n", "a key must be text. Got a list or mapping"),
    "a mapping as a key": ("{{a: b}: 1}", "a key must be text. Got a list or mapping"),
    "a list as a key by its alias": ("a: &a [1]\n*a : 2\n", "a key must be text. Got a list or mapping"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", "a key must come once. Got 'a' twice, first on line 1"),
    "a key twice in other words": ("'1': 1\n\"\\x31\": 2\n", "a key must come once"),
    "a key twice inside": ("a: {b: 1, b: 2}\n", "a key must come once"),
    "a key twice, quoted": ("a: 1\n'a': 3\n", "a key must come once"),
    "a merge": ("a: &a {b: 1}\nc:\n  <<: *a\n", "a key must be text. Got <<, a merge"),
    "a merge of merges": (bomb(3, 3, "{}") + "<<: [*a0, *a1, *a2]\n", "a key must be text. Got <<"),
    "a list that holds itself": ("a: &a [1, *a]", "must not hold itself"),
    "a mapping that holds itself": ("&a {b: *a}", "must not hold itself"),
    "two that hold each other": ("a: &a [&b [*a], *b]", "must not hold itself"),
    "a key that holds itself": ("&a ? *a\n: 1", "must not hold itself|must be YAML"),
    "an alias of nothing": ("a: *gone", "must be YAML"),
    "an anchor twice": ("a: &a 1\nb: &a [*a]\nc: [*a]", "must not hold itself|must be an experiment|`title`"),
    "a tag of Python": ("a: !!python/object/apply:os.system [ls]", "plain values. Got the tag"),
    "a tag of a Python name": ("a: !!python/name:os.system ''", "plain values. Got the tag"),
    "a tag of a Python module": ("a: !!python/module:os ''", "plain values. Got the tag"),
    "a tag of a set": ("a: !!set {b, c}", "plain values. Got the tag"),
    "a tag of bytes": ("a: !!binary aGVsbG8=", "plain values. Got the tag"),
    "a tag of a number": ("a: !!int 'x'", "plain values. Got the tag"),
    "a tag of pairs": ("a: !!omap [b: 1]", "plain values. Got the tag"),
    "a tag of one's own": ("a: !mine 1", "plain values. Got the tag"),
    "a tag without end": ("a: !<" + "x" * 5000 + "> 1", "plain values. Got the tag|must be YAML"),
    "a tag of another prefix": ("%TAG !e! tag:example.com,2000:\n---\na: !e!x 1\n", "plain values. Got the tag"),
    "a number of many digits": ("a: " + "9" * 100_000, "characters at most"),
    "a number in hexadecimal": ("a: 0x" + "f" * 100_000, "characters at most"),
    "a number in base 60": ("a: 1" + ":59" * 50_000, "characters at most"),
    "a number in binary": ("a: 0b" + "1" * 100_000, "characters at most"),
    "a float of many digits": ("a: 1." + "0" * 100_000, "characters at most"),
    "a key of many digits": ("9" * 100_000 + ": 1", "characters at most|must be YAML"),
    "a date that does not exist": ("a: 2024-02-31", "values that exist"),
    "a time that does not exist": ("a: 2024-01-01 99:99:99", "values that exist"),
    "a time zone that does not exist": ("a: 2024-01-01T00:00:00+99:99", "values that exist|`title`"),
    "NUL": ("a: b\0c", "must be YAML"),
    "an escape": ("a: \x1b[31m", "must be YAML"),
    "a tab": ("a:\n\tb: 1", "must be YAML"),
    "two documents": ("a: 1\n---\nb: 2\n", "must be YAML"),
    "a quote without end": ("a: '" + "x" * 10_000, "must be YAML"),
    "another version": ("%YAML 9.9\n---\na: 1", "must be YAML"),
    "a text alone": ("hello", "must be an experiment"),
    "a list alone": ("[]", "must be an experiment"),
    "nothing": ("", "must be an experiment"),
    "comments alone": ("# nothing\n" * 1000, "must be an experiment"),
    "a huge file": ("# " + "x" * LARGEST_FILE, "smaller than 1 MB"),
}


def refused(path: Path, rule: str) -> str:
    begin = time.perf_counter()
    with pytest.raises(ExperimentError, match=rule) as error:
        read_experiment(path)
    assert time.perf_counter() - begin < 1
    text = str(error.value)
    assert text.startswith(str(path).replace("\0", r"\x00")[:1000])
    assert text.endswith((".", "?"))
    assert "\n" not in text
    assert len(text) < len(str(path)) + 1000
    return text.removeprefix(f"{path}:")


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_would_blow_up_is_refused_in_one_line_at_once(tmp_path, kind):
    text, rule = REFUSED[kind]
    refused(write(tmp_path, text), rule)


BYTES = {
    "other bytes": b"\xff\xfe\x00",
    "Latin-1": "title: café".encode("latin-1"),
    "half a character": "title: café".encode()[:-1],
    "surrogates": b"title: \xed\xa0\x80",
    "UTF-16": "title: a".encode("utf-16"),
    "random": bytes(range(256)) * 10,
}


@pytest.mark.parametrize("kind", BYTES)
def test_bytes_that_are_no_text(tmp_path, kind):
    path = tmp_path / "other.yaml"
    path.write_bytes(BYTES[kind])
    refused(path, "must be text in UTF-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes and devices in folders")
def test_pipes_devices_folders_and_names_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    refused(tmp_path / "pipe.yaml", "Got a pipe")
    refused(Path("/dev/zero"), "Got a device")
    refused(tmp_path, "Got a folder")
    refused(Path("a\0b.yaml"), "NUL")
    refused(tmp_path / "gone.yaml", "No such file")
    refused(tmp_path / ("x" * 5000), "must be readable")


VALUES = {
    "seed: .nan": "`seed",
    "seed: .inf": "`seed",
    "seed: 1e400": "`seed",
    "seed: -1": "`seed",
    "seed: 99999999999999999999999999": "`seed",
    "seed: 2024-01-01": "`seed",
    "windows: no": "`windows",
    "seed: 1:30": None,  # 90, as YAML 1.1 reads it
    "windows: 0x7fffffffffffffff": "`windows",
    "shown: 1.5": "`shown",
    "group: 2024-01-01": "`group",
    "group: 7": "`group",
    "memory: {a: b}": "`memory",
    "memory: [1]": "`memory",
    "statistics: {margin: .nan}": "`statistics.margin",
    "statistics: {margin: .inf}": "`statistics.margin",
    "statistics: {level: 1e999}": "`statistics.level",
    "statistics: {permutations: 10000000000000}": "`statistics.permutations",
    "statistics: ~": "`statistics",
    "description: [" + "[" * 20 + "]" * 20 + "]": "`description",
    "? ''\n: 1": "`",
    "~: 1": "a key must be text. Got .* Put it in quotes",
    "true: 1": "a key must be text. Got .* Put it in quotes",
    "1.5: 1": "a key must be text. Got .* Put it in quotes",
    "2024-01-01: 1": "a key must be text. Got .* Put it in quotes",
    "? [1]\n: 1": "a key must be text",
    "hypotheses2: 1": "`hypotheses2",
}


@pytest.mark.parametrize("line", VALUES)
def test_values_of_another_type_or_size_are_refused_on_their_line(tmp_path, line):
    text = SMALL.replace("shown: 1\n", "") if line.startswith("shown") else SMALL
    if line.startswith("statistics"):
        text = "\n".join(old for old in text.splitlines() if not old.startswith("statistics")) + "\n"
    path = write(tmp_path, text + line + "\n")
    if VALUES[line] is None:
        read_experiment(path)
        return
    message = refused(path, VALUES[line])
    assert message.startswith(f"{text.count(chr(10)) + 1}: ")


def test_bounds_are_above_what_people_write(tmp_path):
    text = "a: " + "[" * (DEEPEST - 2) + "1" + "]" * (DEEPEST - 2)
    text += "\nb: &b " + "9" * 100 + "\nc: [" + "*b, " * (MOST_VALUES - 200) + "]\n"
    text += "d: '" + "9" * 10_000 + "'\ne: " + "word " * 1000 + "\n"
    check_events(text, Path("small.yaml"))
    with pytest.raises(ExperimentError, match=r"small\.yaml:6: .* values at most"):
        check_events(text + "f: [" + "1, " * 300 + "]", Path("small.yaml"))


def test_aliases_that_stay_small_are_read(tmp_path):
    path = write(tmp_path, "a: &a {b: [1, 2]}\nc: *a\nd: [*a, *a]\n")
    assert read_yaml(path).values == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": [{"b": [1, 2]}] * 2}
    assert read_yaml(write(tmp_path, "\ufeff" + SMALL)).values["shown"] == 1
