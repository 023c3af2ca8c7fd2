"""The page of a discovery: what it says of each component, and whether heat lies where the component is."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from markupsafe import escape

from tests.unit.reports.discovery_sample import (
    FRAMES,
    LOWERING,
    N_CLIPS,
    RAISING,
    RARE,
    SIDE,
    UNSTABLE,
    component,
    sample_discovery,
)
from tests.unit.reports.test_demo_page import HOSTILE, Page
from video_tcav.core.errors import InputError, OutputError
from video_tcav.discovery import NothingExplained, load_discovery
from video_tcav.discovery.result_files import save_discovery
from video_tcav.reports import write_discovery_page
from video_tcav.reports.discovery.answer import answer
from video_tcav.reports.discovery.charts import components_chart
from video_tcav.reports.discovery.clips import lit, read_discovered, typical_clips, typical_numbers
from video_tcav.words import NameSuggestion, NameSuggestions


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return sample_discovery(tmp_path_factory.mktemp("discovery"))


@pytest.fixture(scope="module")
def written(result, tmp_path_factory):
    return write_discovery_page(result, tmp_path_factory.mktemp("page") / "report.html")


def test_it_is_one_whole_file_that_loads_nothing(written):
    text = written.read_text()
    page = Page(text)
    assert page.open == [] and text.count("<main>") == 1
    outside = [attributes.get("src", "") for _, attributes in page.elements if "src" in attributes]
    assert outside and all(address.startswith("data:") for address in outside)
    assert not re.search(r'(?:href|src)="https?:', text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert sorted(path.name for path in (written.parent / "figures").iterdir()) == ["components.png", "components.svg"]


def test_it_answers_first_and_says_what_was_not_shown(result, written):
    text = Page(written.read_text()).text
    found = answer(result)
    assert found.findings[0][1][0] == "2 of 4 components are confirmed."
    assert f"{RAISING} (motion) raises “playing tennis”: it multiplies the odds by 11." in text
    assert f"{LOWERING} (appearance) lowers “playing tennis”: it divides the odds by 3.3." in text
    assert "at most 5 % of such runs confirm anything: p-values are adjusted for all 4 components" in found.sure[
        0
    ].replace("\N{NO-BREAK SPACE}", " ")
    assert "1 of all is unstable" in " ".join(found.sure)
    assert found.not_shown[0] == "Whether the 2 other components matter. Not confirmed is no proof that they do not."
    assert text.index("2 of 4 components") < text.index("What is confirmed") < text.index("More figures")
    assert f"{N_CLIPS} clips of {N_CLIPS} groups" in found.asked


def test_it_says_how_much_is_explained_and_what_is_left(result, written, tmp_path):
    text = Page(written.read_text()).text.replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "explain 75 % (60 % to 85 %) of the log-odds of playing tennis over 8 clips that found nothing, and leave 25 %"
        in text
    )
    assert "Between class and random clips they account for +5.00 of +6.00 log-odds." in text
    assert "70 % 60 % to 80 %" in " ".join(text.split())
    why = replace(result, explained=NothingExplained(reason="the layer cannot be run on."))
    other = Page(write_discovery_page(why, tmp_path / "report.html").read_text()).text
    assert "was not measured: the layer cannot be run on." in other and "Table of shares" not in other


def test_a_suggested_name_is_a_fact_of_its_card_and_none_is_there_without_an_encoder(result, written, tmp_path):
    assert "A name?" not in written.read_text()
    words = [
        NameSuggestion(word=w, rank=n, score=0.2 - n / 20, margin=0.05) for n, w in enumerate(("racket", "<ball>"), 1)
    ]
    names = NameSuggestions(suggestions=tuple(words), words=1000, clips=6, encoder="tiny")
    text = write_discovery_page(replace(result, names={RAISING: names}), tmp_path / "report.html").read_text()
    assert "Of 1000 words, nearest to 6 of its tubes: racket (" in Page(text).text
    assert "0.050), then <ball> (tiny)." in Page(text).text
    assert "<ball>" not in text and text.count("A name?") == 1


def test_each_component_has_its_figures_in_words(written):
    text = Page(written.read_text()).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "cannot be shown" not in text
    assert "+2.40 log-odds (+1.10 to +3.70, slope), adjusted p = 0.004 of 4" in text
    assert "10 % of it stays in frozen clips (2 % to 20 %)" in text
    assert "in 93 % of pairs the class clip has more" in text and "in 90 % of pairs the class clip has less" in text
    assert "a whole step along it: +2.20 (+1.00 to +3.40) log-odds" in text
    assert "mostly at the top (100 %) and on the right (100 %)" in text
    assert "Mostly in the last third of the clip (100 %)." in text
    assert "It is not shown to move the class and it is unstable." in text
    assert "Too few clips have it to compare." in text
    assert text.count("not confirmed, unstable") == 1


def test_a_component_that_was_taken_out_says_what_clips_lose_and_which_test_confirmed_it(result, tmp_path):
    removal = {"removed": 3.0, "removed_low": 2.1, "removed_high": 3.9, "removed_elsewhere": 0.1, "removed_p": 1e-4}
    first = replace(
        result.components[0], confirmed_by="removal", effect=-0.3, effect_low=-0.5, effect_high=-0.1, **removal
    )
    taken_out = replace(result, components=(first, *result.components[1:]))
    text = Page(write_discovery_page(taken_out, tmp_path / "report.html").read_text()).text
    text = text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    assert "raises “playing tennis”: taking it out where it is divides the odds by 20." in text.replace(
        "Raises", "raises"
    )
    assert "+3.00 log-odds (+2.10 to +3.90, lost without it), adjusted p = 0.004 of 4" in text
    assert (
        "Taken out where it is, clips with it lose 3.00 log-odds [2.10, 3.90], and 0.10 if as much is taken out elsewhere."
        in text
    )
    assert "A shift of all positions alike, along its CAV , has the slope -0.30 (-0.50 to -0.10)." in text
    assert "By removal." in text and "By slope." in text
    assert "the slope was divided by 0.9 and that of the removal by 0.1, and the smaller one counts" in text
    plain = write_discovery_page(result, tmp_path / "report.html").read_text()
    assert "share the level" not in plain and "taken out where it is, with the rest" not in plain
    assert "1 of these was confirmed by removal" in " ".join(answer(taken_out).sure)
    worse_elsewhere = replace(result, components=(replace(first, removed_elsewhere=-0.37),))
    assert "and −0.37 if as much is taken out elsewhere" in Page(
        write_discovery_page(worse_elsewhere, tmp_path / "report.html").read_text()
    ).text.replace("\N{NO-BREAK SPACE}", " ")
    # orange, as it raises the class, whatever its slope says
    assert 'class="component up"' in write_discovery_page(taken_out, tmp_path / "report.html").read_text()
    assert components_chart(taken_out).label.count("lost without it") == 1
    # a whole step moves all positions alike, as the slope does
    stepped = replace(taken_out, components=(replace(first, step=-1.0), *result.components[1:]))
    assert "goes the other way" not in " ".join(answer(stepped).sure)


def test_no_sentence_of_the_answer_is_without_a_confirmed_component(result, tmp_path):
    none = replace(result, components=tuple(replace(each, confirmed=False) for each in result))
    assert "Nothing is confirmed" in answer(none).findings[0][1][0]
    assert answer(none).not_shown[0].startswith("Whether any of the 4 components matters.")
    text = Page(write_discovery_page(none, tmp_path / "report.html").read_text()).text
    assert "Nothing. More clips" in text and "Not confirmed: the 4 with the largest effects" in text


def test_a_step_that_goes_the_other_way_is_said(result):
    other = replace(result, components=(replace(result.components[0], step=-1.0), *result.components[1:]))
    assert f"a whole step goes the other way for {RAISING}" in " ".join(answer(other).sure)


def test_names_are_text(result, tmp_path):
    hostile = replace(result.renamed({RAISING: HOSTILE}), target=HOSTILE)
    text = write_discovery_page(hostile, tmp_path / "report.html").read_text()
    assert "<script>alert" not in text and str(escape(HOSTILE)) in text


def test_the_page_from_the_folder_is_the_same(result, written, tmp_path):
    save_discovery(tmp_path, result)
    assert write_discovery_page(load_discovery(tmp_path), tmp_path / "report.html").read_bytes() == written.read_bytes()


def test_a_page_that_cannot_be_written_is_a_plain_error(result, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="must be writable"):
        write_discovery_page(result, tmp_path / "file" / "report.html")


def colours(result, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences of red and blue in the last frame of a component's first clip, by pixel; and its first frame's."""
    found = result.component(name)
    read = read_discovered(result, typical_numbers(result, found))
    [first, *_] = typical_clips(result, found, read)
    frames = decoded(first.shown.uri)
    differences = frames[:, 0].float() - frames[:, 2].float()
    return differences[-1], differences[0]


