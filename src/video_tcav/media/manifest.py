"""Manifests: lists of videos as CSV, TSV or Parquet with a `path` column."""

import csv
import io
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from video_tcav.core.errors import InputError, SourceError
from video_tcav.core.escaping import from_spreadsheet_cell
from video_tcav.core.limits import check_regular
from video_tcav.core.tables import TABLE_DAMAGE
from video_tcav.core.text_files import numbered_lines, plain_name, read_text, visible
from video_tcav.media.files import VideoSource, kind_of

MANIFEST_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
_SEPARATORS = (",", ";", "\t")
# other tools' columns for the times of a segment: ignored, they would silently give whole videos, or their rest
_UNITS = ("", "time", "s", "sec", "secs", "seconds", "ms", "frame", "frames", "idx", "timestamp")
_TIMES = {
    column: time
    for time, moments in {"start_s": ("start", "begin"), "end_s": ("end", "stop")}.items()
    for moment in moments
    for unit in _UNITS
    for column in (f"{moment}_{unit}".rstrip("_"), f"{moment}{unit}", f"{unit}_{moment}".lstrip("_"), f"t_{moment}")
}
_COLUMNS = frozenset(
    {"path", "label", "start_s", "end_s", "group", "pair", "youtube_id", "time_start", "time_end", "split"}
)
_TEXTS = ("path", "label", "group", "pair")


def read_table(path: Path) -> pd.DataFrame:
    """A CSV, TSV or Parquet file as text cells without spaces around; an empty cell is an empty string.

    The header tells whether commas, semicolons or tabs separate cells. Names of columns with a meaning are in any case.

    Raises:
        SourceError: if the file cannot be read as a table, or two columns have one name.
    """
    is_parquet = path.suffix.lower() == ".parquet"
    text = "" if is_parquet else read_text(path, error=SourceError)
    try:
        check_regular(path)
        table = pd.read_parquet(path) if is_parquet else _parse_cells(text)
        # inside the `try`: Parquet decodes its texts only now
        cells = table.astype(object).where(table.notna(), "").astype(str).map(visible)
    except TABLE_DAMAGE as error:
        reason = " ".join(str(error).split())
        raise SourceError(
            f"`{path}` must be a readable table. Got: {reason}. Quote cells that hold the separator."
        ) from error
    cells.columns = _column_names(path, [str(column) for column in cells.columns])
    return cells.loc[:, cells.columns != ""]  # a spreadsheet's empty columns


def header_separator(text: str) -> str:
    """Separator of a table's header: the one that gives known names of columns, or else most cells."""
    header = first_line(text)

    def fits(separator: str) -> tuple[int, int]:
        cells = [visible(cell).lower() for cell in split_cells(header, separator)]
        return len(_COLUMNS & set(cells)), len(cells)

    return max(_SEPARATORS, key=fits)


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return next((line for _, line in numbered_lines(text)), "")


def split_cells(line: str, separator: str) -> list[str]:
    """Cells of one line, which may be in quotes."""
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # a cell of more than 131,072 characters, the default limit of `csv`
        return line.split(separator)


def _parse_cells(text: str) -> pd.DataFrame:
    # the header as text too, so that pandas does not rename doubles
    table = pd.read_csv(
        io.StringIO(text),
        sep=header_separator(text),
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
        header=None,
        index_col=False,
    )
    cells = table.iloc[1:].reset_index(drop=True)
    cells.columns = [str(cell) for cell in table.iloc[0]]
    return cells


def _column_names(path: Path, names: Sequence[str]) -> list[str]:
    names = [visible(name) for name in names]
    names = [name.lower() if name.lower() in _COLUMNS else name for name in names]
    doubled = [name for name, count in Counter(names).items() if count > 1 and name]
    if doubled:
        raise SourceError(f"`{path}` must name each column once. Got {doubled[0]!r} twice. Rename one.")
    return names


