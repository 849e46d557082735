import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import type { AttemptSecrets } from './attempt-secrets.js';
import type { AttemptToken } from './attempt-token.js';

/**
 * Renews the token of an attempt at half of its life, until the signal. A refusal ends the renewal: the
 * attempt is no longer this worker's.
 */
export async function renewToken(
  first: AttemptToken,
  secrets: AttemptSecrets,
  request: () => Promise<AttemptToken>,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  let { expiresInSeconds } = first;
  try {
    while (await sleep(expiresInSeconds * 500, signal)) {
      const next = await request();
      await secrets.setToken(next);
      ({ expiresInSeconds } = next);
    }
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, 'job token no longer renewed');
  }
}
