"""Class files as data sets and training code ship them."""

import json

import pytest

from video_tcav.core.errors import InputError
from video_tcav.models.class_names import class_of_label, read_classes

NAMES = ("run", "walk", "jump high", "sit, stand", "wave")
ORDER = (3, 0, 4, 1, 2)  # of the lines in a file that is sorted by name, or by nothing


def lines(form: str, *, first: int = 0, header: str = "") -> str:
    numbered = [form.format(number=number + first, name=NAMES[number]) for number in ORDER]
    return "\n".join([header, *numbered] if header else numbered) + "\n"


SHIPPED = {
    "one a line": "\n".join(NAMES),
    "quoted": "\n".join(f'"{name}"' for name in NAMES),
    "UCF101's classInd.txt": lines("{number} {name}", first=1),
    "numbered from 0": lines("{number} {name}"),
    "tabs": lines("{number}\t{name}"),
    "colons": lines("{number}: {name}"),
    "Kinetics' label map": lines('{number},"{name}"', header="id,name"),
    "header with spaces": lines("{number} , {name}", header="ID , Name"),
    "header of words": lines("{number} {name}", header="id name"),
    "semicolons": lines('"{number}";"{name}"', header='"label_id";"label_name"'),
    "name first": lines('"{name}",{number}', header="name,id"),
    "Moments' categories": lines("{name},{number}"),
    "JSON list": json.dumps(NAMES),
    "SSv2's labels.json": json.dumps({NAMES[number]: str(number) for number in ORDER}),
    "JSON of numbers": json.dumps({f'"{NAMES[number]}"': number for number in ORDER}, indent=1),
    "id2label": json.dumps({str(number): NAMES[number] for number in ORDER}),
}


@pytest.mark.parametrize(("encoding", "line_end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r")])
@pytest.mark.parametrize("text", SHIPPED.values(), ids=SHIPPED)
def test_shipped_class_files_give_the_names_in_the_order_of_the_outputs(tmp_path, text, encoding, line_end):
    (tmp_path / "classes").write_bytes(text.replace("\n", line_end).encode(encoding))
    assert read_classes(tmp_path / "classes") == read_classes(str(tmp_path / "classes")) == NAMES


def test_names_with_numbers_in_them_stay_names(tmp_path):
    names = ("3 point shot", "walk", "take 1", "take 2", "100")
    (tmp_path / "classes.txt").write_text("\n\n".join(f"  {name} " for name in names))
    assert read_classes(tmp_path / "classes.txt") == names
    assert read_classes([" run", "walk "]) == ("run", "walk")
    assert read_classes(None) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 run\n2 walk\n", "numbered from 0 or 1 on, each number once. Got 2 after a gap"),
        ("2 run\n3 walk\n", "Got 2 after a gap"),
        ("0 run\n0 walk\n", "Got 0 twice"),
        ("1,run\n2,walk\n2,sit\n", "Got 2 twice"),
        ("0 run\n1 walk\nsit\n", "must number all lines or none. Got 'sit'"),
        ("0 run\n1 run\n", "each class once. Got 'run' twice"),
        ("run\n run \n", "Got 'run' twice"),
        ("jump high\njump  high\n", "Got 'jump high' twice"),
        ("caf\u00e9\ncafe\u0301\n", "Got 'caf\u00e9' twice"),
        ("", "Got none"),
        ('{"run": 0, "walk": 0}', "Got 0 twice"),
        ('{"run": 0, "walk": 2}', "Got 2 after a gap"),
        ('{"run": 0, "run": 1}', "Got: the name 'run' twice in one object"),
        ('{"0": "1", "1": "0"}', "Got other values"),
        ('{"run": true, "walk": 0}', "Got other values"),
        ("{}", "Got other values"),
        ('["run", 3]', "must be a JSON list of names, or an object .* Got other values"),
        ('["run"', "`classes` in .* must be JSON. Got: "),
        ('["run", "run "]', "Got 'run' twice"),
        ("[" * 100_000, "values that nest too deep"),
    ],
)
def test_gaps_doubles_and_other_content_are_refused(tmp_path, text, message):
    (tmp_path / "classes").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_classes(tmp_path / "classes")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text(tmp_path):
    with pytest.raises(InputError, match=r"missing.txt` must be a readable text file. Got: No such file"):
        read_classes(tmp_path / "missing.txt")
    (tmp_path / "latin.txt").write_bytes("rennen\nk\u00fcssen\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"must be text in UTF-8. Got other bytes in line 2"):
        read_classes(tmp_path / "latin.txt")
    with pytest.raises(InputError, match=r"each class once. Got none"):
        read_classes([])


@pytest.mark.parametrize(
    ("classes", "label", "expected"),
    [
        (("playing tennis", "high jump"), "Playing_Tennis", "playing tennis"),
        (("playing tennis", "high jump"), "1", "high jump"),
        (("playing tennis", "high jump"), "2", None),
        (("playing tennis", "high jump"), "golf", None),
        (("1", "2"), "1", "1"),
        (("1", "2"), "0", None),  # labels that count from 0 would each be the class before
    ],
)
def test_a_label_is_a_name_or_a_number_and_never_both(classes, label, expected):
    assert class_of_label(classes, label) == expected
