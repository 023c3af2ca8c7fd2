"""The table of families in docs/models.md: read, and written by `python -m tests.families.table` (minutes)."""

import re
import sys
import tempfile
import traceback
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
MARKED = re.compile(r"(<!-- families -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def documented() -> dict[str, list[str]]:
    """The cells of each row."""
    table = MARKED.search(PAGE.read_text(encoding="utf-8"))[2]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
    return {name: cells for name, *cells in rows[2:]}


def main(names: list[str]) -> None:
    """Measure all families, or those of the names (`--missing`: those without a row), and write their rows."""
    from .all import FAMILIES
    from .family import COLUMNS, row

    rows = documented()
    for family in FAMILIES:
        is_missing = names == ["--missing"] and family.name not in rows
        if not names or family.name in names or is_missing:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    rows[family.name] = row(family, Path(folder))
                except Exception:
                    traceback.print_exc()
                    continue
            print(family.name, rows[family.name], flush=True)
    lines = [("family", *COLUMNS), ("---",) * (len(COLUMNS) + 1)]
    lines += [(family.name, *rows[family.name]) for family in FAMILIES if family.name in rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    PAGE.write_text(MARKED.sub(lambda marked: marked[1] + table + marked[3], PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
