"""How the code reads, counted: pronoun-like names, comments, long functions, wide classes, circles of imports.

python -m benchmarks.readability
python -m benchmarks.readability src/video_tcav/media --names
"""

import argparse
import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Names that stand for something without saying what it is.
PRONOUNS = frozenset(
    {
        *(
            "one",
            "ones",
            "other",
            "others",
            "found",
            "own",
            "part",
            "parts",
            "place",
            "places",
            "known",
            "told",
            "seen",
        ),
        *("shown", "given", "kept", "held", "thing", "things", "both", "mine", "rest", "this", "that", "what", "whole"),
    }
)
DIRECTIVE = re.compile(r"#\s*(noqa|pyright|type:|fmt:|ruff)")
SOURCE = Path(__file__).parents[1] / "src" / "video_tcav"


@dataclass(frozen=True, kw_only=True)
class Readability:
    """Counts over some files.

    Attributes:
        lines: that are not blank.
        comment_lines: that hold a comment which is no directive to a tool.
        bindings: names that are bound: assigned, looped over, caught, taken as an argument.
        pronouns: how often each pronoun-like name is bound.
    """

    lines: int
    comment_lines: int
    bindings: int
    pronouns: Counter[str]

    @property
    def comment_share(self) -> float:
        """In [0, 1]."""
        return self.comment_lines / max(1, self.lines)

    @property
    def pronouns_in_1000(self) -> float:
        """Of 1,000 bindings."""
        return 1000 * self.pronouns.total() / max(1, self.bindings)


def sources(root: Path = SOURCE) -> list[Path]:
    """Python files below a folder, or the file itself."""
    return [root] if root.is_file() else sorted(root.rglob("*.py"))


@cache
def parsed(file: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(file.read_text())


def readability(files: list[Path]) -> Readability:
    """Count in all files."""
    names = [name for file in files for name in bindings(parsed(file))]
    return Readability(
        lines=sum(sum(bool(line.strip()) for line in file.read_text().splitlines()) for file in files),
        comment_lines=sum(comment_lines(file.read_text()) for file in files),
        bindings=len(names),
        pronouns=Counter(name for name in names if name.strip("_") in PRONOUNS),
    )


def bindings(tree: ast.AST) -> Iterator[str]:
    """Every name that code binds; attributes, imports and definitions are not counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg) and node.arg not in ("self", "cls"):
            yield node.arg
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name


def comment_lines(text: str) -> int:
    """Lines with a comment that is no directive to a tool."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return len(
        {token.start[0] for token in tokens if token.type == tokenize.COMMENT and not DIRECTIVE.match(token.string)}
    )


def long_functions(file: Path, most: int) -> list[tuple[str, int]]:
    """Functions with more lines than that, from `def` to the end, without docstring and signature."""
    functions = []
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = body_lines(node)
            if length > most:
                functions.append((f"{file.stem}.{node.name}", length))
    return functions


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body after its docstring."""
    first = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - first[0].lineno + 1 if first else 0


def wide_classes(file: Path, most: int) -> list[tuple[str, int]]:
    """Classes with more fields than that: annotated in the class, or set on `self` in `__init__`."""
    classes = []
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.ClassDef):
            fields = {
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    fields |= {
                        target.attr
                        for target in ast.walk(method)
                        if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store)
                    }
            if len(fields) > most:
                classes.append((f"{file.stem}.{node.name}", len(fields)))
    return classes


def imports(root: Path = SOURCE) -> dict[str, set[str]]:
    """Every module with the modules of the package that it names in an import, those for type checkers included."""
    names = {module_name(file, root): file for file in sources(root)}
    graph: dict[str, set[str]] = {}
    for name, file in names.items():
        targets: set[str] = set()
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.ImportFrom) and node.module:
                # `from package import module` names the module, `from module import name` the module before it
                targets |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
            elif isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
        graph[name] = targets & names.keys() - {name}
    return graph


def module_name(file: Path, root: Path = SOURCE) -> str:
    """Dotted name of a file of the package."""
    parts = [root.name, *file.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules that import each other, directly or through others (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[set[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in graph[name]:
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            group = set()
            while name not in group:
                group.add(stack.pop())
            groups.append(group)

    for name in graph:
        if name not in index:
            visit(name)
    return [group for group in groups if len(group) > 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "path", nargs="?", type=Path, default=SOURCE, help="folder or file; the whole package if not given"
    )
    parser.add_argument("--names", action="store_true", help="also list where pronoun-like names are bound")
    arguments = parser.parse_args()
    files = sources(arguments.path)
    folders = {file.relative_to(SOURCE).parts[0] if file.is_relative_to(SOURCE) else "" for file in files}
    print(f"{'':16}{'lines':>8}{'comments':>10}{'pronouns':>10}  of 1,000 bindings")
    for folder in [*sorted(folders), "all"]:
        chosen = (
            [file for file in files if folder == "all" or file.relative_to(SOURCE).parts[0] == folder]
            if folders != {""}
            else files
        )
        count = readability(chosen)
        print(f"{folder:16}{count.lines:8}{count.comment_share:10.1%}{count.pronouns_in_1000:10.1f}")
    if arguments.names:
        for file in files:
            count = readability([file])
            if count.pronouns:
                print(file, dict(count.pronouns.most_common()))
    for file in files:
        for name, length in long_functions(file, 60):
            print(f"long function: {name} {length}")
        for name, fields in wide_classes(file, 15):
            print(f"wide class: {name} {fields}")
    for group in circles(imports()):
        print(f"circle: {', '.join(sorted(group))}")


if __name__ == "__main__":
    main()
