"""The files of an audit: `results.json` and tables, answers to each clip, examples as safetensors; and reading them back."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open

from video_tcav.auditing.answers import AuditAnswers, AuditedClip, ClipAnswer, version_answers
from video_tcav.auditing.examples import AuditExample
from video_tcav.auditing.figures import AuditFigure, Share, VersionResult
from video_tcav.auditing.result import AuditResult
from video_tcav.core.files import read_json
from video_tcav.core.result_files import RESULTS, reading_result, row_of, write_result
from video_tcav.core.tables import write_csv, write_parquet, write_tensors
from video_tcav.media import Skipped

ANSWERS, EXAMPLES = "answers.parquet", "examples.safetensors"


def save_audit(folder: Path, result: AuditResult) -> None:
    """Write tables first, then examples.

    Raises:
        UnsavedResultError: if any file cannot be written, with the result and what is there.
    """
    writers: dict[str, Callable[[Path], object]] = {
        RESULTS: result.to_json,
        "results.csv": lambda path: write_csv(path, result.to_frame()),
        "results.parquet": lambda path: write_parquet(path, result.to_frame()),
        "figures.csv": lambda path: write_csv(path, result.figure_frame()),
        ANSWERS: lambda path: write_parquet(path, result.answers.to_frame()),
        EXAMPLES: lambda path: _write_examples(path, result.examples),
    }
    write_result(folder, result, writers)


def is_audit(folder: Path) -> bool:
    """Whether a folder holds the result of an audit."""
    return (folder / RESULTS).is_file() and (folder / ANSWERS).is_file()


def load_audit(folder: str | Path) -> AuditResult:
    """Read what `audit(…, out=folder)` wrote.

    Raises:
        InputError: if the folder holds no audit, or a file of it is damaged.
    """
    path = Path(folder)
    with reading_result(path, of="an audit", command="audit"):
        content = read_json(path / RESULTS)
        answers = _answers(content, pd.read_parquet(path / ANSWERS))
        return _result(content, answers, _read_examples(path / EXAMPLES))


def _result(content: Mapping[str, Any], answers: AuditAnswers, examples: tuple[AuditExample, ...]) -> AuditResult:
    provenance = dict(content["provenance"])
    seconds = provenance.pop("seconds")
    return AuditResult(
        model=content["model"],
        versions=tuple(row_of(VersionResult, row) for row in content["versions"]),
        figures=tuple(row_of(AuditFigure, row) for row in content["figures"]),
        shares=tuple(row_of(Share, row) for row in content["share_rows"]),
        answers=answers,
        masks=content["masks"],
        is_boxes=content["is_boxes"],
        examples=examples,
        skipped=tuple(Skipped(**each) for each in content["skipped"]),
        warnings=tuple(content["warnings"]),
        provenance=provenance,
        seconds=seconds,
    )


def _answers(content: Mapping[str, Any], frame: pd.DataFrame) -> AuditAnswers:
    clips = [dict(row) for row in content["clips"]]
    objects = np.asarray([row.pop("has_object") for row in clips], dtype=bool)
    classes = {name: number for number, name in enumerate(content["classes"])}
    position = {(row["clip"], row["window"]): number for number, row in enumerate(clips)}
    by_version: dict[str, list[ClipAnswer | None]] = {}
    for row in frame.to_dict("records"):
        column = by_version.setdefault(row["version"], [None] * len(clips))
        column[position[row["clip"], row["window"]]] = ClipAnswer(
            log_odds=row["log_odds"],
            right=row["right"],
            says_lender=row["says_lender"],
            predicted=classes[row["predicted"]],
        )
    return AuditAnswers(
        clips=tuple(AuditedClip(**row) for row in clips),
        classes=tuple(content["classes"]),
        versions={name: version_answers(column) for name, column in by_version.items()},
        clip_objects=objects,
    )


def _write_examples(path: Path, examples: tuple[AuditExample, ...]) -> None:
    described = [[each.clip, each.version, each.fps] for each in examples]
    tensors = {str(number): each.frames.contiguous() for number, each in enumerate(examples)}
    write_tensors(path, tensors, metadata={"examples": json.dumps(described)})


def _read_examples(path: Path) -> tuple[AuditExample, ...]:
    with safe_open(path, "pt") as file:
        described = json.loads(file.metadata()["examples"])
        return tuple(
            AuditExample(clip=clip, version=version, frames=file.get_tensor(str(number)), fps=fps)
            for number, (clip, version, fps) in enumerate(described)
        )
