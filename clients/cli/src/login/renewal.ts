/** Tokens of a stored login, renewed before they expire; processes that run at once take turns. */
import { RhizomeApiError, type TokenSource } from '@rhizome/client';
import { CliError, exitCodes } from '../exit-codes.js';
import { exchange, type GatewayTokens, jwtType, refresh } from './gateway-issuer.js';
import {
  loginAt,
  type NewLogin,
  readLogins,
  replaceLogin,
  type StoredLogin,
  withLock,
} from './logins-file.js';
import { robotToken } from './robot-key.js';
import { workloadToken } from './workload-token.js';

/** A login, and what its renewals need. */
export interface RenewalSource {
  /** The file of the logins. */
  readonly path: string;
  /** The gateway. */
  readonly url: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** The tokens of the login at a gateway. */
export function renewedTokens(source: RenewalSource): TokenSource {
  const { path, url } = source;
  let given: string | undefined;
  return async (expired) => {
    const login = current(path, url);
    const elevated = elevatedToken(login);
    if (elevated !== undefined && !(expired && elevated === given)) return (given = elevated);
    // Another process may have renewed the token that was refused here.
    const isRefused = expired && login.token === given;
    if (canRenew(login) && (isDue(login) || isRefused)) given = await renew(source, login);
    else given = login.token;
    return given;
  };
}

/** @param known the login with the token that is to be replaced */
function renew({ path, url, env, signal }: RenewalSource, known: StoredLogin): Promise<string> {
  return withLock(path, signal, async () => {
    const login = current(path, url);
    if (login.token !== known.token && !isDue(login)) return login.token;
    try {
      const { token, refreshToken, expiresAt, renewAt } = await nextTokens(login, env, signal);
      replaceLogin(path, {
        ...login,
        token,
        refreshToken: refreshToken ?? login.refreshToken,
        expiresAt,
        renewAt,
      });
      return token;
    } catch (error) {
      if (signal.aborted) throw error;
      const isPassing = error instanceof CliError && error.exitCode === exitCodes.unavailable;
      const isValid = login.expiresAt !== null && Date.now() < login.expiresAt;
      if (isPassing && isValid) return login.token;
      throw failed(url, error, isPassing);
    }
  });
}

async function nextTokens(
  login: StoredLogin,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<GatewayTokens> {
  const { url, refreshToken, workload, robot, scope } = login;
  if (robot !== null) return robotToken(url, robot, { scope }, signal);
  if (workload === null) return refresh(url, refreshToken ?? '', signal);
  const subjectToken = await workloadToken(workload, env, signal);
  return exchange(url, { subjectToken, tokenType: jwtType, scope }, signal);
}

function current(path: string, url: string): StoredLogin {
  const login = loginAt(readLogins(path), url);
  if (login) return login;
  throw failed(url, new Error('another process logged out'), false);
}

/** The token of the login's elevation, while it lasts. */
function elevatedToken({ elevation }: StoredLogin): string | undefined {
  return elevation && Date.now() < elevation.expiresAt ? elevation.token : undefined;
}

/** True if a login can get further tokens. */
export function canRenew({ refreshToken, workload, robot }: NewLogin): boolean {
  return refreshToken != null || workload != null || robot != null;
}

function isDue({ renewAt }: StoredLogin): boolean {
  return renewAt !== null && Date.now() >= renewAt;
}

/** An error that clients and streams understand: one that passes is tried again, another one ends them. */
function failed(url: string, error: unknown, isPassing: boolean): RhizomeApiError {
  const why = error instanceof Error ? error.message : String(error);
  if (isPassing) return new RhizomeApiError({ code: 'SERVICE_UNAVAILABLE', message: why, notSent: true });
  return new RhizomeApiError({
    code: 'UNAUTHENTICATED',
    message: `The login at ${url} has ended: ${why}; run "rhizome login"`,
    cause: error,
  });
}
