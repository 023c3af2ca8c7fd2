"""Server of the studio, on this machine only."""

import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from video_tcav.concepts.bank import ConceptBank
from video_tcav.core.errors import InputError
from video_tcav.studio.app import create_app
from video_tcav.studio.runs import Runs, default_folders
from video_tcav.studio.sample_size import Need

_HOST = "127.0.0.1"


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
) -> Iterator[Studio]:
    """Open a bank and a port for its studio; both are closed when the block ends.

    Args:
        folder: the bank.
        port: where to listen on 127.0.0.1; 0 takes a free one.
        token: secret in the link; `""` makes a random one, `None` asks for none.
        need: what makes a concept ready for a test.
        runs: folders in which runs of tests are looked for; if not given, the folder `runs` in the bank.

    Raises:
        BankError: if there is no bank.
        InputError: if the port cannot be had, or a folder of runs is none.
    """
    # asyncio turns Nagle's delay off only where the protocol is named: without it, an answer waits 40 ms for an acknowledgement
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with listener, ConceptBank.open(folder) as bank:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
            listener.listen(64)  # from now on: a browser that opens the link before `run` waits for its answer
        except (OSError, OverflowError) as error:
            raise InputError(
                f"`port` must be free. Got {port}: {error}. Give another, or 0 for any that is free."
            ) from error
        port = listener.getsockname()[1]
        folders = default_folders(bank.folder) if runs is None else runs
        found_runs = Runs(folders=[Path(path) for path in folders])
        token = secrets.token_urlsafe(24) if token == "" else token
        config = uvicorn.Config(
            create_app(bank, port=port, token=token, need=need, runs=found_runs),
            log_level="warning",
            access_log=False,  # it would write the token down
            proxy_headers=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        link = f"http://{_HOST}:{port}/" + ("" if token is None else f"?token={token}")
        server = uvicorn.Server(config)
        yield Studio(link=link, port=port, server=server, listener=listener, problems=found_runs.find().problems)
