/** The gateway as an issuer: its list of issuers for logins, exchange, refresh and revocation. */
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.js';
import { getJson, postForm } from '../token-endpoint.js';

const offer = z.object({
  name: z.string(),
  issuer: z.string(),
  profile: z.string(),
  audience: z.string(),
  client_id: z.string().optional(),
  scope: z.string().optional(),
  subject_token_type: z.string(),
});
const metadataSchema = z.object({ issuer: z.string(), rhizome_login_issuers: z.array(offer).default([]) });

/** An issuer at which people log in, or whose tokens CI jobs have. */
export interface LoginIssuer {
  readonly name: string;
  readonly issuer: string;
  readonly profile: string;
  readonly audience: string;
  /** The client that logs in; undefined for issuers of workload tokens. */
  readonly clientId: string | undefined;
  readonly scope: string;
  /** Type of the token to exchange (RFC 8693). */
  readonly tokenType: string;
}

/** The metadata of a gateway. */
export interface GatewayMetadata {
  /** The `iss` of its own tokens. */
  readonly issuer: string;
  readonly loginIssuers: readonly LoginIssuer[];
}

/** Tokens of the gateway. */
export interface GatewayTokens {
  readonly token: string;
  readonly refreshToken: string | null;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Time at which to get the next token. */
  readonly renewAt: number;
  readonly scope: string;
}

/** A token to exchange. */
export interface ExchangeOptions {
  readonly subjectToken: string;
  readonly tokenType?: string;
  readonly scope?: string;
  readonly agent?: string | undefined;
  /** Service for which the token is; undefined for the gateway itself. */
  readonly audience?: string | undefined;
  readonly lifetimeSeconds?: number | undefined;
}

const exchangeType = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** Type of access tokens in an exchange. */
export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
/** Type of other JSON Web Tokens in an exchange. */
export const jwtType = 'urn:ietf:params:oauth:token-type:jwt';

/** The metadata; undefined for a gateway without a store of identities. @throws CliError */
export async function gatewayMetadata(
  url: string,
  signal: AbortSignal,
): Promise<GatewayMetadata | undefined> {
  const path = '/.well-known/oauth-authorization-server';
  const { status, body } = await getJson(url, path, signal);
  if (status !== 200) return undefined;
  const found = metadataSchema.safeParse(body);
  if (!found.success) throw new CliError(exitCodes.unavailable, `${url} has metadata of another form`);
  const { issuer, rhizome_login_issuers: offers } = found.data;
  return {
    issuer,
    loginIssuers: offers.map(({ client_id: clientId, scope, subject_token_type: tokenType, ...rest }) => ({
      ...rest,
      clientId,
      scope: scope ?? 'openid',
      tokenType,
    })),
  };
}

/** Exchanges a token for one of the gateway. @throws CliError if it is refused */
export function exchange(url: string, options: ExchangeOptions, signal: AbortSignal): Promise<GatewayTokens> {
  const { subjectToken, tokenType = accessTokenType, scope = '', agent, audience, lifetimeSeconds } = options;
  const form = {
    grant_type: exchangeType,
    client_id: clientId,
    subject_token: subjectToken,
    subject_token_type: tokenType,
    scope,
    ...(agent !== undefined && { agent }),
    ...(audience !== undefined && { audience }),
    ...lifetimeField(lifetimeSeconds),
  };
  return issued(url, form, signal);
}

/** A token of a robot, by an assertion that it signed. @throws CliError if it is refused */
export function clientCredentials(
  url: string,
  {
    assertion,
    scope,
    lifetimeSeconds,
  }: { readonly assertion: string } & Pick<ExchangeOptions, 'scope' | 'lifetimeSeconds'>,
  signal: AbortSignal,
): Promise<GatewayTokens> {
  const form = {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    scope: scope ?? '',
    ...lifetimeField(lifetimeSeconds),
  };
  return issued(url, form, signal);
}

const lifetimeField = (seconds: number | undefined): Readonly<Record<string, string>> =>
  seconds === undefined ? {} : { requested_lifetime: String(seconds) };

/** Continues a login. @throws CliError: denied if it has ended */
export function refresh(url: string, refreshToken: string, signal: AbortSignal): Promise<GatewayTokens> {
  return issued(
    url,
    { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken },
    signal,
  );
}

/** Ends a login with all its tokens. @throws CliError */
export async function revoke(url: string, token: string, signal: AbortSignal): Promise<void> {
  const { status } = await postForm(url, '/oauth/revoke', { token }, signal);
  if (status !== 200)
    throw new CliError(exitCodes.unavailable, `${url} did not end the login (status ${status})`);
}

const clientId = 'rhizome-cli';
/** Time before its end at which a token is replaced, in milliseconds; a quarter of a short lifetime. */
const renewBeforeMs = 60_000;
const answerSchema = z.object({
  access_token: z.string().optional(),
  refresh_token: z.string().optional(),
  expires_in: z.number().default(0),
  scope: z.string().default(''),
  error_description: z.string().optional(),
});

async function issued(
  url: string,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<GatewayTokens> {
  const { status, body } = await postForm(url, '/oauth/token', form, signal);
  const answer = answerSchema.safeParse(body).data;
  if (status !== 200 || answer?.access_token === undefined) {
    const isPassing = status >= 500 || status === 429;
    const why = answer?.error_description ?? `status ${status}`;
    throw new CliError(isPassing ? exitCodes.unavailable : exitCodes.denied, `${url} gave no token: ${why}`);
  }
  const now = Date.now();
  const lifetimeMs = answer.expires_in * 1000;
  return {
    token: answer.access_token,
    refreshToken: answer.refresh_token ?? null,
    expiresAt: now + lifetimeMs,
    renewAt: now + lifetimeMs - Math.min(renewBeforeMs, lifetimeMs / 4),
    scope: answer.scope,
  };
}
