"""The fenced blocks of a page, and what their marks say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("**/*.md"))]
EXAMPLES = ("python", "console", "bash", "yaml")
"""Languages of blocks that run. `text` is what a program prints, or a formula."""
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]+) -->\n)?^```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
TITLE = re.compile(r'title="(?P<name>[^",]+)(?P<continued>, continued)?"')


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block.

    Attributes:
        line: of its first line in the page, from one.
        language: after the fence.
        mark: what the comment right before the fence says: `not run: WHY`, or `printed` for text that must have been printed.
        file: the file that the block is, by its title; empty if it is none.
        continued: whether it is added to that file.
        body: its lines.
    """

    line: int
    language: str
    mark: str
    file: str
    continued: bool
    body: str

    @property
    def runs(self) -> bool:
        return self.language in EXAMPLES and not self.mark.startswith("not run: ")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        title = TITLE.search(match["info"])
        found.append(
            Block(
                line=text.count("\n", 0, match.start("body")) + 1,
                language=match["language"],
                mark=match["mark"] or "",
                file=title["name"] if title else "",
                continued=bool(title and title["continued"]),
                body=match["body"],
            )
        )
    return found


def shell_lines(body: str) -> list[str]:
    """Commands and printed lines of a console block; continued commands are joined."""
    return body.replace("\\\n", " ").splitlines()


def commands_in(found: Sequence[Block]) -> list[str]:
    """Every `video-tcav` command in console blocks, shell scripts, and files such as those of a workflow."""
    lines = [line.strip() for one in found if one.language in EXAMPLES[1:] for line in shell_lines(one.body)]
    starts = ("$ ", "- run: ", "run: ", "# ")
    bare = [next((line.removeprefix(start) for start in starts if line.startswith(start)), line) for line in lines]
    return [line for line in bare if line.startswith("video-tcav ")]
