"""Server of the studio, on this machine only, and its page in the browser, without showing the secret to other users."""

import html
import secrets
import shutil
import socket
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from threading import Timer
from typing import TYPE_CHECKING

from video_tcav.concepts.bank import ConceptBank
from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.media import find_videos
from video_tcav.studio.app import create_app
from video_tcav.studio.mask_app import create_mask_app
from video_tcav.studio.mask_review import MaskReview
from video_tcav.studio.runs import Runs, default_folders
from video_tcav.studio.sample_size import Need

try:
    import uvicorn
    from starlette.types import ASGIApp
except ImportError as error:
    raise MissingExtraError("studio", "The studio") from error

if TYPE_CHECKING:
    from video_tcav.words.encoder import TextVideoEncoder

_HOST = "127.0.0.1"
_LIFETIME_S = 60.0  # long enough for a slow browser to start
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}"><title>Video-TCAV studio</title></head>
<body><p><a href="{link}">Open the studio</a></p></body></html>
"""


@dataclass(frozen=True, kw_only=True)
class Studio:
    """A studio that listens, but does not answer before `run`.

    Attributes:
        link: address to open, with the token.
        port: where it listens on 127.0.0.1.
        server: answers requests in `run`; set `should_exit` from another thread to end it.
        listener: the open socket.
        problems: one line for each file in the folders of runs that is no result.
    """

    link: str
    port: int
    server: uvicorn.Server
    listener: socket.socket
    problems: Sequence[str] = ()

    def run(self) -> None:
        """Answer until stopped."""
        self.server.run(sockets=[self.listener])


@contextmanager
def open_studio(
    folder: str | Path,
    *,
    port: int = 0,
    token: str | None = "",
    need: Need | None = None,
    runs: Sequence[str | Path] | None = None,
    reviewer: str = "",
    blind: bool = False,
    videos: Sequence[str | Path] = (),
    text_encoder: "TextVideoEncoder | None" = None,
) -> Iterator[Studio]:
    """Open a bank and a port for its studio; both are closed when the block ends.

    Args:
        folder: the bank.
        port: where to listen on 127.0.0.1; 0 takes a free one.
        token: secret in the link; `""` makes a random one, `None` asks for none.
        need: what makes a concept ready for a test.
        runs: folders in which runs of tests are looked for; if not given, the folder `runs` in the bank.
        reviewer: who reviews; empty for nobody in particular.
        blind: whether verdicts and notes of others are hidden, until the reviewer ends the blind pass.
        videos: files and folders that clips may be cut from by hand, beside the sources of the bank's clips.
        text_encoder: embeds clips and words in one space (`words.load_encoder`), so that clips can be ranked by words.

    Raises:
        BankError: if there is no bank.
        SourceError: if there is no video.
        InputError: if the port cannot be had, a folder of runs is none, or a blind pass has no reviewer.
    """
    with ConceptBank.open(folder) as bank, _listener(port) as listener:
        folders = default_folders(bank.folder) if runs is None else runs
        found_runs = Runs(folders=[Path(path) for path in folders])
        paths = [source.path.absolute() for where in videos for source in find_videos(where) if source.kind == "video"]
        token = _secret(token)
        app = create_app(
            bank,
            port=listener.getsockname()[1],
            token=token,
            need=need,
            runs=found_runs,
            reviewer=reviewer,
            blind=blind,
            videos=paths,
            text_encoder=text_encoder,
        )
        yield _studio(app, listener, token, problems=found_runs.find().problems)


@contextmanager
def open_mask_studio(review: MaskReview, *, port: int = 0, token: str | None = "") -> Iterator[Studio]:
    """Open a port for the page on which masks are judged; it is closed when the block ends.

    Args:
        review: the clips, their masks and verdicts.
        port: where to listen on 127.0.0.1; 0 takes a free one.
        token: secret in the link; `""` makes a random one, `None` asks for none.

    Raises:
        InputError: if the port cannot be had.
    """
    with _listener(port) as listener:
        token = _secret(token)
        app = create_mask_app(review, port=listener.getsockname()[1], token=token)
        yield _studio(app, listener, token)


@contextmanager
def _listener(port: int) -> Iterator[socket.socket]:
    # asyncio turns Nagle's delay off only where the protocol is named: without it, an answer waits 40 ms for an acknowledgement
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
            listener.listen(64)  # from now on: a browser that opens the link before `run` waits for its answer
        except (OSError, OverflowError) as error:
            raise InputError(
                f"`port` must be free. Got {port}: {error}. Give another, or 0 for any that is free."
            ) from error
        yield listener


def _secret(token: str | None) -> str | None:
    return secrets.token_urlsafe(24) if token == "" else token


def _studio(app: ASGIApp, listener: socket.socket, token: str | None, *, problems: Sequence[str] = ()) -> Studio:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it would write the token down
        proxy_headers=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    port = listener.getsockname()[1]
    link = f"http://{_HOST}:{port}/" + ("" if token is None else f"?token={token}")
    return Studio(link=link, port=port, server=uvicorn.Server(config), listener=listener, problems=problems)


@contextmanager
def browser_opened(link: str) -> Iterator[Path]:
    """Open a link in the browser through a file that only this user can read.

    Every user sees the command lines of all processes: the browser's holds the file's name, not the link. The file is removed
    after a minute, and when the block ends.

    Args:
        link: with the secret.

    Yields:
        The file.
    """
    folder = Path(mkdtemp(prefix="video-tcav-studio-"))  # 0700
    page = folder / "open.html"
    timer = Timer(_LIFETIME_S, shutil.rmtree, [folder], {"ignore_errors": True})
    timer.daemon = True
    try:
        page.touch(mode=0o600, exist_ok=False)
        page.write_text(_PAGE.format(link=html.escape(link, quote=True)), encoding="utf-8")
        webbrowser.open(page.as_uri())
        timer.start()
        yield page
    finally:
        timer.cancel()
        shutil.rmtree(folder, ignore_errors=True)
