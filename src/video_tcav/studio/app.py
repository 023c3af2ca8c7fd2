"""The studio's HTTP interface: every change goes to the bank before the answer leaves."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from video_tcav.concepts.bank import BankClip, ConceptBank
from video_tcav.core.errors import MediaError, OutputError, VideoTcavError
from video_tcav.studio.payloads import PICTURES, PLAYS, bank_facts, clip_facts, detail_facts
from video_tcav.studio.requests import Judge, Move, NewConcept, Nothing, PathId, Rename, Wanted
from video_tcav.studio.run_pages import add_runs
from video_tcav.studio.runs import Runs
from video_tcav.studio.sample_size import Need
from video_tcav.studio.security import Guard, Refusal, shown
from video_tcav.studio.source_video import picture_shape, source_path
from video_tcav.studio.transcoding import Encodings

_STATIC = {path.name: path for path in (Path(__file__).parent / "static").iterdir()}
_KEEP = {"Cache-Control": "private, max-age=3600"}
_SIMILAR = 120


def create_app(
    bank: ConceptBank,
    *,
    port: int,
    token: str | None,
    need: Need | None = None,
    runs: Runs | None = None,
) -> ASGIApp:
    """The studio of a bank, as an ASGI app.

    Args:
        bank: what is reviewed; it stays the caller's to close.
        port: where the app will listen on 127.0.0.1.
        token: secret without which nothing is served; `None` asks for none.
        need: what makes a concept ready for a test.
        runs: of tests, to be shown beside their concepts.
    """
    need = need or Need()
    encodings = Encodings()

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        # the statistics load while the browser asks for the page
        Thread(target=lambda: need.videos, daemon=True).start()
        yield
        encodings.close()

    app = FastAPI(title="video-tcav studio", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    _add_errors(app)
    _add_pages(app)
    _add_clips(app, bank, encodings)
    _add_reads(app, bank, need)
    add_runs(app, bank, runs or Runs(), page=_STATIC["runs.html"])
    _add_changes(app, bank, need)
    return Guard(app, port=port, token=token)


def _add_pages(app: FastAPI) -> None:
    @app.get("/")
    def page() -> Response:
        return FileResponse(_STATIC["index.html"], headers={"Cache-Control": "no-store"})

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _STATIC:
            raise Refusal(404, f"There is no file {shown(name)} here.")
        return FileResponse(_STATIC[name], headers={"Cache-Control": "no-cache"})


def _add_clips(app: FastAPI, bank: ConceptBank, encodings: Encodings) -> None:
    @app.get("/clips/{id}")
    def clip_file(id: PathId) -> Response:
        clip = _own(bank, id)
        kind = {**PLAYS, **PICTURES}.get(clip.path.suffix.lower())
        if kind is None:
            raise Refusal(415, f"Browsers do not play {shown(clip.path.suffix)}. Ask for /encoded/{id} instead.")
        return _file(clip.path, kind, _KEEP)

    @app.get("/encoded/{id}")
    def encoded_file(id: PathId) -> Response:
        found = encodings.clip(_own(bank, id))
        return _file(found.path, found.media_type, _KEEP)

    @app.get("/sources/{id}")
    def source_file(id: PathId) -> Response:
        path = source_path(_clip(bank, id).origin)
        return _file(path, PLAYS.get(path.suffix.lower(), "application/octet-stream"), {})

    @app.get("/spans/{id}")
    def span_file(id: PathId) -> Response:
        found = encodings.span(_clip(bank, id))
        return _file(found.path, found.media_type, {})

    @app.get("/api/clips/{id}/span")
    def span(id: PathId) -> dict[str, Any]:
        found = encodings.span(_clip(bank, id))
        size = {"width": found.width, "height": found.height}
        return {"url": f"/spans/{id}", "offset_s": found.offset_s, **size}


def _add_reads(app: FastAPI, bank: ConceptBank, need: Need) -> None:
    @app.get("/api/bank")
    def read_bank() -> dict[str, Any]:
        return bank_facts(bank, need)

    @app.get("/api/clips")
    def read_clips(wanted: Annotated[Wanted, Query()]) -> dict[str, Any]:
        _check_filters(bank, wanted)
        if wanted.like is not None:
            found = _like(bank, wanted)
            part = found[wanted.offset : wanted.offset + wanted.limit]
            return {"total": len(found), "clips": [clip_facts(one) for one in part]}
        filters = wanted.filters()
        part = bank.clips(**filters, limit=wanted.limit, offset=wanted.offset)
        return {"total": bank.count(**filters), "clips": [clip_facts(one) for one in part]}

    @app.get("/api/clips/{id}")
    def read_clip(id: PathId) -> dict[str, Any]:
        clip = _clip(bank, id)
        try:
            path = source_path(clip.origin)
            shape = picture_shape(path)
        except MediaError as error:
            return detail_facts(clip) | {"source_url": None, "source_note": error.reason}
        url = f"/sources/{id}" if path.suffix.lower() in PLAYS else None
        size = {"source_width": shape.width, "source_height": shape.height}
        return detail_facts(clip) | {"source_url": url, "source_note": "", **size}


def _add_changes(app: FastAPI, bank: ConceptBank, need: Need) -> None:
    def done(said: str, **more: Any) -> dict[str, Any]:
        return {"said": said, "bank": bank_facts(bank, need), **more}

    @app.post("/api/verdict")
    def judge(asked: Judge) -> dict[str, Any]:
        _check_ids(bank, asked.ids)
        bank.set_verdict(asked.ids, asked.verdict)
        word = {"open": "Opened again", "accepted": "Accepted", "rejected": "Rejected"}[asked.verdict]
        return done(f"{word}: {_clips(asked.ids)}.")

    @app.post("/api/move")
    def move(asked: Move) -> dict[str, Any]:
        _check_ids(bank, asked.ids)
        bank.move(asked.ids, asked.concept)
        where = f"to {asked.concept}" if asked.concept else "out of its concept"
        return done(f"Moved {where}: {_clips(asked.ids)}.")

    @app.post("/api/concepts")
    def add_concept(asked: NewConcept) -> dict[str, Any]:
        bank.add_concept(asked.name)
        return done(f"New concept: {asked.name}.")

    @app.post("/api/concepts/rename")
    def rename(asked: Rename) -> dict[str, Any]:
        _known("concept", asked.name, [one.name for one in bank.concepts()])
        bank.rename_concept(asked.name, asked.new)
        return done(f"Renamed {asked.name} to {asked.new}.")

    @app.post("/api/undo")
    def undo(_asked: Nothing) -> dict[str, Any]:
        undone = bank.undo()
        return done(f"Taken back: {undone}." if undone else "There is nothing to take back.", undone=undone is not None)


def _add_errors(app: FastAPI) -> None:
    """Every failure is one plain line."""

    def plain(kind: type[Exception], refusal: Callable[[Any], Refusal]) -> None:
        async def answer(_request: Request, error: Exception) -> Response:
            return refusal(error).response()

        app.add_exception_handler(kind, answer)

    plain(Refusal, lambda error: error)
    plain(HTTPException, lambda error: Refusal(error.status_code, f"{error.detail}.", **(error.headers or {})))
    plain(RequestValidationError, _not_valid)
    plain(MediaError, lambda error: Refusal(404, f"{Path(error.path).name} {error.reason}."))
    plain(OutputError, lambda error: Refusal(507, _one_line(error)))
    plain(VideoTcavError, lambda error: Refusal(400, _one_line(error)))
    plain(Exception, lambda _error: Refusal(500, "The studio failed. Its terminal says more. Reload the page."))


def _not_valid(error: RequestValidationError) -> Refusal:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    text = f"{shown('.'.join(where))} is not valid: {first['msg']}. Got {shown(first.get('input'))}."
    return Refusal(404 if where[0] == "path" else 422, text)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _clip(bank: ConceptBank, id: int) -> BankClip:
    _check_ids(bank, [id])
    return bank.clip(id)


def _own(bank: ConceptBank, id: int) -> BankClip:
    """A clip whose file is one of the bank's."""
    clip = _clip(bank, id)
    if not clip.path.resolve().is_relative_to(bank.folder.resolve()):
        raise Refusal(403, f"The file of clip {id} is no clip of the bank. Run `video-tcav bank check`.")
    return clip


