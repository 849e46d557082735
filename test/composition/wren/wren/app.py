"""Endpoints: GraphQL over HTTP and over graphql-transport-ws, health, readiness."""

import json
import re
from contextlib import asynccontextmanager

from ariadne import graphql
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLTransportWSHandler
from graphql import GraphQLError, GraphQLSchema
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from .identity import Unauthenticated, Verifier
from .notes import Notes
from .schema import Context

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 50


def create_app(schema: GraphQLSchema, notes: Notes, verifier: Verifier) -> Starlette:
    """The ASGI application, put together from what it is handed."""

    async def answer(request: Request) -> JSONResponse:
        try:
            principal = verifier.verify(request.headers.get("authorization"))
        except Unauthenticated as error:
            return refusal(401, str(error), "UNAUTHENTICATED")
        if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
            # Closing makes the sender stop.
            refused = refusal(413, f"the body is larger than {MAX_BODY_BYTES} bytes", "REQUEST_TOO_LARGE")
            refused.headers["connection"] = "close"
            return refused
        try:
            data = json.loads(await request.body())
        except ValueError:
            return refusal(400, "the body is not JSON", "BAD_REQUEST")
        if not isinstance(data, dict) or not isinstance(data.get("query"), str):
            return refusal(400, "query: expected the text of an operation", "BAD_REQUEST")
        if depth_of(data["query"]) > MAX_DEPTH:
            return refusal(400, f"query: expected a depth of {MAX_DEPTH} at most", "BAD_REQUEST")
        context = Context(principal, notes)
        _, result = await graphql(schema, data, context_value=context, error_formatter=formatted)
        if request.headers.get("x-rhizome-count-loads"):
            result["extensions"] = {**result.get("extensions", {}), "loads": dict(context.loads)}
        return JSONResponse(result)

    async def healthy(_request: Request) -> JSONResponse:
        return JSONResponse({"healthy": True})

    async def ready(_request: Request) -> JSONResponse:
        reached = await notes.reached()
        return JSONResponse({"ready": reached}, status_code=200 if reached else 503)

    sockets = GraphQL(
        schema,
        context_value=lambda socket, _data: Context(socket.scope["principal"], notes),
        error_formatter=formatted,
        websocket_handler=Admission(verifier),
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette):
        yield
        await notes.close()

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/graphql", answer, methods=["POST"]),
            WebSocketRoute("/graphql", sockets.handle_websocket),
            Route("/healthz", healthy),
            Route("/readyz", ready),
        ],
    )


class Admission(GraphQLTransportWSHandler):
    """Lets in sockets whose first message carries a good token; closes the others with 4403."""

    def __init__(self, verifier: Verifier) -> None:
        super().__init__()
        self._verifier = verifier

    async def handle_websocket_connection_init_message(self, websocket: WebSocket, message: dict, client_context) -> None:
        try:
            given = (message.get("payload") or {}).get("authorization")
            websocket.scope["principal"] = self._verifier.verify(given)
        except Unauthenticated:
            await websocket.close(code=4403, reason="UNAUTHENTICATED")
            return
        await super().handle_websocket_connection_init_message(websocket, message, client_context)


def depth_of(text: str) -> int:
    """How deep the braces of a document are nested, without parsing it; texts in quotes do not count."""
    deepest = depth = 0
    for character in re.sub(r'"""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"', "", text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        deepest = max(deepest, depth)
    return deepest


def refusal(status: int, message: str, code: str) -> JSONResponse:
    """One error, with its status."""
    return JSONResponse({"errors": [{"message": message, "extensions": {"code": code}}]}, status_code=status)


def formatted(error: GraphQLError, _debug: bool = False) -> dict:
    """An error as clients see it: what is not meant for them is masked."""
    original = error.original_error
    if original is not None and not isinstance(original, GraphQLError):
        return {"message": "something went wrong here", "path": error.path, "extensions": {"code": "INTERNAL"}}
    shown = dict(error.formatted)
    shown.setdefault("extensions", {"code": "BAD_USER_INPUT"})
    return shown
