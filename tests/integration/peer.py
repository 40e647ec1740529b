"""Another process at the assistant's address: it answers as a test wants it to, well or badly."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Turn = dict[str, Any]
Behaviour = Callable[[Turn], tuple[int, bytes] | None]
"""What is answered to a turn: status and body; None hangs up without a word."""


def answer(*names: str, **more: Any) -> tuple[int, bytes]:
    """The answer of a turn that says these sentences."""
    replies = [{"name": name, "params": {}, "buttons": []} for name in names]
    return 200, json.dumps({"events": [], "replies": replies, "slots": {}, "read": {}, **more}).encode()


def broken(turn: Turn) -> tuple[int, bytes]:
    """The assistant is there, and every turn breaks: the house's own menu answers."""
    return 500, b'{"error": "The turn broke in the assistant."}'


class Peer:
    """Listens at a port until `close`; keeps every turn it was given, in order of arrival."""

    def __init__(self, port: int, behaviour: Behaviour = broken) -> None:
        self.behaviour, self.healthy, self.health_takes = behaviour, True, 0.0
        self.turns: list[Turn] = []
        self.closed = threading.Event()
        self._open: list[socket.socket] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                peer._open.append(self.connection)

            def do_GET(self) -> None:
                peer.closed.wait(peer.health_takes)
                self.reply(200 if peer.healthy else 503, b'{"status": "ok"}')

            def do_POST(self) -> None:
                turn = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                peer.turns.append(turn)
                said = peer.behaviour(turn)
                if said is None:
                    self.close_connection = True
                    return
                self.reply(*said)

            def reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing: what comes is in `turns`."""

        class Server(ThreadingHTTPServer):
            daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

            def handle_error(self, *_: Any) -> None:
                """The house has hung up: that is what many tests want."""

        self._server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Nobody listens any more, and every connection is cut: as when a process dies."""
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