def read_manifest(path: Path) -> list[VideoSource]:
    """Sources of a manifest, in its order.

    Args:
        path: table with the column `path`, relative to the manifest or absolute, and optionally `label`, `start_s`, `end_s`
            (seconds), `group` and `pair`. Other columns are ignored, unless their name is a usual one for such times.

    Raises:
        SourceError: if the table cannot be read, has no `path` column or no row, a row is malformed or repeated, or no file
            exists. A single file that is missing is left to the decoder to report.
    """
    table = read_table(path)
    if "path" not in table.columns:
        columns = ", ".join(table.columns)
        raise SourceError(
            f"`{path}` must have a column `path`. Got the columns {columns}. Rename the one with the files."
        )
    refuse_misnamed_times(str(path), table.columns)
    sources = [_row_source(path, number, row) for number, row in enumerate(table.to_dict("records"), start=1)]
    if not sources:
        raise SourceError(f"`{path}` must list at least one video. Got a header only. Add one row per video.")
    # a clip of two pairs is a repeat: it would stand in both, which then are not independent
    refuse_repeats(
        path, [(f"row {number}", replace(source, pair=None)) for number, source in enumerate(sources, start=1)]
    )
    if not any_exists(sources):
        first = sources[0].path
        raise SourceError(
            f"`{path}` must list files that exist. Got {len(sources)} rows, no file; the first is {first}. "
            "Write the paths relative to the manifest."
        )
    return sources


def refuse_misnamed_times(source: str, columns: Iterable[str]) -> None:
    """Refuse columns that look like the times of segments, where those that are read are not there."""
    columns = list(columns)
    unread = {"start_s", "end_s"} - set(columns)
    misnamed = [column for column in columns if _TIMES.get(column.lower()) in unread]
    if misnamed:
        raise SourceError(
            f"`{source}` must name its times `start_s` and `end_s`. Got {', '.join(misnamed)}. Rename them and give"
            " seconds, or delete them where videos are meant as a whole."
        )


def _row_source(manifest: Path, number: int, row: dict) -> VideoSource:
    where = f"`{manifest}`, row {number} after the header,"
    cell = from_spreadsheet_cell(row["path"])
    if not cell:
        raise SourceError(f"{where} must name a file in `path`. Got an empty cell. Fill it in or delete the row.")
    if broken := [column for column in _TEXTS if "\n" in str(row.get(column) or "")]:
        raise SourceError(
            f"{where} must be one line. Got a line break in `{broken[0]}`. Close the quotes, or double them."
        )
    path = listed_path(manifest.parent, cell)
    try:
        return VideoSource(
            path=path,
            kind=kind_of(path) or "video",
            label=plain_name(from_spreadsheet_cell(row.get("label") or "")) or None,
            start_s=_seconds(row.get("start_s"), "start_s"),
            end_s=_seconds(row.get("end_s"), "end_s"),
            group=plain_name(from_spreadsheet_cell(row.get("group") or "")) or None,
            pair=plain_name(from_spreadsheet_cell(row.get("pair") or "")) or None,
        )
    except InputError as error:
        raise SourceError(f"{where} cannot be used: {error}") from error


def _seconds(cell: str | None, column: str) -> float | None:
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError as error:
        raise InputError(f"`{column}` must be a number of seconds. Got {cell!r}. Write it like 12.5.") from error


def listed_path(folder: Path, name: str) -> Path:
    """Path of a listed name; backslashes separate folders unless a file has them in its name."""
    path = folder / name
    try:
        return path if path.exists() or "\\" not in name else folder / name.replace("\\", "/")
    except OSError as error:
        raise SourceError(
            f"`path` must be the name of a file. Got {name[:60]}…: {error.strerror}. Correct it."
        ) from error


def any_exists(sources: Sequence[VideoSource]) -> bool:
    """Whether any of the files is there."""
    return any(os.path.exists(source.path) for source in sources)  # noqa: PTH110  Path.exists raises for long names


def refuse_repeats(path: Path, rows: Sequence[tuple[str, Hashable]]) -> None:
    """Refuse a list that names a source twice; `rows` are the name of each row for the message, and its source."""
    first_row: dict[Hashable, str] = {}
    for row, source in rows:
        earlier = first_row.setdefault(source, row)
        if earlier != row:
            raise SourceError(f"`{path}` must have each source once. Got {row} the same as {earlier}. Delete one.")
