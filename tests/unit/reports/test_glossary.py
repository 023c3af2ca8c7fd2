"""Words of the glossary in texts: each leads to its definition, once, and nothing else becomes a link."""

import re

import pytest
from markupsafe import Markup

from video_tcav.reports import render_page
from video_tcav.reports.glossary import WORDS, explained, word_id


def words_of(text: str) -> list[str]:
    return re.findall(r'<a class="term" href="#([^"]*)">', str(explained(text)))


@pytest.mark.parametrize("word", WORDS)
def test_each_word_leads_to_its_own_definition(word):
    assert words_of(f"The {word} of it.") == [word_id(word)]
    assert f'<div id="{word_id(word)}"><dt>{word}</dt>' in render_page("glossary.html.j2")


def test_a_word_is_a_link_at_its_first_place_alone():
    assert explained("A layer, and two layers.") == Markup(
        'A <a class="term" href="#word-layer">layer</a>, and two layers.'
    )
    assert words_of("Layers first") == ["word-layer"]


@pytest.mark.parametrize("text", ["P is a letter", "players", "stop-p", "layered", "my-layer-4", "capo"])
def test_parts_of_words_and_names_are_none(text):
    assert words_of(text) == []


def test_the_longest_word_counts():
    assert words_of("adjusted p and p") == ["word-adjusted-p", "word-p"]
    assert words_of("the motion effect") == ["word-motion-effect"]


def test_text_is_escaped_and_markup_is_not():
    assert explained("<b> p") == Markup('&lt;b&gt; <a class="term" href="#word-p">p</a>')
    assert explained(Markup("<b>p</b>")) == Markup('<b><a class="term" href="#word-p">p</a></b>')
