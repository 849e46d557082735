"""Hooks of schemathesis: values for our scalars, and a check that knows how errors of Rhizome look."""

import os

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

schemathesis.graphql.scalar(
    "DateTime",
    st.datetimes().map(lambda at: nodes.String(at.isoformat(timespec="milliseconds") + "Z")),
)
schemathesis.graphql.scalar("SafeInt", st.integers(-(2**53) + 1, 2**53 - 1).map(nodes.Int))
schemathesis.graphql.scalar("JSON", st.text(max_size=20).map(nodes.String))

# Tokens, keys and secrets, and words that only other principals may read.
CANARIES = [word for word in os.environ.get("CANARIES", "").split(",") if word]
TRACES = ("node_modules/", "MongoServerError", "ECONNREFUSED", "at file:///", "INTERNAL_SERVER_ERROR")


@schemathesis.check
def errors_have_codes(ctx, response, case):
    """No error of the server, each error with its code, nothing of the inside and nothing of others."""
    text = response.text
    assert response.status_code < 500, f"status {response.status_code}"
    for trace in TRACES:
        assert trace not in text, f"{trace} in the answer"
    for canary in CANARIES:
        assert canary not in text, "a secret of somebody else in the answer"
    body = response.json()
    for error in body.get("errors") or []:
        assert (error.get("extensions") or {}).get("code"), f"an error without a code: {error}"
