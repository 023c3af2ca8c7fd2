"""Bounds of YAML, checked on the parser's events before any value is built: depth, alias bombs, tags, long numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

# Values and keys, those behind aliases counted as often as they are used: an alias bomb of 0.5 kB stands for 10^9.
MOST_VALUES = 20_000
# Collections within each other; the deepest place of an experiment is 6 down.
DEEPEST = 32
# Characters of a number or date: Python reads 4,300 digits, and slower the longer it is.
LONGEST_NUMBER = 100
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is thirty times as fast
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")
_resolver = yaml.SafeLoader("")


class YamlMistake(Exception):
    """A text is beyond a bound.

    Attributes:
        line: counted from one.
        rule: what must hold, and what was found.
    """

    def __init__(self, line: int, rule: str) -> None:
        super().__init__(line, rule)
        self.line, self.rule = line, rule


@dataclass
class _Open:
    """A list or mapping within which the parser is."""

    anchor: str | None
    values: int = 1


@dataclass
class _Count:
    open: list[_Open] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, values: int, anchor: str | None) -> None:
        """Count a finished value for the innermost open collection."""
        if self.open:
            self.open[-1].values += values
        else:
            self.total += values
        if anchor is not None:
            self.sizes[anchor] = values


def check_events(text: str) -> None:
    """Refuse a text that would expand without bound, or whose tags would build other than plain values.

    Raises:
        YamlMistake: for the first such event.
        yaml.YAMLError: if it is no YAML.
    """
    # Events come one by one from the parser: nothing is expanded, so counting costs no memory.
    count = _Count()
    for event in yaml.parse(text, Loader=LOADER):
        line = event.start_mark.line + 1
        for rule in _rules(event, count):
            raise YamlMistake(line, rule)
        if count.total + sum(collection.values for collection in count.open) > MOST_VALUES:
            raise YamlMistake(
                line, f"the file must hold {MOST_VALUES:,} values at most. Got more, through aliases or in all."
            )


def _rules(event: yaml.Event, count: _Count) -> Iterator[str]:
    """Count an event, and give the rules that it breaks."""
    if isinstance(event, yaml.AliasEvent):
        # Only an open collection can be its own ancestor; PyYAML would build a list that holds itself.
        if any(collection.anchor == event.anchor for collection in count.open):
            yield "a value must not hold itself. Got an alias of its own parent. Remove it."
        count.add(count.sizes.get(event.anchor or "", 1), None)
    elif isinstance(event, yaml.CollectionStartEvent):
        if not event.implicit:
            yield f"the file must be YAML of plain values. Got the tag {str(event.tag)[:60]!r}. Remove it."
        count.open.append(_Open(event.anchor))
        if len(count.open) > DEEPEST:
            yield f"the file must be YAML of {DEEPEST} levels at most. Got deeper ones. Write fewer brackets or indents."
    elif isinstance(event, yaml.CollectionEndEvent):
        collection = count.open.pop()
        count.add(collection.values, collection.anchor)
    elif isinstance(event, yaml.ScalarEvent):
        if event.tag not in _TEXT_TAGS:
            yield f"the file must be YAML of plain values. Got the tag {str(event.tag)[:60]!r}. Remove it."
        # Implicit: a plain scalar, which is resolved to a number; quoted text may be of any length.
        if len(event.value) > LONGEST_NUMBER and event.implicit[0] and _is_number(event.value):
            yield f"a number must have {LONGEST_NUMBER} characters at most. Got {event.value[:20]}…. Quote what is text."
        count.add(1, event.anchor)


def _is_number(text: str) -> bool:
    return _resolver.resolve(yaml.ScalarNode, text, (True, False)) != "tag:yaml.org,2002:str"
