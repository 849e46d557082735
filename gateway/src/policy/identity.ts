import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Principal, RevocationList, Verifier } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { ProofVerifier, WebSessions } from '@rhizome/identity';
import { claimedByBoundToken, claimedBySession } from '@rhizome/identity/holders';
import { certificateThumbprint } from './client-certificate.js';
import { assertOwnPage, cookieOf, csrfHeader, sessionCookie } from './own-page.js';
import { type Admit, type NamedHolder, namedHolder } from './rate/admissions.js';

/** Authenticates callers of all handlers. */
export interface Identity {
  /**
   * True if a request names the session of a browser and has the mark of the gateway's own pages.
   * @param payload of `connection_init`
   */
  hasSession(request: IncomingMessage, payload?: Readonly<Record<string, unknown>>): boolean;
  /** False if authentication is disabled. */
  readonly required: boolean;
  /** Nonce for proofs of requests to this gateway; undefined if it accepts no bound tokens. */
  readonly nonce: string | undefined;
  /**
   * The principal of a request, by its headers; undefined if authentication is disabled.
   * @throws DomainError UNAUTHENTICATED, TOKEN_EXPIRED, or SERVICE_UNAVAILABLE while keys cannot be had
   * @param admit called before credentials are verified that are not in memory
   */
  ofRequest(request: IncomingMessage, admit?: Admit): Promise<Principal | undefined>;
  /**
   * The holder of the bearer token in the headers, before it has proven that the token is its own.
   * @throws as {@link ofRequest}
   */
  holderOf(request: IncomingMessage, admit?: Admit): Promise<Principal | undefined>;
  /**
   * The principal of a WebSocket: from its `connection_init` payload, else from the headers it was opened
   * with.
   */
  ofSocket(
    payload: Readonly<Record<string, unknown>> | undefined,
    request: IncomingMessage,
    admit?: Admit,
  ): Promise<Principal | undefined>;
}

/** Credentials that Rhizome's own issuer alone gives. */
export interface OwnCredentials {
  /** Proofs of possession (DPoP) of keys to which tokens are bound. */
  readonly proofs: ProofVerifier;
  /** Sessions of browsers. */
  readonly sessions: Pick<WebSessions, 'tokenOf' | 'isKnown'>;
  /** The holder that a token names, if the store has it; nothing of the token is verified. */
  readonly findHolder: (token: string) => Promise<string | undefined>;
  /** Addresses under which this gateway is reached for a request, without path. */
  readonly originsOf: (request: IncomingMessage) => readonly string[];
}

/** A token as it was sent, and the proof next to it. */
interface Credentials {
  readonly scheme: 'bearer' | 'dpop';
  readonly token: string;
  readonly proof: unknown;
}

/**
 * Authenticates by bearer tokens, and by tokens that are bound to a key together with a proof; without a
 * verifier, authentication is disabled.
 * @param own undefined in a gateway without an issuer of its own
 */
export function createIdentity(verifier: Verifier | undefined, own?: OwnCredentials): Identity {
  const bySession = async (request: IncomingMessage, admit?: Admit): Promise<Principal | undefined> => {
    if (!verifier || !own) return undefined;
    const { sessions, originsOf } = own;
    assertOwnPage(request, originsOf(request));
    const id = cookieOf(request, sessionCookie) ?? '';
    const named = (): NamedHolder => namedHolder(claimedBySession(id), () => sessions.isKnown(id));
    const token = await sessions.tokenOf(id, admit && (() => admit(named())));
    return unlessBoundElsewhere(await verifier.verify(token), request);
  };
  /** Admits a token that the verifier does not have in memory. */
  const admission = (token: string, admit: Admit) => (): Promise<void> =>
    admit({ holder: claimedByBoundToken(token), find: own && (() => own.findHolder(token)) });
  const hasSession: Identity['hasSession'] = (request, payload) => {
    if (!verifier || !own || request.headers.authorization !== undefined) return false;
    if (payload === undefined && request.method === 'GET') return false;
    const isMarked = (payload ?? request.headers)[csrfHeader] !== undefined;
    return isMarked && cookieOf(request, sessionCookie) !== undefined;
  };
  const verify = (
    credentials: Credentials | DomainError,
    request: IncomingMessage,
    urls: (own: OwnCredentials) => readonly string[],
    admit?: Admit,
  ): Promise<Principal | undefined> => {
    // Not an async function, which would wrap each request's promise in another one.
    if (!verifier) return nobody;
    if (credentials instanceof DomainError) return Promise.reject(credentials);
    const verified = verifier.verify(credentials.token, admit && admission(credentials.token, admit));
    if (credentials.scheme === 'bearer')
      return verified.then((principal) => unlessBoundElsewhere(principal, request));
    return verified.then((principal) =>
      proven(principal, credentials, own?.proofs, () => ({
        method: request.method ?? 'GET',
        urls: own ? urls(own) : [],
      })),
    );
  };
  return {
    hasSession,
    required: verifier !== undefined,
    nonce: own?.proofs.nonce,
    ofRequest: (request, admit) => {
      if (hasSession(request)) return bySession(request, admit);
      const urls = ({ originsOf }: OwnCredentials): readonly string[] =>
        originsOf(request).map((origin) => origin + pathOf(request));
      const { authorization, dpop } = request.headers;
      return verify(credentialsIn(authorization, dpop), request, urls, admit);
    },
    holderOf: async ({ headers }, admit) => {
      const credentials = credentialsIn(headers.authorization, undefined);
      if (credentials instanceof DomainError) throw credentials;
      return verifier?.verify(credentials.token, admit && admission(credentials.token, admit));
    },
    ofSocket: (payload, request, admit) => {
      const authorization = authorizationIn(payload) ?? request.headers.authorization;
      if (authorization === undefined && payload && hasSession(request, payload))
        return bySession(request, admit);
      const urls = ({ originsOf }: OwnCredentials): readonly string[] => {
        const own = originsOf(request).map((origin) => origin + pathOf(request));
        return [...own, ...own.map((url) => url.replace(/^http/, 'ws'))];
      };
      const proof = payload?.['dpop'] ?? request.headers['dpop'];
      return verify(credentialsIn(authorization, proof), request, urls, admit);
    },
  };
}

