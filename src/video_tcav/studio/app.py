"""HTTP interface of the studio: every change is in the bank before the answer leaves."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

import video_tcav.concepts.bank as banks  # its names load when used: kappa needs scikit-learn
import video_tcav.proposals as proposals  # likewise: the page must not wait for torch
from video_tcav.concepts.bank import ConceptBank
from video_tcav.concepts.bank.records import reviewer_name
from video_tcav.core.checks import require
from video_tcav.core.errors import MediaError, MissingExtraError

# before the studio's own modules, which need it as well
try:
    from fastapi import FastAPI, Query, Response
    from fastapi.responses import FileResponse
    from starlette.types import ASGIApp
except ImportError as error:
    raise MissingExtraError("studio", "The studio") from error

from video_tcav.studio.browser_media import Encodings, picture_size, source_path
from video_tcav.studio.change_routes import add_changes
from video_tcav.studio.clip_lookup import (
    check_filters,
    check_ids,
    clip_in_bank,
    clip_of,
    clips_by_words,
    send_file,
    similar_clips,
)
from video_tcav.studio.cut_routes import add_cuts
from video_tcav.studio.embedding_jobs import EmbeddingJob, add_job
from video_tcav.studio.page_app import page_app, page_response
from video_tcav.studio.payloads import PICTURES, PLAYS, bank_payload, detail_payload, tile_payloads
from video_tcav.studio.requests import MOST_IDS, ClipFilters, ClipQuery, PathId
from video_tcav.studio.run_matches import list_payload, run_payload
from video_tcav.studio.runs import Run, RunList, Runs
from video_tcav.studio.sample_size import Need
from video_tcav.studio.security import Guard, Refusal, excerpt
from video_tcav.studio.session import Session

if TYPE_CHECKING:
    from video_tcav.words.encoder import TextVideoEncoder

_KEEP = {"Cache-Control": "private, max-age=3600"}  # a clip of that digest never changes
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
    reviewer: str = "",
    blind: bool = False,
    videos: Sequence[Path] = (),
    text_encoder: "TextVideoEncoder | None" = None,
) -> ASGIApp:
    """The studio of a bank, as an ASGI app.

    Args:
        bank: what is reviewed; it stays the caller's to close.
        port: where the app will listen on 127.0.0.1.
        token: secret without which nothing is served; `None` asks for none.
        need: what makes a concept ready for a test.
        runs: of tests, shown beside their concepts.
        reviewer: who reviews; empty for nobody in particular.
        blind: whether verdicts and notes of others are hidden, until the reviewer ends the blind pass.
        videos: that clips may be cut from by hand, beside the sources of the bank's clips.
        text_encoder: embeds clips and words in one space, so that clips can be ranked by words.

    Raises:
        InputError: if the reviewer's name is not possible, or a blind pass has no reviewer.
    """
    need = need or Need()
    rank = None if text_encoder is None else proposals.TextRank(bank, text_encoder)
    session = Session(bank=bank, need=need, reviewer=reviewer_name(reviewer), blind=blind, videos=videos, rank=rank)
    require(bool(session.reviewer) or not blind, "blind", "go with a reviewer", blind, "Name one: --reviewer NAME.")
    encodings = Encodings()
    jobs = {"/api/embeddings": EmbeddingJob(lambda each: proposals.embed_thumbnails(bank, each))}
    if rank is not None:
        jobs["/api/word-embeddings"] = EmbeddingJob(rank.embed)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        # the statistics load while the browser asks for the page
        Thread(target=lambda: need.videos, daemon=True).start()
        yield
        for job in jobs.values():
            job.close()
        encodings.close()

    app = page_app("index.html", life)
    _add_clips(app, bank, encodings)
    _add_reads(app, session)
    _add_runs(app, session, runs or Runs())
    add_changes(app, session)
    add_cuts(app, session, encodings)
    for path, job in jobs.items():
        add_job(app, path, job)
    return Guard(app, port=port, token=token)


def _add_clips(app: FastAPI, bank: ConceptBank, encodings: Encodings) -> None:
    @app.get("/clips/{id}")
    def clipsend_file(id: PathId) -> Response:
        clip = clip_in_bank(bank, id)
        kind = {**PLAYS, **PICTURES}.get(clip.path.suffix.lower())
        if kind is None:
            raise Refusal(415, f"Browsers do not play {excerpt(clip.path.suffix)}. Ask for /encoded/{id} instead.")
        return send_file(clip.path, kind, _KEEP)

    @app.get("/encoded/{id}")
    def encodedsend_file(id: PathId) -> Response:
        encoded = encodings.clip(clip_in_bank(bank, id))
        return send_file(encoded.path, encoded.media_type, _KEEP)

    @app.get("/sources/{id}")
    def sourcesend_file(id: PathId) -> Response:
        path = source_path(clip_of(bank, id).origin)
        return send_file(path, PLAYS.get(path.suffix.lower(), "application/octet-stream"), {})

    @app.get("/spans/{id}")
    def spansend_file(id: PathId) -> Response:
        encoded = encodings.span(clip_of(bank, id))
        return send_file(encoded.path, encoded.media_type, {})

    @app.get("/api/clips/{id}/span")
    def span(id: PathId) -> dict[str, Any]:
        encoded = encodings.span(clip_of(bank, id))
        size = {"width": encoded.width, "height": encoded.height}
        return {"url": f"/spans/{id}", "offset_s": encoded.offset_s, **size}


def _add_reads(app: FastAPI, session: Session) -> None:
    bank = session.bank

    @app.get("/api/bank")
    def read_bank() -> dict[str, Any]:
        return bank_payload(session)

    @app.get("/api/clips")
    def read_clips(query: Annotated[ClipQuery, Query()]) -> dict[str, Any]:
        check_filters(session, query)
        if query.words is not None:
            ranked, note = clips_by_words(session, query, query.words)
            page = ranked[query.offset : query.offset + query.limit]
            return {"total": len(ranked), "clips": tile_payloads(session, page), "note": note}
        if query.like is not None:
            similar = similar_clips(session, query, query.like)
            clips, total = similar[query.offset : query.offset + query.limit], len(similar)
        else:
            order = "quality" if query.sort in ("alike", "unlike") else query.sort
            clips = session.clips(**query.filters(), limit=query.limit, offset=query.offset, order=order)
            total = session.count(**query.filters())
        return {"total": total, "clips": tile_payloads(session, clips)}

    @app.get("/api/ids")
    def read_ids(query: Annotated[ClipFilters, Query()]) -> dict[str, Any]:
        check_filters(session, query)
        if query.words is not None:
            ids = [clip.id for clip in clips_by_words(session, query, query.words)[0]]
        elif query.like is not None:
            ids = [clip.id for clip in similar_clips(session, query, query.like)]
        else:
            ids = [clip.id for clip in session.clips(**query.filters())]
        return {"ids": ids[:MOST_IDS], "total": len(ids)}

    @app.get("/api/clips/{id}")
    def read_clip(id: PathId) -> dict[str, Any]:
        check_ids(bank, [id])
        [clip] = session.clips(ids=[id])
        try:
            path = source_path(clip.origin)
            width, height = picture_size(path)
        except MediaError as error:
            return detail_payload(session, clip) | {"source_url": None, "source_note": error.reason}
        url = f"/sources/{id}" if path.suffix.lower() in PLAYS else None
        source = {"source_url": url, "source_note": "", "source_width": width, "source_height": height}
        return detail_payload(session, clip) | source

    @app.get("/api/agreement")
    def read_agreement() -> dict[str, Any]:
        if session.blind:
            raise Refusal(403, "Agreement is shown after the blind pass: end it first.")
        return {"pairs": [asdict(pair) for pair in banks.agreements(bank)]}


def _add_runs(app: FastAPI, session: Session, runs: Runs) -> None:
    bank = session.bank

    def run_of(id: str) -> Run:
        for run in runs.find().runs:
            if run.id == id:
                return run
        raise Refusal(404, "There is no such run any more. Load the list of runs again.")

    @app.get("/api/runs")
    def read_runs() -> dict[str, Any]:
        # which of a run's clips are accepted now says what others decided
        return list_payload(RunList(runs=(), problems=()) if session.blind else runs.find(), bank)

    @app.get("/api/runs/{id}")
    def read_run(id: RunId) -> dict[str, Any]:
        return run_payload(run_of(id), bank)

    @app.get("/runs")
    def list_page() -> Response:
        return page_response("runs.html")

    @app.get("/runs/{id}")
    def run_page(id: RunId) -> Response:
        run_of(id)
        return page_response("runs.html")

    @app.get("/runs/{id}/report")
    def report(id: RunId) -> Response:
        path = run_of(id).report
        if path is None:
            raise Refusal(404, "The run has no report.html in its folder.")
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY})
