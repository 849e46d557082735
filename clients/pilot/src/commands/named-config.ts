import { isDomainError } from '@rhizome/errors';
import { defaultName } from '../agent/default-name.js';
import type { PilotOptions } from '../agent/pilot.js';
import { readConfig, type PilotConfig } from '../config.js';
import { exitCodes } from './exit-codes.js';

/** Configuration of a pilot with a name. */
export type NamedConfig = PilotConfig & { readonly pilot: PilotOptions };

/** Reads the configuration; ends the process with a message if it is invalid. */
export async function configure(args: readonly string[], env: NodeJS.ProcessEnv): Promise<NamedConfig> {
  return orExit(async () => {
    const config = optionsOf(args, env);
    const { pilot, credential } = config;
    const name = pilot.name ?? (await defaultName(pilot.queue, credential?.enrolmentId));
    return { ...config, pilot: { ...pilot, name } };
  });
}

/** Reads the command line of a pilot, without the name of its command. @throws DomainError CONFIG_INVALID */
export function optionsOf(args: readonly string[], env: NodeJS.ProcessEnv): PilotConfig {
  return readConfig([...process.argv.slice(0, 2), ...args], env);
}

/** The result; ends the process with a message if the configuration is invalid. */
export async function orExit<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isDomainError(error)) throw error;
    console.error(`rhizome-pilot: ${error.message}`);
    process.exit(exitCodes.usage);
  }
}
