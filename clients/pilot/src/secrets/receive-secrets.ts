import type { Logger } from '@rhizome/log';
import type { AttemptFolders } from '../files/scratch.js';
import { AttemptSecrets, type SecretHost } from './attempt-secrets.js';
import type { AttemptToken } from './attempt-token.js';
import type { DeliveredSecret } from './delivered-secret.js';
import { renewToken } from './token-renewal.js';

/**
 * Secrets and token that the payload of an attempt receives, and the calls of core that deliver them, which
 * are repeated until core answers.
 */
export interface SecretSource {
  readonly secretIds: readonly string[];
  readonly isTokenRequired: boolean;
  readonly host: SecretHost;
  redeem(secretIds: readonly string[], signal: AbortSignal): Promise<readonly DeliveredSecret[]>;
  token(signal: AbortSignal): Promise<AttemptToken>;
}

/**
 * Receives the secrets and the token of an attempt. The token is renewed until the signal, or until the
 * secrets are removed.
 * @throws CoreRefused; the signal's reason
 */
export async function receiveSecrets(
  source: SecretSource,
  folders: AttemptFolders,
  signal: AbortSignal,
  log: Logger,
): Promise<AttemptSecrets> {
  const { secretIds, isTokenRequired } = source;
  const delivered = secretIds.length === 0 ? [] : await source.redeem(secretIds, signal);
  const secrets = await AttemptSecrets.open(folders, delivered, source.host);
  if (!isTokenRequired) return secrets;
  try {
    await keepToken(secrets, source, signal, log);
    return secrets;
  } catch (error) {
    await secrets.remove().catch((fault: unknown) => log.error({ err: fault }, 'secrets not removed'));
    throw error;
  }
}

/** Gives the payload a token, and renews it. @throws CoreRefused; the signal's reason */
export async function keepToken(
  secrets: AttemptSecrets,
  source: Pick<SecretSource, 'token'>,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const ended = AbortSignal.any([signal, secrets.removed]);
  const request = (): Promise<AttemptToken> => source.token(ended);
  const first = await request();
  await secrets.setToken(first);
  void renewToken(first, secrets, request, ended, log);
}
