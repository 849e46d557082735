/** Logs people in at an outside issuer by a browser: authorisation code with PKCE, kept by the gateway. */
import { DomainError } from '@rhizome/errors';
import { LRUCache } from 'lru-cache';
import * as oidc from 'openid-client';
import type { OutsideIdentity, OutsideTokens } from '../issuers/outside-tokens.js';
import type { IssuersService, LoginOffer } from '../issuers/issuers.service.js';
import type { KeyEncryption } from '../tokens/key-encryption.js';
import { openText, sealText } from '../tokens/sealed-text.js';

/** Time for a login at the issuer, in seconds. */
export const loginSeconds = 600;
/** Time for which the metadata of an issuer is kept, in milliseconds. */
const metadataMs = 10 * 60_000;
/** Greatest difference between the clocks of issuer and gateway, in milliseconds. */
const clockToleranceMs = 60_000;
const sealContext = 'web login';

/** Ports of {@link WebLogin}. */
export interface WebLoginOptions {
  readonly issuers: IssuersService;
  readonly outside: OutsideTokens;
  readonly encryption: KeyEncryption;
  readonly now: () => Date;
}

/** A login that begins. */
export interface LoginStart {
  /** The page of the issuer. */
  readonly address: string;
  /** State that the browser keeps in a cookie until it comes back; encrypted. */
  readonly state: string;
}

/** A login that is complete. */
export interface LoginEnd {
  readonly identity: OutsideIdentity;
  /** The token of the issuer that proves it. */
  readonly token: string;
  /** The login of the session that links the identity; null for a login that starts a session. */
  readonly linkTo: string | null;
  /** The session that the browser had when the login began; null for none. */
  readonly previous: string | null;
  /** Path of the page to return to. */
  readonly to: string;
}

/** Purpose of a login. */
export interface LoginPurpose {
  /** Path of the page to return to. */
  readonly to: string;
  /** Address to which the issuer sends the browser back. */
  readonly redirectUri: string;
  /** The login of the session that links the identity; null for a login that starts a session. */
  readonly linkTo: string | null;
  /**
   * Id of the session that the browser has now, and that the new one replaces; null for none. The browser
   * does not send its cookie when it comes back from the issuer.
   */
  readonly previous: string | null;
}

interface State extends Omit<LoginPurpose, 'linkTo' | 'previous'> {
  /** Undefined in a state of an earlier release, as `previous`. */
  readonly linkTo?: string | null;
  readonly previous?: string | null;
  readonly issuer: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Begins and ends logins. */
export class WebLogin {
  readonly #options: WebLoginOptions;
  readonly #metadata = new LRUCache<string, Promise<oidc.Configuration>>({ max: 100, ttl: metadataMs });

  constructor(options: WebLoginOptions) {
    this.#options = options;
  }

