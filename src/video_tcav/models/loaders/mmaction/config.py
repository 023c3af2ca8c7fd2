"""Config files of mmaction2 and mmengine, read by their syntax tree: literals, `dict(...)`, names, `_base_`; nothing is run."""

import ast
import copy
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_tcav.core.errors import ModelError
from video_tcav.core.limits import excerpt
from video_tcav.core.text_files import read_text

_DEEPEST_BASE = 8
"""Configs that stand on each other; the published ones stand on two."""
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_BASE, _DELETE = "_base_", "_delete_"


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A value that only running the file would give; an error as soon as something needs it."""

    path: Path
    line: int
    source: str

    def error(self) -> ModelError:
        """What to say where the value is needed."""
        return ModelError(
            "`model` must be a config of literals, dict(...) and names that were set before, since it is read and not run."
            f" Got {excerpt(self.source)} in line {self.line} of {self.path}. Write the value itself, as mmengine's"
            " `Config.fromfile(path).dump()` does."
        )


class _NotLiteralError(Exception):
    def __init__(self, unread: Unread) -> None:
        super().__init__()
        self.unread = unread


def read_config(path: Path) -> dict[str, Any]:
    """The names that a config sets, over those of its `_base_` files, as mmengine merges them.

    Values that cannot be read without running the file are `Unread`: schedules and optimisers often compute, and nothing here
    needs them.

    Raises:
        ModelError: if it cannot be read, or has statements that would change what was read.

    Source:
        mmengine 0.10.7, config/config.py (`_file2dict`, `_merge_a_into_b`).
    """
    return _read(path, depth=0)


def _read(path: Path, *, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST_BASE:
        raise ModelError(
            f"`model` must stand on {_DEEPEST_BASE} configs at most. Got {path} below more. Look for a circle of _base_."
        )
    text = read_text(path, error=ModelError)
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as reason:
        line = f" in line {reason.lineno}" if isinstance(reason, SyntaxError) else ""
        raise ModelError(
            f"`model` must be a Python config. Got {path}, which is none{line}. Check the path."
        ) from reason
    base: dict[str, Any] = {}
    for file in _base_files(statements, path):
        base |= _read(path.parent / file, depth=depth + 1)
    reader = _Reader(path=path, names={}, base=base)
    try:
        for statement in statements:
            reader.run(statement)
    except RecursionError as reason:
        raise ModelError(f"`model` must be a config whose values nest less deep. Got {path}. Write it out.") from reason
    return merged(base, {name: value for name, value in reader.names.items() if name != _BASE})


def _base_files(statements: list[ast.stmt], path: Path) -> list[str]:
    """Paths in `_base_`: one, or several."""
    reader = _Reader(path=path, names={}, base={})
    for statement in statements:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == _BASE:
            reader.run(statement)
    files = reader.names.get(_BASE, [])
    if isinstance(files, Unread):
        raise files.error()
    files = [files] if isinstance(files, str) else files
    if not isinstance(files, list | tuple) or not all(isinstance(file, str) and "::" not in file for file in files):
        raise ModelError(
            f"`_base_` must be the path of a config, or a list of them. Got {excerpt(files)} in {path}. Give paths, not files"
            " of a package (`mmdet::…`)."
        )
    return list(files)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Dicts of a config over those of its base, key by key; `_delete_=True` in a dict takes it alone."""
    result: dict[str, Any] = dict(base)
    for name, value in changes.items():
        if isinstance(value, Mapping):
            content = {key: item for key, item in value.items() if key != _DELETE}
            below: Any = result.get(name)
            stands_alone = value.get(_DELETE, False) or not isinstance(below, Mapping)
            result[name] = merged({} if stands_alone else below, content)
        else:
            result[name] = value
    return result


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Statements of one file, in order; `names` grows with them."""

    path: Path
    names: dict[str, Any]
    base: Mapping[str, Any]

    def run(self, statement: ast.stmt) -> None:
        """Set what an assignment sets; anything that might change values which were set is refused."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.names[name] = self._value_or_unread(value)
            case ast.Assign(targets=[ast.Subscript(value=inner, slice=index)], value=value):
                self._set_item(statement, inner, index, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.names[name] = self._value_or_unread(value)
            case ast.Import() | ast.ImportFrom():
                for alias in statement.names:
                    self.names[(alias.asname or alias.name).partition(".")[0]] = self._unread(statement)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                self.names[name] = self._unread(statement)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                # `model.update(...)`, `with read_base():`, `if`: what is read would not be what a run gives.
                raise self._unread(statement).error()

    def _set_item(self, statement: ast.stmt, inner: ast.expr, index: ast.expr, value: ast.expr) -> None:
        """`name['key'] = value`: names share their dicts and lists here as they do in a run."""
        root = inner
        while isinstance(root, ast.Subscript):
            root = root.value
        try:
            # What `_base_` holds is merged after this file's own names.
            if not isinstance(root, ast.Name) or root.id == _BASE:
                raise _NotLiteralError(self._unread(statement))
            self._value(inner)[self._value(index)] = self._value(value)
        except (_NotLiteralError, IndexError, TypeError) as reason:
            raise self._unread(statement).error() from reason

    def _unread(self, node: ast.AST) -> Unread:
        return Unread(path=self.path, line=getattr(node, "lineno", 0), source=ast.unparse(node).partition("\n")[0])

    def _value_or_unread(self, node: ast.expr) -> Any:
        try:
            return self._value(node)
        except _NotLiteralError as reason:
            return reason.unread

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.List(elts=items):
                return [self._value(item) for item in items]
            case ast.Tuple(elts=items):
                return tuple(self._value(item) for item in items)
            case ast.Dict(keys=keys, values=values):
                return dict(self._pairs(zip(keys, values, strict=True)))
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
                named = ((None if word.arg is None else ast.Constant(word.arg), word.value) for word in keywords)
                return dict(self._pairs(named))
            case ast.Call(func=ast.Attribute(value=inner, attr="copy"), args=[], keywords=[]):
                return copy.copy(self._value(inner))
            case ast.Name(id=name):
                return self._known(node, self.base if name == _BASE else self.names.get(name, self._unread(node)))
            case ast.Attribute(value=inner, attr=key):
                return self._item(node, inner, key)
            case ast.Subscript(value=inner, slice=index):
                return self._item(node, inner, self._value(index))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._arithmetic(node, operator.sub, 0, self._value(operand))
            case ast.BinOp(left=left, op=kind, right=right) if type(kind) in _ARITHMETIC:
                return self._arithmetic(node, _ARITHMETIC[type(kind)], self._value(left), self._value(right))
            case _:
                raise _NotLiteralError(self._unread(node))

    def _pairs(self, items: Any) -> Iterator[tuple[Any, Any]]:
        """Keys and values of a dict; those of another one where `**` takes them in."""
        for key, value in items:
            content = self._value(value)
            if key is not None:
                yield self._value(key), content
            elif isinstance(content, Mapping):
                yield from content.items()
            else:
                raise _NotLiteralError(self._unread(value))

    def _known(self, node: ast.expr, value: Any) -> Any:
        if isinstance(value, Unread):
            raise _NotLiteralError(value if value.source != ast.unparse(node) else self._unread(node))
        return value

    def _item(self, node: ast.expr, inner: ast.expr, key: Any) -> Any:
        try:
            return self._known(node, self._value(inner)[key])
        except (KeyError, IndexError, TypeError) as reason:
            raise _NotLiteralError(self._unread(node)) from reason

    def _arithmetic(self, node: ast.expr, compute: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        # Of numbers, and joined texts and lists: a list or text times a large number would fill the memory.
        joined = compute is operator.add and type(left) is type(right) and isinstance(left, str | list | tuple)
        if not joined and not all(isinstance(value, int | float) for value in (left, right)):
            raise _NotLiteralError(self._unread(node))
        try:
            return compute(left, right)
        except ArithmeticError as reason:
            raise _NotLiteralError(self._unread(node)) from reason
