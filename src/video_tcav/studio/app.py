"""HTTP interface of the studio: every change is in the bank before the answer leaves."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

from pydantic import Field

from video_tcav.concepts.bank import BankClip, ConceptBank
from video_tcav.core.errors import MediaError, MissingExtraError, OutputError, VideoTcavError
from video_tcav.core.files import reason_of
from video_tcav.studio.browser_media import Encodings, picture_size, source_path
from video_tcav.studio.payloads import PICTURES, PLAYS, bank_payload, clip_payload, detail_payload
from video_tcav.studio.requests import ClipQuery, Judge, Move, NewConcept, Nothing, PathId, Rename
from video_tcav.studio.run_matches import list_payload, run_payload
from video_tcav.studio.runs import Run, Runs
from video_tcav.studio.sample_size import Need
from video_tcav.studio.security import Guard, Refusal, excerpt

try:
    from fastapi import FastAPI, Query, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import FileResponse
    from starlette.exceptions import HTTPException
    from starlette.types import ASGIApp
except ImportError as error:
    raise MissingExtraError("studio", "The studio") from error

_STATIC = {path.name: path for path in (Path(__file__).parent / "static").iterdir()}
_KEEP = {"Cache-Control": "private, max-age=3600"}  # a clip of that digest never changes
_SIMILAR = 120  # clips: two screens
RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
# A sandboxed page has an origin of its own: a report may run the scripts in it, but has neither the studio's cookie nor its
# interface nor any network.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src data: blob:; font-src data:; connect-src 'none'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


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
        runs: of tests, shown beside their concepts.
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
    _add_runs(app, bank, runs or Runs())
    _add_changes(app, bank, need)
    return Guard(app, port=port, token=token)


def _add_pages(app: FastAPI) -> None:
    @app.get("/")
    def page() -> Response:
        return FileResponse(_STATIC["index.html"])

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _STATIC:
            raise Refusal(404, f"There is no file {excerpt(name)} here.")
        return FileResponse(_STATIC[name], headers={"Cache-Control": "no-cache"})


def _add_clips(app: FastAPI, bank: ConceptBank, encodings: Encodings) -> None:
    @app.get("/clips/{id}")
    def clip_file(id: PathId) -> Response:
        clip = _clip_in_bank(bank, id)
        kind = {**PLAYS, **PICTURES}.get(clip.path.suffix.lower())
        if kind is None:
            raise Refusal(415, f"Browsers do not play {excerpt(clip.path.suffix)}. Ask for /encoded/{id} instead.")
        return _file(clip.path, kind, _KEEP)

    @app.get("/encoded/{id}")
    def encoded_file(id: PathId) -> Response:
        encoded = encodings.clip(_clip_in_bank(bank, id))
        return _file(encoded.path, encoded.media_type, _KEEP)

    @app.get("/sources/{id}")
    def source_file(id: PathId) -> Response:
        path = source_path(_clip(bank, id).origin)
        return _file(path, PLAYS.get(path.suffix.lower(), "application/octet-stream"), {})

    @app.get("/spans/{id}")
    def span_file(id: PathId) -> Response:
        encoded = encodings.span(_clip(bank, id))
        return _file(encoded.path, encoded.media_type, {})

    @app.get("/api/clips/{id}/span")
    def span(id: PathId) -> dict[str, Any]:
        encoded = encodings.span(_clip(bank, id))
        size = {"width": encoded.width, "height": encoded.height}
        return {"url": f"/spans/{id}", "offset_s": encoded.offset_s, **size}


def _add_reads(app: FastAPI, bank: ConceptBank, need: Need) -> None:
    @app.get("/api/bank")
    def read_bank() -> dict[str, Any]:
        return bank_payload(bank, need)

    @app.get("/api/clips")
    def read_clips(query: Annotated[ClipQuery, Query()]) -> dict[str, Any]:
        _check_filters(bank, query)
        if query.like is not None:
            similar = _similar(bank, query, query.like)
            clips, total = similar[query.offset : query.offset + query.limit], len(similar)
        else:
            clips = bank.clips(**query.filters(), limit=query.limit, offset=query.offset)
            total = bank.count(**query.filters())
        return {"total": total, "clips": [clip_payload(clip) for clip in clips]}

    @app.get("/api/clips/{id}")
    def read_clip(id: PathId) -> dict[str, Any]:
        clip = _clip(bank, id)
        try:
            path = source_path(clip.origin)
            width, height = picture_size(path)
        except MediaError as error:
            return detail_payload(clip) | {"source_url": None, "source_note": error.reason}
        url = f"/sources/{id}" if path.suffix.lower() in PLAYS else None
        source = {"source_url": url, "source_note": "", "source_width": width, "source_height": height}
        return detail_payload(clip) | source


def _add_runs(app: FastAPI, bank: ConceptBank, runs: Runs) -> None:
    def run_of(id: str) -> Run:
        for run in runs.find().runs:
            if run.id == id:
                return run
        raise Refusal(404, "There is no such run any more. Load the list of runs again.")

    @app.get("/api/runs")
    def read_runs() -> dict[str, Any]:
        return list_payload(runs.find(), bank)

    @app.get("/api/runs/{id}")
    def read_run(id: RunId) -> dict[str, Any]:
        return run_payload(run_of(id), bank)

    @app.get("/runs")
    def list_page() -> Response:
        return FileResponse(_STATIC["runs.html"])

    @app.get("/runs/{id}")
    def run_page(id: RunId) -> Response:
        run_of(id)
        return FileResponse(_STATIC["runs.html"])

    @app.get("/runs/{id}/report")
    def report(id: RunId) -> Response:
        path = run_of(id).report
        if path is None:
            raise Refusal(404, "The run has no report.html in its folder.")
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY})


def _add_changes(app: FastAPI, bank: ConceptBank, need: Need) -> None:
    def done(message: str, **more: Any) -> dict[str, Any]:
        return {"said": message, "bank": bank_payload(bank, need), **more}

    @app.post("/api/verdict")
    def judge(body: Judge) -> dict[str, Any]:
        _check_ids(bank, body.ids)
        bank.set_verdict(body.ids, body.verdict)
        word = {"open": "Opened again", "accepted": "Accepted", "rejected": "Rejected"}[body.verdict]
        return done(f"{word}: {_clips(body.ids)}.")

    @app.post("/api/move")
    def move(body: Move) -> dict[str, Any]:
        _check_ids(bank, body.ids)
        bank.move(body.ids, body.concept)
        where = f"to {body.concept}" if body.concept else "out of its concept"
        return done(f"Moved {where}: {_clips(body.ids)}.")

    @app.post("/api/concepts")
    def add_concept(body: NewConcept) -> dict[str, Any]:
        bank.add_concept(body.name)
        return done(f"New concept: {body.name}.")

    @app.post("/api/concepts/rename")
    def rename(body: Rename) -> dict[str, Any]:
        _check_known("concept", body.name, [count.name for count in bank.concepts()])
        bank.rename_concept(body.name, body.new)
        return done(f"Renamed {body.name} to {body.new}.")

    @app.post("/api/undo")
    def undo(_body: Nothing) -> dict[str, Any]:
        undone = bank.undo()
        return done(f"Undone: {undone}." if undone else "There is nothing to undo.", undone=undone is not None)


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
    plain(OutputError, lambda error: Refusal(507, reason_of(error)))
    plain(VideoTcavError, lambda error: Refusal(400, reason_of(error)))
    # Only the terminal is told what went wrong inside: the message may hold anything.
    plain(Exception, lambda _error: Refusal(500, "The studio failed. Its terminal says more. Reload the page."))


def _not_valid(error: RequestValidationError) -> Refusal:
    first = error.errors()[0]
    location = [str(step) for step in first["loc"]]
    text = f"{excerpt('.'.join(location))} is not valid: {first['msg']}. Got {excerpt(first.get('input'))}."
    return Refusal(404 if location[0] == "path" else 422, text)


def _clip(bank: ConceptBank, id: int) -> BankClip:
    _check_ids(bank, [id])
    return bank.clip(id)


def _clip_in_bank(bank: ConceptBank, id: int) -> BankClip:
    """A clip whose file is one of the bank's."""
    clip = _clip(bank, id)
    if not clip.path.resolve().is_relative_to(bank.folder.resolve()):
        raise Refusal(403, f"The file of clip {id} is no clip of the bank. Run `video-tcav bank check`.")
    return clip