  /** Issuers at which people log in. */
  async issuers(): Promise<readonly LoginOffer[]> {
    return (await this.#options.issuers.offers()).filter(({ login }) => login !== null);
  }

  /** @throws DomainError BAD_REQUEST for an unknown issuer, SERVICE_UNAVAILABLE if it does not answer */
  async begin(name: string, { to, redirectUri, ...sessions }: LoginPurpose): Promise<LoginStart> {
    const { linkTo } = sessions;
    const offer = await this.#offer(name);
    const config = await this.#configuration(offer);
    const verifier = oidc.randomPKCECodeVerifier();
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
    const address = oidc.buildAuthorizationUrl(config, {
      scope: offer.login?.scopes.join(' ') ?? 'openid',
      ...targetOf(offer),
      // The issuer may know this browser as somebody else. With `max_age`, it says when it asked for a login.
      ...(linkTo !== null && { prompt: 'login', max_age: String(loginSeconds) }),
      redirect_uri: redirectUri,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    const until = this.#options.now().getTime() + loginSeconds * 1000;
    const purpose = { to: pathOf(to), redirectUri, ...sessions };
    const kept: State = { issuer: name, state, nonce, verifier, until, ...purpose };
    return { address: address.href, state: sealText(this.#options.encryption, kept, sealContext) };
  }

  /**
   * @param query the query of the address to which the issuer sent the browser back
   * @throws DomainError UNAUTHENTICATED, FORBIDDEN, SERVICE_UNAVAILABLE
   */
  async end(sealed: string, query: string): Promise<LoginEnd> {
    const state = this.#open(sealed);
    const offer = await this.#offer(state.issuer);
    const config = await this.#configuration(offer);
    const answer = new URL(state.redirectUri);
    answer.search = query;
    const checks = {
      pkceCodeVerifier: state.verifier,
      expectedState: state.state,
      expectedNonce: state.nonce,
    };
    const { resource } = targetOf(offer);
    const parameters: Record<string, string> = resource === undefined ? {} : { resource };
    const tokens = await oidc.authorizationCodeGrant(config, answer, checks, parameters).catch(refuse);
    const { id_token: idToken = '', access_token: accessToken } = tokens;
    const token = offer.login?.hasOpaqueAccessTokens === true ? idToken : accessToken;
    const identity = await this.#options.outside.accept(token);
    // Else an issuer could answer with a token of another one.
    if (identity.issuer.issuer !== offer.issuer)
      throw new DomainError('UNAUTHENTICATED', `The token is not of the issuer ${offer.issuer}`);
    const { linkTo = null, previous = null, until } = state;
    if (linkTo !== null) assertLoggedInAgain(tokens.claims(), new Date(until - loginSeconds * 1000));
    return { identity, token, to: state.to, linkTo, previous };
  }

  async #offer(name: string): Promise<LoginOffer> {
    const found = (await this.issuers()).find((one) => one.name === name);
    if (found) return found;
    const text = `issuer: ${JSON.stringify(name.slice(0, 100))} is not valid; must be the name of an issuer with a login`;
    throw new DomainError('BAD_REQUEST', text, { field: 'issuer' });
  }

  async #configuration({ issuer, login }: LoginOffer): Promise<oidc.Configuration> {
    const clientId = login?.clientId ?? '';
    const key = `${issuer} ${clientId}`;
    const known = this.#metadata.get(key);
    if (known) return known;
    // Records have `http:` addresses of this machine only.
    const options = issuer.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {};
    const found = oidc.discovery(new URL(issuer), clientId, undefined, oidc.None(), options);
    this.#metadata.set(key, found);
    try {
      return await found;
    } catch (cause) {
      this.#metadata.delete(key);
      throw new DomainError('SERVICE_UNAVAILABLE', `The issuer ${issuer} does not answer`, {}, { cause });
    }
  }

  #open(sealed: string): State {
    const state = openText(this.#options.encryption, sealed, sealContext) as State | undefined;
    if (state && this.#options.now().getTime() < state.until) return state;
    throw new DomainError(
      'UNAUTHENTICATED',
      'The login took too long, or began in another browser; try again',
    );
  }
}

/**
 * Refuses a login that the issuer remembered, and a time of a login that cannot be one. Issuers that do not
 * say when somebody logged in are trusted to have asked.
 * @param claims of the ID token
 * @param began time at which the login began
 * @throws DomainError UNAUTHENTICATED
 */
export function assertLoggedInAgain(claims: { readonly auth_time?: unknown } | undefined, began: Date): void {
  const stated = claims?.auth_time ?? undefined;
  if (stated === undefined) return;
  const at = typeof stated === 'number' ? stated * 1000 : NaN;
  const latest = began.getTime() + loginSeconds * 1000 + clockToleranceMs;
  if (!(at <= latest)) {
    const shown = JSON.stringify(stated).slice(0, 100);
    const expected = 'the time of the login in seconds since 1970, not in the future';
    throw new DomainError(
      'UNAUTHENTICATED',
      `auth_time: ${shown} is not valid; the issuer must send ${expected}`,
    );
  }
  if (at >= began.getTime() - clockToleranceMs) return;
  const when = new Date(at).toISOString();
  const text = `The issuer remembered a login of ${when} and did not ask for another one; log out there, and try again`;
  throw new DomainError('UNAUTHENTICATED', text);
}

/** Parameters by which issuers put the gateway into the audience: RFC 8707, and the older `audience`. */
function targetOf({ audience, login }: LoginOffer): Record<string, string> {
  if (login?.hasOpaqueAccessTokens === true) return {};
  return { audience, ...(URL.canParse(audience) && { resource: audience }) };
}

/** A path of this gateway: an address of another site would make the login a redirect to it. */
function pathOf(to: string): string {
  return /^\/(?![/\\])[\w./?=&%~:-]{0,500}$/.test(to) ? to : '/';
}

function refuse(cause: unknown): never {
  const { error, error_description: text } = cause as { error?: string; error_description?: string };
  const why = error === undefined ? '' : `: ${(text ?? error).slice(0, 200)}`;
  throw new DomainError('UNAUTHENTICATED', `The issuer did not confirm the login${why}`, {}, { cause });
}
