"""HTTP interface of the page on which masks are judged; the same guard, keys and walls as those of banks."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from video_tcav.core.errors import MissingExtraError
from video_tcav.core.wording import percent

# before the studio's own modules, which need it as well
try:
    from fastapi import FastAPI, Query, Response
    from starlette.types import ASGIApp
except ImportError as error:
    raise MissingExtraError("studio", "The studio") from error

from video_tcav.studio.clip_lookup import send_file
from video_tcav.studio.mask_review import MaskedClip, MaskReview
from video_tcav.studio.page_app import page_app
from video_tcav.studio.requests import JudgeMasks, MaskFilters, MaskQuery, Nothing, PathId
from video_tcav.studio.security import Guard, Refusal

_WORDS = {"open": "Opened again", "accepted": "Accepted", "rejected": "Rejected"}


def create_mask_app(review: MaskReview, *, port: int, token: str | None) -> ASGIApp:
    """The page of a review of masks, as an ASGI app; masks are made while it runs.

    Args:
        review: the clips, their masks and verdicts.
        port: where the app will listen on 127.0.0.1.
        token: secret without which nothing is served; `None` asks for none.
    """

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        review.start()
        yield
        review.close()

    app = page_app("masks.html", life)
    _add_reads(app, review)
    _add_changes(app, review)
    return Guard(app, port=port, token=token)


def _add_reads(app: FastAPI, review: MaskReview) -> None:
    @app.get("/api/masks")
    def read_status() -> dict[str, Any]:
        return _status(review)

    @app.get("/api/clips")
    def read_clips(query: Annotated[MaskQuery, Query()]) -> dict[str, Any]:
        ids = [int(id) for id in query.ids.split(",")] if query.ids else None
        if ids is None and query.offset == 0:
            review.sort_anew()  # the page begins anew
        clips = review.clips(verdict=query.verdict, ids=ids)
        page = clips[query.offset : query.offset + query.limit]
        if ids is None:
            review.keep_order(page)
        return {"total": len(clips), "clips": [_tile(review, clip) for clip in page]}

    @app.get("/api/ids")
    def read_ids(query: Annotated[MaskFilters, Query()]) -> dict[str, Any]:
        ids = [clip.id for clip in review.clips(verdict=query.verdict)]
        return {"ids": ids, "total": len(ids)}

    @app.get("/masks/{id}")
    def picture(id: PathId) -> Response:
        clip = _clip_of(review, id)
        if clip.picture is None:
            raise Refusal(404, f"Clip {id} has no masks: {clip.problem}.")
        return send_file(clip.picture, "video/mp4", {})


def _add_changes(app: FastAPI, review: MaskReview) -> None:
    @app.post("/api/verdict")
    def judge(body: JudgeMasks) -> dict[str, Any]:
        for id in body.ids:
            if _clip_of(review, id).picture is None and body.verdict == "accepted":
                raise Refusal(409, f"Clip {id} has no masks to accept: an audit lists it, and leaves it out.")
        review.verdicts.judge(body.ids, body.verdict)
        count = len(set(body.ids))
        return _done(review, f"{_WORDS[body.verdict]}: {count} clip{'' if count == 1 else 's'}.", body.ids)

    @app.post("/api/undo")
    def undo(_body: Nothing) -> dict[str, Any]:
        ids = review.verdicts.undo()
        words = ", ".join(f"clip {id} is {review.verdict(_clip_of(review, id))}" for id in ids[:3])
        return _done(
            review, f"Undone: {words}{' …' if len(ids) > 3 else ''}." if ids else "There is nothing to undo.", ids
        )


def _clip_of(review: MaskReview, id: int) -> MaskedClip:
    clip = review.clip(id)
    if clip is None:
        raise Refusal(404, f"There is no clip {id}, or its masks are not made yet. Reload the page.")
    return clip


def _done(review: MaskReview, message: str, ids: Sequence[int]) -> dict[str, Any]:
    clips = [_tile(review, clip) for clip in review.clips(ids=ids)] if ids else []
    return {"said": message, "status": _status(review), "clips": clips}


def _status(review: MaskReview) -> dict[str, Any]:
    return {
        "total": review.total,
        "made": review.made,
        "failure": review.failure,
        "verdicts": {verdict: review.verdicts.count(verdict) for verdict in ("open", "accepted", "rejected")},
        "file": str(review.verdicts.path),
        "next": review.next_command,
    }


def _tile(review: MaskReview, clip: MaskedClip) -> dict[str, Any]:
    quality, source = clip.quality, clip.source
    return {
        "id": clip.id,
        "url": None if clip.picture is None else f"/masks/{clip.id}",
        "moves": True,
        "problem": clip.problem,
        "verdict": review.verdict(clip),
        "name": source.key,
        "short": source.key.rpartition("/")[2],
        "label": source.label or "",
        "doubts": [] if quality is None else list(quality.doubts),
        "area": "" if quality is None else f"{percent(quality.area, 1)} of the picture",
        "how": clip.how,
    }
