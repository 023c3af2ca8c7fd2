"""What every app of the studio has: its page, the files of pages, and failures as one plain line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException

from video_tcav.core.errors import MediaError, OutputError, VideoTcavError
from video_tcav.core.files import reason_of
from video_tcav.studio.security import Refusal, excerpt

STATIC_FILES = {path.name: path for path in (Path(__file__).parent / "static").iterdir()}


def page_app(page: str, lifespan: Callable[[FastAPI], Any]) -> FastAPI:
    """An app without routes but for its pages.

    Args:
        page: file of the page at `/`.
        lifespan: what happens when the app starts and ends.
    """
    app = FastAPI(title="video-tcav studio", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    _add_errors(app)

    @app.get("/")
    def first_page() -> Response:
        return page_response(page)

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in STATIC_FILES:
            raise Refusal(404, f"There is no file {excerpt(name)} here.")
        return FileResponse(STATIC_FILES[name], headers={"Cache-Control": "no-cache"})

    return app


def page_response(page: str) -> Response:
    """A page, behind the beginning of its head, which is that of all pages."""
    return HTMLResponse("".join(STATIC_FILES[name].read_text(encoding="utf-8") for name in ("head.html", page)))


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