def _check_ids(bank: ConceptBank, ids: Sequence[int]) -> None:
    if (there := bank.count(ids=ids)) < len(set(ids)):
        one = len(set(ids)) == 1
        text = f"There is no clip {ids[0]}." if one else f"Only {there} of {len(set(ids))} clips are there."
        raise Refusal(404, f"{text} Reload the page.")


def _check_filters(bank: ConceptBank, wanted: Wanted) -> None:
    if wanted.concept:
        _known("concept", wanted.concept, [one.name for one in bank.concepts()])
    if wanted.label:
        _known("label", wanted.label, bank.labels())
    if wanted.video:
        _known("video", wanted.video, bank.videos())


def _known(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise Refusal(404, f"There is no {what} {shown(value)} in this bank. It may have got another name.")


def _like(bank: ConceptBank, wanted: Wanted) -> list[BankClip]:
    """The clip itself and those nearest to it, nearest first, as far as they pass the filters."""
    assert wanted.like is not None
    first = _clip(bank, wanted.like).id
    near = [first, *(one for one in bank.similar(first, count=_SIMILAR) if one != first)]
    filters = wanted.filters()
    filters["ids"] = near
    return bank.clips(**filters, order="given")


def _file(path: Path, kind: str, headers: dict[str, str]) -> Response:
    if not path.is_file():
        raise Refusal(404, f"The file {path.name} is missing. Run `video-tcav bank check`.")
    return FileResponse(path, media_type=kind, headers=headers)


def _clips(ids: Sequence[int]) -> str:
    count = len(set(ids))
    return "1 clip" if count == 1 else f"{count} clips"
