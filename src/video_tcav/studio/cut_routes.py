"""Routes that cut clips: another span or box for a clip, and new clips of a video by hand."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Response

import video_tcav.proposals as proposals  # its names load when used: the page must not wait for torch
from video_tcav.core.errors import MediaError
from video_tcav.core.escaping import well_formed
from video_tcav.studio.browser_media import Encodings, check_source, picture_size
from video_tcav.studio.change_routes import done
from video_tcav.studio.clip_lookup import check_ids, send_file
from video_tcav.studio.payloads import PLAYS
from video_tcav.studio.requests import Cut, CutAnew, CutNew, Seconds, VideoKey
from video_tcav.studio.security import Refusal
from video_tcav.studio.session import Session


def add_cuts(app: FastAPI, session: Session, encodings: Encodings) -> None:
    """Add the routes that cut clips."""
    _add_videos(app, session, encodings)

    @app.post("/api/cut")
    def cut_anew(body: CutAnew) -> dict[str, Any]:
        check_ids(session.bank, [body.id])
        ids = proposals.cut_anew(session.bank, body.id, _hand_cut(body), reviewer=session.reviewer)
        return done(session, f"Cut anew: {body.start_s:.2f} to {body.end_s:.2f} s.", ids=ids)

    @app.post("/api/clips/new")
    def cut_new(body: CutNew) -> dict[str, Any]:
        path = _video(session, body.video)
        clips = proposals.add_by_hand(
            session.bank, path, _hand_cut(body), concept=body.concept, reviewer=session.reviewer
        )
        where = f" to {body.concept}" if body.concept else ""
        return done(
            session, f"Added{where}: {body.start_s:.2f} to {body.end_s:.2f} s of {path.name}.", added=[clips[0].id]
        )


def _add_videos(app: FastAPI, session: Session, encodings: Encodings) -> None:
    @app.get("/api/videos")
    def list_videos() -> dict[str, Any]:
        paths = sorted(session.source_videos().items(), key=lambda item: (item[1].name, str(item[1])))
        return {"videos": [{"key": key, "name": well_formed(path.name)} for key, path in paths]}

    @app.get("/api/videos/{key}")
    def read_video(key: VideoKey) -> dict[str, Any]:
        path = _video(session, key)
        width, height = picture_size(path)
        url = f"/videos/{key}" if path.suffix.lower() in PLAYS else None
        return {"key": key, "name": well_formed(path.name), "url": url, "width": width, "height": height}

    @app.get("/videos/{key}")
    def video_file(key: VideoKey) -> Response:
        path = _video(session, key)
        return send_file(path, PLAYS.get(path.suffix.lower(), "application/octet-stream"), {})

    @app.get("/api/videos/{key}/window")
    def window(key: VideoKey, start_s: Annotated[Seconds, Query()] = 0.0) -> dict[str, Any]:
        encoded = encodings.window(_video(session, key), start_s)
        size = {"width": encoded.width, "height": encoded.height}
        return {"url": f"/videos/{key}/window?start_s={start_s:g}", "offset_s": encoded.offset_s, **size}

    @app.get("/videos/{key}/window")
    def window_file(key: VideoKey, start_s: Annotated[Seconds, Query()] = 0.0) -> Response:
        encoded = encodings.window(_video(session, key), start_s)
        return send_file(encoded.path, encoded.media_type, {})


def _video(session: Session, key: str) -> Path:
    path = session.source_videos().get(key)
    if path is None:
        raise Refusal(404, "There is no such video in this bank. Load the list of videos again.")
    try:
        check_source(path)
    except MediaError as error:
        raise Refusal(404, f"{well_formed(path.name)} {error.reason}.") from error
    return path


def _hand_cut(body: Cut) -> "proposals.HandCut":
    boxes = tuple((box.time_s, (box.left, box.top, box.right, box.bottom)) for box in body.boxes)
    return proposals.HandCut(start_s=body.start_s, end_s=body.end_s, boxes=boxes)
