import re
from dataclasses import replace
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from tests.unit.reports.sample_run import CLIPS, VERDICTS, Sample, write_diagnostics, write_run
from tests.unit.reports.test_demo_page import Page
from video_tcav.cli.app import app
from video_tcav.core.errors import ExperimentError, InputError, OutputError
from video_tcav.experiments import load_run
from video_tcav.reports import RunView, write_report
from video_tcav.reports.run.sections.verdicts import Section

HOSTILE = "<script>alert('1')</script>"
PLAIN = Sample(
    models=("only",), concepts=("court", "nothing"), twins=False, tests=("studentised",), shown=0, previews=0
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def written(run):
    return write_report(run, run.path / "report.html")


@pytest.fixture(scope="module")
def page(written):
    return Page(written.read_text())


def plain(page: Page) -> str:
    return page.text.replace("\N{NO-BREAK SPACE}", " ")


def test_it_is_whole_and_has_headings_in_order(page):
    assert page.open == []
    headings = [tag for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1" and headings.count("h1") == 1
    assert all(int(after[1]) - int(before[1]) <= 1 for before, after in pairwise(headings))


def test_it_leads_with_the_question_and_the_verdicts(page):
    text = plain(page)
    places = [
        text.index(words)
        for words in (
            "Did it see the swing?",
            "Asked What raises “playing tennis” in the first net and second net: swing, court or nothing?",
            "Answer first net: Swing (moving clips) raises “playing tennis”: it multiplies the odds by 20.",
            "How sure 2 of 4 claims are decided",
            "Not shown",
            "supported · first net Hypothesis 1 of swing/dynamic",
            "contradicted · first net Hypothesis 2 of swing/dynamic",
            "What moves “playing tennis”",
            "Static against dynamic",
            "Motion, or picture?",
            "Significance tests beside each other",
            "Where and when it looked",
            "Before you believe it",
            "More",
            "One paragraph. Another.",
            "Class: playing tennis",
            "Methods",
            "Do it again",
            "Words",
        )
    ]
    assert places == sorted(places)


def test_each_verdict_is_a_word_and_a_shape_of_its_own(written):
    cards = re.findall(r'<p class="word">\s*(<svg.*?</svg>)\s*([a-z ]+) <span>', written.read_text(), re.DOTALL)
    assert [word.strip() for _, word in cards] == list(VERDICTS)
    assert len({drawing for drawing, _ in cards}) == len(VERDICTS)


def test_a_verdict_tells_numbers_and_margin(page):
    text = plain(page)
    assert "The effect is +3.00 log-odds." in text and "margin 0.5 log-odds" in text
    assert "The effect is −1.50 log-odds." in text and "about 31 more clips of the concept" in text
    lines = [one["aria-label"] for one in page.all("svg") if one.get("class") == "margin"]
    assert lines[0] == "Effect +3.00 log-odds, interval +2.40 to +3.60, margin ±0.5"
    assert len(lines) == 3  # nothing to draw for a hypothesis without evidence


def test_p_values_at_the_margin_stand_where_they_bear_on_the_verdict(run):
    p_values = {"equivalence_p_adjusted": 0.01, "beyond_p_adjusted": 1.0}
    verdicts = {
        "supported": ["adjusted p", "equivalence p"],
        "undecided": ["adjusted p", "equivalence p", "beyond p"],
        "not represented": [],
    }
    for verdict, names in verdicts.items():
        outcome = replace(run.outcomes[0], verdict=verdict, **p_values)
        [(_, _, facts, _)] = Section().values(RunView(run=replace(run, outcomes=(outcome,))))["cards"]
        assert [name for name, _ in facts if name.endswith(" p")] == names


def test_a_kind_of_diagnostics_without_rows_is_left_out(tmp_path):
    run = write_run(tmp_path, PLAIN)
    write_diagnostics(run, "consistency", [])
    write_diagnostics(run, "split_half", [{"concept": "court", "cosine": 0.5}])
    text = plain(Page(write_report(run, tmp_path / "report.html").read_text()))
    assert "Table: split halves, 1 row " in text and "Consistency between layers" not in text


def test_the_scale_of_small_margins_has_numbers_that_differ(run):
    outcome = replace(run.outcomes[0], effect=0.002, effect_low=0.001, effect_high=0.003, margin=0.001)
    view = RunView(run=replace(run, outcomes=(outcome,)))
    [*_, (*_, drawing)] = Section().values(view)["cards"]
    assert [text for _, text in drawing["ticks"]] == ["−0.002", "0", "+0.002"]


def test_cautions_are_told_in_plain_words(page):
    text = plain(page)
    assert "A warning of the analysis." in text and "Do not rely on it." in text
    assert "Few groups" in text and "court: 7 groups" in text
    assert "Not represented" in text and "nothing for playing tennis in first net: stages.0, stages.1" in text
    assert "Weak concept vectors" not in text


def test_of_many_files_that_could_not_be_used_the_markdown_has_all(tmp_path):
    run = write_run(tmp_path, PLAIN)
    run.analyses[0].record["skipped"].extend(
        {"path": rf"C:\mine\{number}.mp4", "reason": "is broken"} for number in range(14)
    )
    page = write_report(run, tmp_path / "report.html")
    assert "<summary>9 more</summary>" in page.read_text() and "mine" not in page.read_text()
    assert page.with_suffix(".md").read_text().count(".mp4: is broken") == 14


def test_a_significant_effect_that_is_not_represented_is_called_weak(tmp_path):
    sample = replace(PLAIN, models=("first net", "second net"), effects={"nothing": 2.0})
    text = Page(write_report(write_run(tmp_path, sample), tmp_path / "report.html").read_text()).text
    assert "Weak concept vectors" in text and "nothing for playing tennis in first net: stages.0, stages.1" in text


def test_what_is_told_apart_as_a_region_alone_is_said(tmp_path):
    run = write_run(tmp_path, PLAIN)
    for stored in run.analyses[0].found:
        if stored.result.concept == "nothing":
            object.__setattr__(stored, "result", replace(stored.result, region_auc=0.86, p_region=0.002))
    text = Page(write_report(run, tmp_path / "report.html").read_text()).text
    assert "A region, and no direction" in text
    assert "nothing for playing tennis at stages.1: not along one direction, but as a region (AUC 0.86)" in text


def test_each_p_stands_with_the_number_of_its_tests(page):
    text = plain(page)
    assert "adjusted p < 0.001 (of 3 tests)" in text  # of four hypotheses, one has no effect
    assert "adjusted for the 8 tests of all concepts and layers" in text


def test_static_stands_beside_dynamic_and_motion_is_told(page):
    text = plain(page)
    assert "swing first net +0.20 p = 0.4 of 8 +3.00 p = 0.001 of 8 Only the clips have an effect." in text
    assert "swing/dynamic first net +3.00 +3.00 p = 0.001 of 8 0.00 p = 0.4 of 8 The motion counts." in text


def test_the_tests_are_compared(page):
    text = plain(page)
    assert "they disagree on 4 of 8" in text
    assert "nothing first net +0.01 0.4 of 8 < 0.001 of 8 no" in text


def test_it_asks_for_nothing(written, page):
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "poster", "data", "action"):
            assert re.match(r"data:|#", attributes.get(name, "#")), f"{tag} {name}"
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    for part in re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", written.read_text(), re.DOTALL):
        assert not re.search(r"https?:|//|@import|url\(|fetch|XMLHttp|WebSocket", part)


def test_links_and_names_fit(page):
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    used = [attributes["href"][1:] for _, attributes in page.elements if attributes.get("href", "").startswith("#")]
    labels = [name for _, attributes in page.elements for name in attributes.get("aria-labelledby", "").split()]
    assert len(names) == len(set(names)) and {*used, *labels} <= set(names)
    assert "clip-1" in used
    groups = {one["name"] for one in page.all("input") if one.get("type") == "radio"}
    assert groups == {"map-1", "map-2"}


def test_every_table_has_a_caption_and_scopes(written):
    tables = re.findall(r"<table.*?</table>", written.read_text(), re.DOTALL)
    assert tables and all("<caption>" in table and 'scope="col"' in table for table in tables)
    drawings = re.findall(r"<svg[^>]*>", written.read_text())
    assert all('role="img" aria-label="' in one or 'aria-hidden="true"' in one for one in drawings)


def test_it_names_no_place_on_the_machine(written):
    assert "/home/someone" not in written.read_text()
    assert "tennis/0.mp4" in written.read_text() and CLIPS[0].startswith("/home/someone")


def test_names_are_words(tmp_path):
    sample = Sample(
        title=HOSTILE,
        description=HOSTILE,
        models=(f"model {HOSTILE}", "second"),
        concepts=("swing/static", "swing/dynamic", HOSTILE),
        effects={HOSTILE: 2.0, "swing/dynamic": 1.0},
        twins=False,
        tests=("studentised",),
        shown=1,
        previews=1,
    )
    run = write_run(tmp_path, sample)
    write_diagnostics(run, "consistency", [{"concept": HOSTILE, HOSTILE: HOSTILE}])
    written = write_report(run, tmp_path / "report.html")
    text = written.read_text()
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert Page(text).open == [] and len(re.findall("<script", text)) == 1 + 1 + sample.shown
    note = written.with_suffix(".md").read_text()
    assert "<script>" not in note and "&lt;script&gt;" in note
    for figure in (tmp_path / "figures").glob("*.svg"):
        assert "<script>" not in figure.read_text()


def test_the_same_run_gives_the_same_bytes(run, written, tmp_path):
    again = write_report(load_run(run.path), tmp_path / "report.html")
    assert again.read_bytes() == written.read_bytes()
    assert again.with_suffix(".md").read_bytes() == written.with_suffix(".md").read_bytes()
    for figure in (tmp_path / "figures").iterdir():
        assert figure.read_bytes() == (written.parent / "figures" / figure.name).read_bytes()
    assert set(re.findall(r"20\d\d-\d\d-\d\dT", written.read_text())) == {"2031-02-03T"}


def test_figures_and_markdown_are_beside_it(written):
    names = {path.name for path in (written.parent / "figures").iterdir()}
    kinds = ("effects", "layers", "static-dynamic", "twins")
    assert names == {f"{kind}-1-playing-tennis{ending}" for kind in kinds for ending in (".svg", ".png")}
    note = written.with_suffix(".md").read_text()
    assert "| ✔ | supported | Hypothesis 1 of swing/dynamic: swing/dynamic raises playing tennis | first net |" in note
    assert "| +3.00 | +2.40 to +3.60 |" in note and "| – | – | – | 0.5 |" in note
    for figure in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", note):
        assert (written.parent / figure).is_file()


def test_methods_tell_the_settings(page):
    text = plain(page)
    for words in (
        "the larger p of two tests: 9,999 permutations of the labels of groups",
        "95 % t intervals, corrected for skewness (Hall, 1992)",
        "finds that the means of its clips and of the random clips differ there (linear MMD; Gretton et al., 2012)",
        "the Holm procedure",
        "at the level of 0.05",
        "a margin of 0.5 log-odds",
        "8 frames of 24 × 24 pixels",
        "stages.0, stages.1 of each model",
        "court (6 clips in 7 groups)",
        "with seed 0",
        "video-tcav 9.8.7",
        "SHA-256 0123456789ab",
        "@inproceedings{kim2018tcav",
        "@article{chung2013exact",
        'Sch{\\"o}lkopf',
        "2404.09067",
        "version = {9.8.7}",
    ):
        assert words in text, words


def test_diagnostics_are_shown_where_they_are(run, page, tmp_path):
    assert "Can the concept vectors be trusted?" not in page.text
    other = write_run(tmp_path, replace(PLAIN, models=("first net", "second net"), concepts=("court", "swing/dynamic")))
    rows = [
        {
            "concept": concept,
            "versus": "random",
            "layer": "stages.1",
            "n_concept_groups": groups,
            "effect": 1.234567,
            "effect_low": 1.0,
            "effect_high": 2.0,
        }
        for concept in ("court", "swing/dynamic")
        for groups in (4, 8)
    ]
    noted = other.analyses[0].folder / "analysis.json"
    noted.write_text(noted.read_text().replace('"remarks": []', '"remarks": ["swing: more noise than <signal>."]'))
    other = load_run(other.path)
    write_diagnostics(other, "effect_by_clips", rows)
    write_diagnostics(other, "dependence", [{"concept": "court", "share": 0.25, "held": True}])
    write_diagnostics(other, "new_kind", [{"concept": "court", "value": float("nan")}] * 300)
    found = Page(write_report(other, tmp_path / "report.html").read_text())
    text = plain(found)
    assert "swing: more noise than <signal>." in text
    assert "Effect by the number of clips" in text and "1.235" in text
    assert "Dependence on place and time" in text and "court 0.250 yes" in text
    assert "New kind" in text and "400 more rows are in analyses/001-studentised/diagnostics-new_kind.parquet" in text
    chart = next(one["aria-label"] for one in found.all("svg") if "number of clips" in one.get("aria-label", ""))
    assert "first net, court, 8 groups +1.23" in chart
    assert (tmp_path / "figures" / "effect-by-clips-1-playing-tennis.svg").is_file()


def test_a_damaged_table_is_told(tmp_path):
    run = write_run(tmp_path, PLAIN)
    (run.analyses[0].folder / "diagnostics-split_half.parquet").write_bytes(b"none")
    with pytest.raises(ExperimentError, match=r"001-studentised: must be as the run wrote it"):
        write_report(run, tmp_path / "report.html")


def test_a_preview_that_is_gone_is_told(tmp_path):
    run = write_run(tmp_path, replace(PLAIN, previews=1))
    (tmp_path / "shown" / "previews" / "000.mp4").unlink()
    with pytest.raises(ExperimentError, match=r"000.mp4: a preview must be readable"):
        write_report(run, tmp_path / "report.html")


def test_a_page_keeps_within_its_size_and_says_what_it_left_out(tmp_path):
    run = write_run(tmp_path, replace(PLAIN, effects={"court": 1.0}, size=128, shown=4, previews=3))
    whole = write_report(run, tmp_path / "whole.html")
    size = whole.stat().st_size
    assert "To keep the page small" not in whole.read_text()
    bare = size - sum(map(len, re.findall(r"data:[^\"]*", whole.read_text())))
    for share in (0.6, 0.2):
        most = int(bare + share * (size - bare))
        small = write_report(run, tmp_path / "small.html", most_bytes=most)
        assert small.stat().st_size <= most
        assert "To keep the page small" in small.read_text() or "to keep the page small" in small.read_text()


def test_a_plain_run_has_no_empty_sections(tmp_path):
    page = Page(write_report(write_run(tmp_path, PLAIN), tmp_path / "report.html").read_text())
    for words in ("Static against dynamic", "Motion, or picture?", "t-test", "When and where", "Class:"):
        assert words not in page.text, words
    assert not page.all("video") and not page.all("canvas")


def test_other_cavs_and_spaces_are_told(tmp_path):
    spaces, tests = ("flatten", "spacetime"), ("ttest", "studentised")
    sample = replace(PLAIN, concepts=("court", "swing/dynamic"), cav="ridge", spaces=spaces, tests=tests, shown=1)
    text = plain(Page(write_report(write_run(tmp_path, sample), tmp_path / "report.html").read_text()))
    assert "Other feature spaces" in text and "ridge regression" in text
    assert "log-odds per unit of activation" in text and "one scale for all concepts" not in text
    assert "Significance was tested by the t-test" in text


def test_the_page_is_no_folder_and_not_the_markdown(run, tmp_path):
    with pytest.raises(OutputError, match="it is a folder"):
        write_report(run, run.path)
    with pytest.raises(InputError, match=r"`path` must end in \.html. Got 'report\.md'"):
        write_report(run, tmp_path / "report.md")
    assert not list(tmp_path.iterdir())


def test_pictures_beside_moving_random_clips_are_not_called_held_still(tmp_path, page):
    assert "Pictures are compared with random clips that are held still too." in plain(page)
    moving = write_run(
        tmp_path, Sample(negatives="moving", models=("only",), tests=("studentised",), shown=0, previews=1)
    )
    text = plain(Page(write_report(moving, tmp_path / "report.html").read_text()))
    assert "Pictures are compared with random clips that move." in text and "held still" not in text
    assert "Concept: swing/static 6 clips in 24 groups. They do not move." in text


def test_the_command_writes_it(tmp_path):
    run = write_run(tmp_path / "run", PLAIN)
    result = CliRunner().invoke(app, ["report", str(run.path)])
    assert result.exit_code == 0 and "The report: " in result.output
    assert (run.path / "report.html").is_file() and (run.path / "report.md").is_file()
    result = CliRunner().invoke(app, ["report", str(run.path), "--out", str(tmp_path / "else" / "page.html")])
    assert result.exit_code == 0 and (tmp_path / "else" / "page.md").is_file()
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert isinstance(result.exception, ExperimentError)


def test_of_several_clips_of_a_file_the_link_leads_to_the_right_one(tmp_path):
    run = write_run(tmp_path, replace(PLAIN, effects={"court": 1.0}, windows=2, shown=2))
    text = write_report(run, tmp_path / "report.html").read_text()
    assert '<a href="#clip-1">tennis/0.mp4, clip 1</a>' in text and "tennis/4.mp4, clip 2" in text


def test_every_result_is_in_the_table(run, page):
    rows = sum(len(one.found) for one in run.analyses)
    assert page.text.count("0.50 ± 0.10") + page.text.count("1.00 ± 0.10") == rows