def decoded(uri: str) -> torch.Tensor:
    import base64
    import tempfile

    from video_tcav.media import find_videos, read_frames

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(base64.b64decode(uri.partition(",")[2]))
        return read_frames(find_videos(path)[0], range(FRAMES))


def test_what_raises_is_orange_where_and_when_it_is(result):
    last, first = colours(result, RAISING)
    assert last[:8, -8:].mean() > 40  # the upper right corner, in the last quarter of the clip
    assert last[16:, :16].abs().mean() < 8 and first.abs().mean() < 8


def test_what_lowers_is_blue(result):
    last, first = colours(result, LOWERING)
    for frame in (last, first):  # all the time, on the left
        assert frame[:, :8].mean() < -40 and frame[:, 24:].abs().mean() < 8


def test_what_is_not_confirmed_has_no_colour(result):
    last, first = colours(result, UNSTABLE)
    assert last.abs().mean() < 8 and first.abs().mean() < 8


def test_lit_frames_are_dark_without_heat_and_as_they_were_at_full_heat():
    frames = torch.full((1, 3, 2, 2), 200, dtype=torch.uint8)
    heat = torch.tensor([[[0.0, 1.0], [2.0, 0.5]]])
    [[pixels, *_]] = lit(frames, heat, 1.0)
    assert pixels.tolist() == [[80, 200], [200, 140]]


