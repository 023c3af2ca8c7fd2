"""A user's own list of videos: CSV, TSV or Parquet with a `path` column."""

from pathlib import Path

import pandas as pd

from video_tcav.core.errors import InputError, SourceError
from video_tcav.core.escaping import from_spreadsheet_cell
from video_tcav.media.files import VideoSource, kind_of

MANIFEST_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})


def read_table(path: Path) -> pd.DataFrame:
    """A CSV, TSV or Parquet file as text cells; an empty cell is an empty string.

    Raises:
        SourceError: if the file cannot be read as a table.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
        else:
            separator = "\t" if path.suffix.lower() == ".tsv" else ","
            table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (
        OSError,
        ValueError,
    ) as error:  # pandas' parser errors, pyarrow's and bad encodings are ValueErrors
        reason = " ".join(str(error).split())
        raise SourceError(f"`{path}` must be a readable table. Got: {reason}. Save it again as UTF-8 CSV.") from error
    ragged = not isinstance(table.index, pd.RangeIndex)  # pandas takes surplus first cells for an index
    if ragged:
        raise SourceError(f"`{path}` must have one name per column. Got rows longer than the header. Quote commas.")
    table.columns = [str(column).strip() for column in table.columns]
    return table.astype(object).where(table.notna(), "").astype(str)


def read_manifest(path: Path) -> list[VideoSource]:
    """Sources of a manifest, in its order.

    Args:
        path: table with the column `path`, relative to the manifest or absolute, and optionally `label`,
            `start_s`, `end_s` (seconds) and `group`. Other columns are left alone.

    Raises:
        SourceError: if the table cannot be read, has no `path` column or no row, a row is malformed or
            repeated, or no file exists. A single file that is missing is left to the decoder to report.
    """
    table = read_table(path)
    if "path" not in table.columns:
        columns = ", ".join(table.columns)
        raise SourceError(
            f"`{path}` must have a column `path`. Got the columns {columns}. Rename the one with the files."
        )
    sources = [_row_source(path, number, row) for number, row in enumerate(table.to_dict("records"), start=1)]
    if not sources:
        raise SourceError(f"`{path}` must list at least one video. Got a header only. Add one row per video.")
    _refuse_repeats(path, sources)
    if not any(source.path.exists() for source in sources):
        first = sources[0].path
        raise SourceError(
            f"`{path}` must list files that exist. Got {len(sources)} rows, no file; the first is {first}. "
            "Write the paths relative to the manifest."
        )
    return sources


def _row_source(manifest: Path, number: int, row: dict) -> VideoSource:
    where = f"`{manifest}`, row {number} after the header,"
    cell = from_spreadsheet_cell(row["path"].strip())
    if not cell:
        raise SourceError(f"{where} must name a file in `path`. Got an empty cell. Fill it in or delete the row.")
    path = manifest.parent / cell
    try:
        return VideoSource(
            path=path,
            kind=kind_of(path) or "video",
            label=from_spreadsheet_cell(row.get("label") or "") or None,
            start_s=_seconds(row.get("start_s"), "start_s"),
            end_s=_seconds(row.get("end_s"), "end_s"),
            group=from_spreadsheet_cell(row.get("group") or "") or None,
        )
    except InputError as error:
        raise SourceError(f"{where} cannot be used: {error}") from error


def _seconds(cell: str | None, column: str) -> float | None:
    if not cell or not cell.strip():
        return None
    try:
        return float(cell)
    except ValueError as error:
        raise InputError(f"`{column}` must be a number of seconds. Got {cell!r}. Write it like 12.5.") from error


def _refuse_repeats(manifest: Path, sources: list[VideoSource]) -> None:
    first_row: dict[VideoSource, int] = {}
    for number, source in enumerate(sources, start=1):
        earlier = first_row.setdefault(source, number)
        if earlier != number:
            raise SourceError(
                f"`{manifest}` must have each source once. Got row {number} the same as row {earlier}. Delete one."
            )
