"""Tables of the documentation that are made from settings classes: `python docs/tables.py` writes them into the pages.

A page holds a table of options between `<!-- settings: recording -->` and `<!-- end -->`, one of keys of experiment files
after `<!-- keys: recording -->`, the packages with what they import after `<!-- packages -->`, and the formats of lists after
`<!-- lists -->`.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the scripts of a checkout
from benchmarks.readability import SOURCE, imports

from video_tcav.auditing.settings import AuditSettings
from video_tcav.core.settings import Setting, Settings, settings_of
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.experiments.audit_section import AUDIT
from video_tcav.experiments.file import CAV, INTERVENTIONS, RECORDING, STATISTICS
from video_tcav.media.video_lists.list_format import LIST_FORMATS
from video_tcav.recording.settings import RecordingSettings
from video_tcav.tcav.settings import InterventionSettings, StatisticsSettings

CLASSES: dict[str, type[Settings]] = {
    "recording": RecordingSettings,
    "statistics": StatisticsSettings,
    "interventions": InterventionSettings,
    "discovery": DiscoverySettings,
    "audit": AuditSettings,
}
KEYS: dict[str, list[Setting]] = {
    "recording": [*RECORDING, *CAV],
    "statistics": STATISTICS,
    "interventions": INTERVENTIONS,
    "audit": AUDIT,
}
MARKED = re.compile(r"(<!-- (settings|keys): (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PACKAGES = re.compile(r"(<!-- packages -->\n).*?(<!-- end -->)", re.DOTALL)
LISTS = re.compile(r"(<!-- lists -->\n).*?(<!-- end -->)", re.DOTALL)
DOCS = Path(__file__).parent


def options_table(kind: type[Settings]) -> str:
    """Option, default and meaning of every setting of a class."""
    rows = [f"| `{known.option}` | {_default(known)} | {_meaning(known)} |" for known in settings_of(kind)]
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def keys_table(settings: list[Setting]) -> str:
    """Key, default and meaning of settings in experiment files."""
    rows = [f"| `{known.name}` | {_default(known)} | {_meaning(known)} |" for known in settings]
    return "\n".join(["| key | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def _default(known: Setting) -> str:
    if known.default is None:
        return known.info.default_text or "none"
    return f"`{str(known.default).lower()}`" if isinstance(known.default, bool) else f"`{known.default}`"


def _meaning(known: Setting) -> str:
    text = known.info.help
    if known.choices:
        text += f" One of {', '.join(f'`{choice}`' for choice in known.choices)}."
    if known.info.least is not None:
        text += f" At least {known.info.least}."
    if known.option[2:].replace("-", "_") != known.name:
        text += f" `{known.option}` on the command line, `{known.name}` elsewhere."
    return f"{text} {known.info.docs}".strip()


def packages_table() -> str:
    """The packages by rows, as the import contract has them: what each holds, and which of the rows below it imports."""
    contract = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    imported: dict[str, set[str]] = {}
    for module, targets in imports().items():
        imported.setdefault(_package(module), set()).update(map(_package, targets))
    order = _order(contract["layers"])
    known = {name for layer in contract["layers"] for name in re.split(r"[ :|]+", layer)}
    rows = []
    for layer in contract["layers"]:
        for name in re.split(r"[ :|]+", layer):
            below = sorted((imported[name] - {name}) & known, key=order)
            rows.append(
                f"| `{name}` | {_first_line(name)} | {', '.join(f'`{other}`' for other in below) or 'nothing'} |"
            )
        rows.append("| | | |")
    return "\n".join(["| package | holds | imports |", "| --- | --- | --- |", *rows[:-1]]) + "\n"


def lists_table() -> str:
    """Formats of published lists: what is read, what can be a group, and what may be chosen behind `::`."""
    rows = []
    for known in LIST_FORMATS.values():
        choices = [*(f"`{kind}=`" for kind in known.labels[1:]), *(["`split=`"] if known.has_splits else [])]
        groups = ", ".join(known.identifiers) or "the file"
        rows.append(f"| `{known.name}` | {known.help} | {groups} | {', '.join(choices)} |")
    header = ["| format | what is read | groups, the first by default | behind `::` |", "| --- | --- | --- | --- |"]
    return "\n".join([*header, *rows]) + "\n"


def _package(module: str) -> str:
    """The first name below the package's own."""
    return module.split(".")[1] if "." in module else ""


def _order(layers: list[str]) -> Callable[[str], int]:
    names = [name for layer in layers for name in re.split(r"[ :|]+", layer)]
    return names.index


def _first_line(name: str) -> str:
    """First line of a package's docstring, without its full stop."""
    file = SOURCE / name / "__init__.py"
    text = ast.get_docstring(ast.parse((file if file.exists() else SOURCE / f"{name}.py").read_text())) or ""
    return text.splitlines()[0].removesuffix(".")


def with_tables(page: str) -> str:
    """The text of a page with its tables as they must be now."""
    page = PACKAGES.sub(lambda marked: marked[1] + packages_table() + marked[2], page)
    page = LISTS.sub(lambda marked: marked[1] + lists_table() + marked[2], page)

    def replaced(marked: re.Match[str]) -> str:
        name = marked[3]
        rows = options_table(CLASSES[name]) if marked[2] == "settings" else keys_table(KEYS[name])
        return marked[1] + rows + marked[4]

    return MARKED.sub(replaced, page)


if __name__ == "__main__":
    for path in DOCS.rglob("*.md"):
        text = path.read_text()
        if with_tables(text) != text:
            path.write_text(with_tables(text))
            print(path)
