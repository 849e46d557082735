"""Serves Wren until SIGTERM."""

import os
import signal
import socket
import sys

import uvicorn

from .app import create_app
from .identity import Verifier
from .notes import Notes
from .schema import build_schema


def main() -> None:
    """Reads the configuration, listens, drains."""
    env = os.environ
    missing = [name for name in ("MONGO_URI", "WORDS", "JWKS_FILE") if not env.get(f"WREN_{name}")]
    if missing:
        raise SystemExit("wren: needed and not set: " + ", ".join(f"WREN_{name}" for name in missing))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(env.get("WREN_PORT", "4020"))))
    notes = Notes(env["WREN_MONGO_URI"], env.get("WREN_DATABASE", "exp_wren"))
    app = create_app(build_schema(env["WREN_WORDS"]), notes, Verifier(env["WREN_JWKS_FILE"]))
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=10, ws="websockets-sansio")
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}/graphql", flush=True)
    # uvicorn drains, and then raises the signal again: an end that was asked for is a good end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
