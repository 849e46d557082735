/** A person who logs in at a gateway with a browser, and with a program, at a real issuer. */
import { testIssuer, logInAsPerson, type TestBrowser, type TestIssuer } from '@rhizome/testkit/oidc';
import { decodeJwt } from 'jose';
import { apiOf } from '../../e2e/system/api.js';
import { exchangeToken, requestTokens, type TokenAnswer } from '../../e2e/system/token-endpoint.js';
import type { Evidence } from './evidence.js';

/** Traces that the login of a person leaves in the browser. */
export interface BrowserLogin {
  /** Identifier of the person, `usr_…`. */
  readonly principal: string;
  /** Value of the cookie of the session. */
  readonly session: string;
  /** Value of the cookie that a login has until it ends. */
  readonly state: string;
  /** Query of the address to which the issuer sent the browser back; it has the code. */
  readonly callback: string;
  /** Address of the page to which the login led, although it asked for another site. */
  readonly end: string;
}

/** Options of {@link logInByBrowser}. */
export interface BrowserLoginOptions {
  /** Address of the gateway without path. */
  readonly origin: string;
  /** Token of an administrator. */
  readonly admin: string;
  readonly evidence: Evidence;
}

const person = 'victim';

/** Sets up the issuer, logs the person in, and plants everything secret that came of it. */
export async function logInByBrowser({
  origin,
  admin,
  evidence,
}: BrowserLoginOptions): Promise<BrowserLogin> {
  const institute = await testIssuer({ redirectUris: [`${origin}/auth/callback`] });
  await trust(institute, `${origin}/graphql`, admin);
  const browser: TestBrowser = { cookies: new Map(), addresses: [], sent: new Set() };
  await logInAsPerson(`${origin}/auth/login?issuer=institute&to=${encodeURIComponent('//evil.example/x')}`, {
    login: person,
    browser,
  });
  const callback = browser.addresses.find(({ pathname }) => pathname === '/auth/callback');
  const session = browser.cookies.get('__Host-rhizome');
  const [state] = [...browser.sent].flatMap(
    (pair) => /^__Host-rhizome-login=(.{40,})$/.exec(pair)?.[1] ?? [],
  );
  const code = callback?.searchParams.get('code');
  if (!callback || session === undefined || state === undefined || code == null)
    throw new Error(`The login left nothing: ${browser.addresses.map(String).join(' ')}`);
  const { principal, tokens } = await programLogin(institute, origin);
  evidence.plant('token', [session, state, code, ...tokens]);
  return {
    ...{ principal, session, state, callback: callback.search, end: browser.addresses.at(-1)?.href ?? '' },
  };
}

async function trust(
  { issuer, audience, publicClient }: TestIssuer,
  url: string,
  admin: string,
): Promise<void> {
  await apiOf(url, admin).change('setTokenIssuer', {
    ...{ name: 'institute', issuer, profile: 'OIDC', audiences: [audience], experiments: ['atlas'] },
    login: { clientId: publicClient, scopes: ['openid', 'profile'] },
    rules: [{ name: 'users', isForEveryone: true, grants: [{ experiment: 'atlas', roles: ['USER'] }] }],
  });
}

/** An access token and the refresh token that came with it. @throws Error if there is none */
function bothOf({ access_token: access, refresh_token: refresh }: TokenAnswer): readonly [string, string] {
  if (refresh === undefined) throw new Error('The endpoint gave no refresh token');
  return [access, refresh];
}

/** Exchanges a token of the issuer, as a program of the person does, and refreshes the result. */
async function programLogin(
  institute: TestIssuer,
  origin: string,
): Promise<{ readonly principal: string; readonly tokens: readonly string[] }> {
  const outside = await institute.issue({ sub: person, client_id: undefined });
  const exchanged = await exchangeToken(origin, outside, { scope: 'offline_access' });
  const [access, refresh] = bothOf(exchanged);
  const form = { grant_type: 'refresh_token', refresh_token: refresh };
  const renewed = bothOf(await requestTokens(origin, form));
  const { sub: principal } = decodeJwt<{ sub: string }>(access);
  return { principal, tokens: [outside, access, refresh, ...renewed] };
}
