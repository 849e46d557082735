import { isDomainError } from '@rhizome/errors';
import { createLogger } from '@rhizome/log';
import { Pilot } from '../agent/pilot.js';
import { WorkerCredential } from '../credential/worker-credential.js';
import { readToken } from '../config.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import { GraphqlProtocol } from '../protocol/graphql-protocol.js';
import { exitCodes } from './exit-codes.js';
import type { NamedConfig } from './named-config.js';

/** A launcher passes on a signal that its pilot may have received, too. */
const sameSignalMs = 1000;

/** Runs a pilot until it ends. Sets the exit code. */
export async function run({
  url,
  tokenFile,
  credential,
  logLevel,
  pilot: options,
}: NamedConfig): Promise<void> {
  const log = createLogger({ name: 'pilot', level: logLevel });
  const core = new GraphqlProtocol(
    credential
      ? { url, credential: new WorkerCredential(credential, log) }
      : { url, token: () => readToken(tokenFile ?? '') },
  );
  const isLaunched = process.connected;
  const pilot = new Pilot(core, { ...options, isLaunched }, log);
  followSignals(pilot, isLaunched);
  try {
    await pilot.run();
    log.info('pilot ended');
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    if (error instanceof CoreRefused)
      log.error({ code: error.code, reason: error.message }, 'registration refused');
    else if (process.exitCode === exitCodes.usage)
      console.error(`rhizome-pilot: ${(error as Error).message}`);
    else log.error({ err: error }, 'pilot failed');
  } finally {
    await core.close();
    if (isLaunched) process.disconnect();
  }
}

/** SIGTERM lets jobs end; SIGINT, or a second SIGTERM, does not; SIGUSR2 leaves them to another pilot. */
function followSignals(pilot: Pilot, isLaunched: boolean): void {
  let drainingSince: number | undefined;
  process.on('SIGTERM', () => {
    const now = performance.now();
    const isSame = isLaunched && drainingSince !== undefined && now - drainingSince < sameSignalMs;
    if (drainingSince === undefined) pilot.drain('SIGTERM');
    else if (!isSame) pilot.stop('a second SIGTERM');
    drainingSince ??= now;
  });
  process.on('SIGINT', () => pilot.stop('SIGINT'));
  process.on('SIGUSR2', () => {
    if (isLaunched) process.exitCode = exitCodes.handedOver;
    pilot.leave('handover');
  });
}

/** Some settings, such as the file of a simulated fleet, are read while the pilot runs. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CoreRefused) return exitCodes.refused;
  return isDomainError(error) && error.code === 'CONFIG_INVALID' ? exitCodes.usage : exitCodes.fault;
}