def test_typical_clips_are_those_with_most_of_it_that_it_was_not_found_in(result):
    found = result.component(RAISING)
    numbers = typical_numbers(result, found)
    confirming = [number for number, clip in enumerate(result.clips) if clip.half == "confirm"]
    assert numbers == sorted(confirming, key=lambda number: -result.presences[RAISING][number])[:6]
    clips = typical_clips(result, found, read_discovered(result, numbers))
    assert [clip.presence for clip in clips] == sorted((clip.presence for clip in clips), reverse=True)
    assert [clip.role for clip in clips] == ["class"] * 4 + ["random"] * 2
    assert all(clip.shown.moves for clip in clips)


def test_a_clip_that_is_gone_changed_or_was_in_memory_is_named_and_not_shown(tmp_path):
    result = sample_discovery(tmp_path)
    gone, changed, memory, *_ = typical_numbers(result, result.component(RAISING))
    Path(result.clips[gone].path).unlink()
    Path(result.clips[changed].path).write_bytes(Path(result.clips[0].path).read_bytes())
    clips = list(result.clips)
    clips[memory] = replace(clips[memory], path="")
    result = replace(result, clips=tuple(clips))
    read = read_discovered(result, [gone, changed, memory, 0])
    assert [read[number].reason for number in (gone, changed, memory)] == [
        "no such file",
        "its file was changed",
        "it was in memory",
    ]
    assert read[gone].frames is None
    assert read[0].frames is not None and read[0].frames.shape == (FRAMES, 3, SIDE, SIDE)
    text = Page(write_discovery_page(result, tmp_path / "report.html").read_text()).text
    assert "Not shown: its file was changed." in text and "Not shown: it was in memory." in text
    assert re.search(r"\d+ of the typical clips cannot be shown", text)


def test_the_window_is_the_one_that_was_recorded(tmp_path):
    result = sample_discovery(tmp_path)
    provenance = {
        **result.provenance,
        "settings": {"windows": 2},
        "clip_spec": {**result.provenance["clip_spec"], "frames": 4},
    }
    clips = (result.clips[0], replace(result.clips[0], window=1), *result.clips[2:])
    read = read_discovered(replace(result, clips=clips, provenance=provenance), [0, 1])
    first, second = (read[number].frames.float().mean((1, 2, 3)) for number in (0, 1))
    assert first.max() < second.min()  # the clip grows lighter


def test_the_chart_has_confirmed_ones_filled_and_plot_is_the_same(result):
    chart = components_chart(result)
    assert chart is not None and "#1@stages.2 +2.40 (+1.10 to +3.70)" in chart.label and "#4" not in chart.label
    [axes] = result.plot().axes
    points = [line for line in axes.lines if line.get_marker() == "o"]
    fills = [point.get_markerfacecolor() == point.get_markeredgecolor() for point in points]
    assert fills == [True, True, False]
    assert RARE in result.presences
    with pytest.raises(InputError, match="must hold an effect"):
        replace(result, components=(result.component(RARE),)).plot()


def test_more_rows_than_fit_are_left_to_the_table(result):
    many = tuple(
        component(number, confirmed=False, effect=1 / number, effect_low=-1.0, effect_high=2.0)
        for number in range(1, 30)
    )
    chart = components_chart(replace(result, components=many))
    assert chart is not None and chart.label.count("#") == 12
    assert np.isfinite(many[0].effect)
