"""Callers: call tokens verified against the gateway's keys, and what their roles permit here."""

import json
from dataclasses import dataclass

import jwt
from graphql import GraphQLError

READERS = {"ADMIN", "OPERATOR", "PRODUCTION", "USER", "READER", "SERVICE"}
WRITERS = {"ADMIN", "PRODUCTION", "USER"}
EXPERIMENT = "wren"


@dataclass(frozen=True)
class Principal:
    """A verified caller."""

    subject: str
    kind: str
    roles: frozenset[str]
    """Its roles in this experiment."""

    def must(self, roles: set[str], what: str) -> None:
        """Raises FORBIDDEN unless the caller has one of the roles. Pilots and agents may not call this experiment."""
        if self.kind in ("HUMAN", "SERVICE") and self.roles & roles:
            return
        text = f'{self.kind} "{self.subject}" may not {what} in "{EXPERIMENT}"'
        raise GraphQLError(text, extensions={"code": "FORBIDDEN"})


class Unauthenticated(Exception):
    """No token, or one that is not accepted."""


class Verifier:
    """Verifies the tokens that the gateway signs for this experiment's subgraph; no other token is accepted."""

    def __init__(self, jwks_file: str) -> None:
        with open(jwks_file, encoding="utf-8") as file:
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(json.load(file)).keys}

    def verify(self, authorization: str | None) -> Principal:
        """The principal of `Bearer …`. Raises Unauthenticated with one sentence."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("no bearer token")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != "rhizome-call+jwt":
                raise Unauthenticated("the token is no call token")
            key = self._keys.get(header.get("kid"))
            if key is None:
                raise Unauthenticated("the token is signed by a key that is not known")
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256"],
                audience=f"urn:rhizome:subgraph:{EXPERIMENT}",
                issuer="urn:rhizome:gateway",
                options={"require": ["exp", "iat", "jti", "sub", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token is not accepted: {error}") from error
        return principal_of(claims)


def principal_of(claims: dict) -> Principal:
    """The principal of verified claims."""
    own = claims.get("rhizome") or {}
    roles = [
        role
        for grant in own.get("grants", [])
        if grant.get("experiment") in ("*", EXPERIMENT)
        for role in grant.get("roles", [])
    ]
    return Principal(claims["sub"], own.get("kind", ""), frozenset(roles))
