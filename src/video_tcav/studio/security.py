"""Request guard: token, `Host`, `Origin`, method and size of the body, and security headers of every answer."""

import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 256 * 1024
_EXCERPT = 80
_SAFE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refusal(Exception):
    """A request that is not served: a status and one line that says why."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(status, text)
        self.status, self.text, self.headers = status, text, headers

    def response(self) -> Response:
        """The plain answer."""
        return PlainTextResponse(f"{self.text}\n", self.status, self.headers)


def excerpt(value: object) -> str:
    """A value of a request in ASCII, cut to a length and on one line."""
    text = ascii(value)
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


class Guard:
    """ASGI middleware: only this machine's browser, with the token, from the studio's own page, gets through.

    Args:
        app: what it protects.
        port: where the studio listens; `Host` and `Origin` must name it.
        token: secret of the link; `None` asks for none.
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str | None) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._address = " or ".join(sorted(self._hosts))
        self._cookie = f"video_tcav_studio_{port}"  # cookies do not know ports: two studios would share one name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # a server closes the websocket of an app that does not answer
        request = Request(scope, receive)
        try:
            self._check(request)
            body = await _whole_body(request) if request.method == "POST" else None
        except Refusal as refusal:
            await refusal.response()(scope, receive, self._finish(request, send))
        except ClientDisconnect:
            return
        else:
            await self._app(scope, receive if body is None else _replay(body), self._finish(request, send))

    def _check(self, request: Request) -> None:
        headers = request.headers
        # A page of another name that resolves to this machine (DNS rebinding) sends its own name.
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise Refusal(
                421, f"`Host` must be {self._address}. Got {excerpt(hosts)}. Open the link that the studio printed."
            )
        if request.method not in ("GET", "POST"):
            raise Refusal(
                405, f"The method must be GET or POST. Got {excerpt(request.method)}. Use one.", Allow="GET, POST"
            )
        if not self._has_token(request):
            raise Refusal(403, "The token is missing or old. Open the link that `video-tcav studio` printed.")
        if request.method == "POST":
            _check_change(headers, self._hosts, self._address)

    def _has_token(self, request: Request) -> bool:
        """Whether the request has the token: in the link, in the cookie that the link set, or as a bearer's."""
        if self._token is None:
            return True
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        tokens = (
            request.cookies.get(self._cookie, ""),
            bearer if scheme.lower() == "bearer" else "",
            _link_token(request),
        )
        # in constant time: a comparison that ends at the first difference would give the token away by its time
        return any(secrets.compare_digest(token.encode(), self._token.encode()) for token in tokens)

    def _finish(self, request: Request, send: Send) -> Send:
        """Add the Content-Security-Policy and other headers to every answer, and the cookie to the link's."""

        async def finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SAFE_HEADERS.items():
                    headers.setdefault(name, value)  # the report of a run has a policy of its own
                headers.setdefault("Cache-Control", "no-store")
                if self._token is not None and message["status"] == 200 and _link_token(request):
                    headers.append("Set-Cookie", f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        return finished


def _link_token(request: Request) -> str:
    """The token in the address: only of the page itself, which takes it out of the address bar."""
    return request.query_params.get("token", "") if request.url.path == "/" and request.method == "GET" else ""


def _check_change(headers: Headers, hosts: set[str], address: str) -> None:
    # Forms of other pages may post here with the cookie, but not with this origin, nor as JSON.
    origins = headers.getlist("origin")
    if len(origins) != 1 or origins[0].removeprefix("http://") not in hosts or not origins[0].startswith("http://"):
        raise Refusal(
            403, f"`Origin` must be http:// and {address}. Got {excerpt(origins)}. Work in the studio's own page."
        )
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, f"`Content-Type` must be application/json. Got {excerpt(kind)}. Send JSON.")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise Refusal(400, f"`Content-Length` must be a number. Got {excerpt(length)}. Leave it to the client.")
    if len(length) > len(str(BODY_LIMIT)) or int(length) > BODY_LIMIT:
        raise _too_large()


async def _whole_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise _too_large()
    return bytes(body)


def _too_large() -> Refusal:
    # what is left of the body stays unread, so that the connection cannot be used again
    return Refusal(
        413, f"The body must have at most {BODY_LIMIT} bytes. Send fewer clips at a time.", Connection="close"
    )


def _replay(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