const nobody = Promise.resolve(undefined);

/** The token in the headers, of which nothing is verified; undefined without one. */
export function tokenIn({ headers }: IncomingMessage): string | undefined {
  const credentials = credentialsIn(headers.authorization, undefined);
  return credentials instanceof DomainError ? undefined : credentials.token;
}

/** The token in the payload of `connection_init`, which has priority over that of the headers. */
export function authorizationIn(payload: Readonly<Record<string, unknown>> | undefined): unknown {
  return payload?.['authorization'] ?? payload?.['Authorization'];
}

/** Path of a request, without the query. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
}

/**
 * A token that is bound to a key or a certificate is worth nothing without a proof or the certificate: it may
 * have been stolen.
 */
function unlessBoundElsewhere(principal: Principal, request: IncomingMessage): Principal {
  if (principal.certificateThumbprint !== undefined) return withCertificate(principal, request);
  if (principal.keyThumbprint === undefined) return principal;
  throw new DomainError(
    'UNAUTHENTICATED',
    'The token is bound to a key; send it as "authorization: DPoP <token>" with a proof in "dpop"',
    { field: 'authorization', expected: 'DPoP <token>' },
  );
}

function withCertificate(principal: Principal, request: IncomingMessage): Principal {
  if (certificateThumbprint(request) === principal.certificateThumbprint) return principal;
  const text =
    'The token is bound to a client certificate; present this certificate, while it is valid, on the connection to the gateway';
  throw new DomainError('UNAUTHENTICATED', text, { field: 'authorization' });
}

async function proven(
  principal: Principal,
  { token, proof }: Credentials,
  proofs: ProofVerifier | undefined,
  request: () => { readonly method: string; readonly urls: readonly string[] },
): Promise<Principal> {
  const { keyThumbprint } = principal;
  if (!proofs || keyThumbprint === undefined)
    throw new DomainError('UNAUTHENTICATED', 'The token is not bound to a key; send it as "Bearer <token>"');
  if (typeof proof !== 'string')
    throw new DomainError('UNAUTHENTICATED', 'A proof of possession is missing: send it as "dpop"', {
      field: 'dpop',
      expected: 'a proof of possession',
    });
  const key = await proofs.check(proof, { ...request(), token });
  if (key.thumbprint !== keyThumbprint)
    throw new DomainError(
      'UNAUTHENTICATED',
      'The proof of possession is by another key than the token names',
    );
  await key.use();
  return principal;
}

function credentialsIn(authorization: unknown, proof: unknown): Credentials | DomainError {
  const found =
    typeof authorization === 'string' ? /^(Bearer|DPoP) +(\S+) *$/i.exec(authorization) : undefined;
  const [, scheme, token] = found ?? [];
  if (scheme && token) return { scheme: scheme.toLowerCase() as Credentials['scheme'], token, proof };
  return new DomainError(
    'UNAUTHENTICATED',
    'A bearer token is missing: send it as "authorization: Bearer <token>"',
    { field: 'authorization', expected: 'Bearer <token>' },
  );
}

/** End of requests, streams and sockets of some callers. */
export interface CallerEnd {
  readonly concerns: (principal: Principal) => boolean;
  readonly error: () => DomainError;
  /** Code with which sockets close. */
  readonly closeCode: number;
}

/** A socket that closes with this code is opened again by clients (service restart). */
const reopen = 1012;
const forbidden = 4403;

/** Ends what callers have open whose token was revoked. */
export function endOfRevoked(list: Pick<RevocationList, 'isRevoked'>): CallerEnd {
  return {
    concerns: (principal) => list.isRevoked(principal),
    error: tokenRevoked,
    closeCode: forbidden,
  };
}

/** Ends what callers have open if they, or their humans, lost some of their rights. */
export function endOfChanged(subjects: ReadonlySet<string>): CallerEnd {
  const text = 'Your rights have changed; subscribe again';
  return {
    concerns: ({ shared, subject, actsFor }) => shared !== true && subjects.has(actsFor ?? subject),
    error: () => new DomainError('RIGHTS_CHANGED', text),
    closeCode: reopen,
  };
}

/** The error of a caller whose token was revoked during its request, stream or connection. */
export function tokenRevoked(): DomainError {
  return new DomainError('TOKEN_REVOKED', 'The token was revoked; log in again');
}

/** The caller's request id if it is safe in logs and headers, otherwise a new one. */
export function requestIdOf(given: unknown): string {
  if (typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given)) return given;
  // Node.js builds it from 20 pieces, and a stored text keeps them all (500 bytes) for the life of a stream.
  return Buffer.from(randomUUID(), 'latin1').toString('latin1');
}
