/** Logs in at an outside issuer: by a device code (RFC 8628), or by a browser with PKCE (RFC 8252). */
import * as oidc from 'openid-client';
import { isLoopbackAddress } from '@rhizome/client';
import { CliError, exitCodes } from '../exit-codes.js';
import type { LoginIssuer } from './gateway-issuer.js';
import { openBrowser, openLoopback } from './loopback.js';

/** Ways to log in. */
export type LoginWay = 'device' | 'browser';

/** Issuer and way of a login, and how to show what the person must do. */
export interface OutsideLoginOptions {
  readonly issuer: LoginIssuer;
  readonly way: LoginWay;
  readonly show: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** The token of the issuer that is exchanged at the gateway. @throws CliError if the login fails */
export async function logInOutside(options: OutsideLoginOptions): Promise<string> {
  const { issuer, signal } = options;
  try {
    const config = await discover(issuer);
    const tokens = await (options.way === 'device' ? byDevice : byBrowser)(config, options);
    const token = isIdToken(issuer) ? tokens.id_token : tokens.access_token;
    if (token !== undefined) return token;
    throw new CliError(exitCodes.denied, `${issuer.issuer} gave no ID token; its scopes need "openid"`);
  } catch (error) {
    if (signal.aborted || error instanceof CliError) throw error;
    throw new CliError(exitCodes.denied, `The login at ${issuer.issuer} failed: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  const { error: code, error_description: text } = error as { error?: string; error_description?: string };
  if (code !== undefined) return text === undefined ? code : `${text} (${code})`;
  return error instanceof Error ? error.message : String(error);
}

function discover({ issuer, clientId = '' }: LoginIssuer): Promise<oidc.Configuration> {
  const options = isLoopbackAddress(issuer) ? { execute: [oidc.allowInsecureRequests] } : {};
  return oidc.discovery(new URL(issuer), clientId, undefined, oidc.None(), options);
}

function isIdToken({ tokenType }: LoginIssuer): boolean {
  return tokenType.endsWith(':id_token');
}

/** Parameters by which issuers put the gateway into the audience: RFC 8707, and the older `audience`. */
function targetOf(issuer: LoginIssuer): Record<string, string> {
  const { audience } = issuer;
  if (isIdToken(issuer)) return {};
  return { audience, ...(URL.canParse(audience) && { resource: audience }) };
}

function resourceOf(issuer: LoginIssuer): Record<string, string> {
  const { resource } = targetOf(issuer);
  return resource === undefined ? {} : { resource };
}

async function byDevice(
  config: oidc.Configuration,
  { issuer, show, signal }: OutsideLoginOptions,
): Promise<oidc.TokenEndpointResponse> {
  const parameters = { scope: issuer.scope, ...targetOf(issuer) };
  const started = await oidc.initiateDeviceAuthorization(config, parameters);
  show(`Open ${started.verification_uri} and enter the code ${started.user_code}`);
  if (started.verification_uri_complete !== undefined) show(`or open ${started.verification_uri_complete}`);
  return oidc.pollDeviceAuthorizationGrant(config, started, resourceOf(issuer), { signal });
}

async function byBrowser(
  config: oidc.Configuration,
  { issuer, show, signal, env }: OutsideLoginOptions,
): Promise<oidc.TokenEndpointResponse> {
  const loopback = await openLoopback(signal);
  try {
    const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
    const expectedState = oidc.randomState();
    const expectedNonce = oidc.randomNonce();
    const address = oidc.buildAuthorizationUrl(config, {
      scope: issuer.scope,
      ...targetOf(issuer),
      redirect_uri: loopback.redirectUri,
      code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
    });
    show(`Open ${address.href}`);
    openBrowser(address.href, env);
    const answer = await loopback.answer(expectedState);
    const checks = { pkceCodeVerifier, expectedState, expectedNonce };
    return await oidc.authorizationCodeGrant(config, answer, checks, resourceOf(issuer));
  } finally {
    loopback.close();
  }
}
