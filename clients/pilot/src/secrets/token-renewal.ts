import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import { CoreUnavailable } from '../protocol/core-protocol.js';
import type { AttemptSecrets } from './attempt-secrets.js';
import type { AttemptToken } from './attempt-token.js';

/** Pause after a renewal that was not answered. */
const retryMs = 5_000;

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
    for (;;) {
      await sleep(expiresInSeconds * 500, signal);
      if (signal.aborted) return;
      const next = await answered(request, signal, log);
      if (!next) return;
      await secrets.setToken(next.token);
      ({ expiresInSeconds } = next);
    }
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, 'job token no longer renewed');
  }
}

async function answered(
  request: () => Promise<AttemptToken>,
  signal: AbortSignal,
  log: Logger,
): Promise<AttemptToken | undefined> {
  while (!signal.aborted) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof CoreUnavailable)) throw error;
      log.debug({ reason: error.message }, 'job token not renewed; retrying');
      await sleep(retryMs, signal);
    }
  }
  return undefined;
}
