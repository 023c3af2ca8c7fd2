"""Opening the browser without showing the link's secret to the other users of this machine."""

import html
import shutil
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import Timer

_LIFETIME_S = 60.0  # long enough for a slow browser to start
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}"><title>Video-TCAV studio</title></head>
<body><p><a href="{link}">Open the studio</a></p></body></html>
"""


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
