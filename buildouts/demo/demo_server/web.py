"""The HTTP side: one page, which shows that the server and its database work."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

from demo_server.database import Address

_logger = logging.getLogger("openerp.service")


def serve(address: Address, interface: str, port: int) -> None:
    """Answer requests until the process is asked to stop."""

    class Handler(BaseHTTPRequestHandler):
        """Any GET request gets every module with its installed version."""

        def do_GET(self) -> None:
            try:
                body = json.dumps(_versions(address), indent=2)
            except Exception:
                # The log has the details; the client is only told that it failed.
                _logger.exception("Cannot answer %s", self.path)
                self.send_error(500)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode() + b"\n")

        def log_message(self, format: str, *args: object) -> None:
            _logger.info(format, *args)

    def stop(signum: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with ThreadingHTTPServer((interface, port), Handler) as server:
        _logger.info("HTTP service running on %s:%d", interface, port)
        try:
            server.serve_forever()
        finally:
            _logger.info("Initiating shutdown")


def _versions(address: Address) -> dict[str, str | None]:
    with contextlib.closing(address.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT name, latest_version FROM ir_module_module ORDER BY name")
        return dict(cursor.fetchall())
