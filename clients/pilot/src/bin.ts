#!/usr/bin/env node
import { isDomainError } from '@rhizome/errors';
import { createLogger } from '@rhizome/log';
import { defaultName } from './agent/default-name.js';
import { Pilot, type PilotOptions } from './agent/pilot.js';
import { enrolCommand } from './credential/enrol-command.js';
import { EnrolmentRefused } from './credential/enrolment-client.js';
import { WorkerCredential } from './credential/worker-credential.js';
import { readConfig, readToken, type PilotConfig } from './config.js';
import { CoreRefused } from './protocol/core-protocol.js';
import { GraphqlProtocol } from './protocol/graphql-protocol.js';

/**
 * Exit codes: 0 drained or stopped in order, 1 internal error, 2 core does not accept this worker, 64 invalid
 * configuration.
 */
const exitFault = 1;
const exitRefused = 2;
const exitUsage = 64;

type NamedConfig = PilotConfig & { readonly pilot: PilotOptions };

async function configure(): Promise<NamedConfig> {
  try {
    const config = readConfig(process.argv, process.env);
    const { pilot, credential } = config;
    const name = pilot.name ?? (await defaultName(pilot.queue, credential?.enrolmentId));
    return { ...config, pilot: { ...pilot, name } };
  } catch (error) {
    if (!isDomainError(error)) throw error;
    console.error(`rhizome-pilot: ${error.message}`);
    process.exit(exitUsage);
  }
}

if (process.argv[2] === 'enrol') await enrolAndExit();

const { url, tokenFile, credential, logLevel, pilot: options } = await configure();
const log = createLogger({ name: 'pilot', level: logLevel });
const core = new GraphqlProtocol(
  credential
    ? { url, credential: new WorkerCredential(credential, log) }
    : { url, token: () => readToken(tokenFile ?? '') },
);
const pilot = new Pilot(core, options, log);

// SIGTERM lets jobs end; SIGINT, or a second SIGTERM, does not.
let isDraining = false;
process.on('SIGTERM', () => {
  if (isDraining) pilot.stop('a second SIGTERM');
  else pilot.drain('SIGTERM');
  isDraining = true;
});
process.on('SIGINT', () => pilot.stop('SIGINT'));

try {
  await pilot.run();
  log.info('pilot ended');
} catch (error) {
  process.exitCode = exitCodeOf(error);
  if (error instanceof CoreRefused)
    log.error({ code: error.code, reason: error.message }, 'registration refused');
  else if (process.exitCode === exitUsage) console.error(`rhizome-pilot: ${(error as Error).message}`);
  else log.error({ err: error }, 'pilot failed');
} finally {
  await core.close();
}

/** Runs the command that enrols this host. */
async function enrolAndExit(): Promise<never> {
  try {
    const write = (line: string): void => void process.stdout.write(`${line}\n`);
    await enrolCommand(process.argv.slice(3), write, process.env);
    process.exit(0);
  } catch (error) {
    console.error(`rhizome-pilot: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(
      error instanceof EnrolmentRefused ? exitRefused : isDomainError(error) ? exitUsage : exitFault,
    );
  }
}

/** Some settings, such as the file of a simulated fleet, are read while the pilot runs. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CoreRefused) return exitRefused;
  return isDomainError(error) && error.code === 'CONFIG_INVALID' ? exitUsage : exitFault;
}
