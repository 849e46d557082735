/** Tokens as a gateway gives them to a subgraph, for endpoints that accept nothing else. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { calculateJwkThumbprint, decodeJwt, importJWK, type JWK, SignJWT } from 'jose';

/** Turns the token of a caller into the one that the gateway gives the endpoint for this caller. */
export type CallToken = (token: string) => Promise<string>;

interface Grant {
  readonly experiment: string;
  readonly roles: readonly string[];
}

/**
 * Signs call tokens for a subgraph with the key of a gateway (`callKeyFile`). The claims of the caller's
 * token are not verified: the endpoint is tested, not the caller.
 *
 * @param alias the gateway's alias of the issuer of the tokens: it writes `alias:` before their subjects
 * @throws an error if the file is no private key
 */
export function callTokens(keyFile: string, subgraph: string, alias?: string): CallToken {
  const jwk = JSON.parse(readFileSync(keyFile, 'utf8')) as JWK;
  return async (token) => {
    const { sub, rhizome } = decodeJwt<{ rhizome?: { grants?: readonly Grant[] } }>(token);
    const roles = (rhizome?.grants ?? [])
      .filter(({ experiment }) => experiment === '*' || experiment === subgraph)
      .flatMap((grant) => grant.roles);
    const grants = roles.length === 0 ? [] : [{ experiment: subgraph, roles: [...new Set(roles)] }];
    return new SignJWT({ rhizome: { ...rhizome, grants } })
      .setProtectedHeader({ alg: 'ES256', kid: await calculateJwkThumbprint(jwk), typ: 'rhizome-call+jwt' })
      .setIssuer('urn:rhizome:gateway')
      .setAudience(`urn:rhizome:subgraph:${subgraph}`)
      .setSubject(alias === undefined ? (sub ?? '') : `${alias}:${sub ?? ''}`)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('60s')
      .sign(await importJWK(jwk, 'ES256'));
  };
}