def _check_ids(bank: ConceptBank, ids: Sequence[int]) -> None:
    existing, wanted = bank.count(ids=ids), len(set(ids))
    if existing < wanted:
        text = f"There is no clip {ids[0]}." if wanted == 1 else f"Only {existing} of {wanted} clips are there."
        raise Refusal(404, f"{text} Reload the page.")


def _check_filters(bank: ConceptBank, query: ClipQuery) -> None:
    if query.concept:
        _check_known("concept", query.concept, [count.name for count in bank.concepts()])
    if query.label:
        _check_known("label", query.label, bank.labels())
    if query.video:
        _check_known("video", query.video, bank.videos())


def _check_known(noun: str, value: str, names: Sequence[str]) -> None:
    if value not in names:
        raise Refusal(404, f"There is no {noun} {excerpt(value)} in this bank. It may have got another name.")


def _similar(bank: ConceptBank, query: ClipQuery, id: int) -> list[BankClip]:
    """The clip itself and those nearest to it, nearest first, as far as they pass the filters."""
    ids = [_clip(bank, id).id, *bank.similar(id, count=_SIMILAR)]
    filters: dict[str, Any] = query.filters() | {"ids": ids}
    return bank.clips(**filters, order="given")


def _file(path: Path, kind: str, headers: dict[str, str]) -> Response:
    if not path.is_file():
        raise Refusal(404, f"The file {path.name} is missing. Run `video-tcav bank check`.")
    return FileResponse(path, media_type=kind, headers=headers)


def _clips(ids: Sequence[int]) -> str:
    count = len(set(ids))
    return "1 clip" if count == 1 else f"{count} clips"
