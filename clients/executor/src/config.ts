/** Reads the configuration: the file, and variables that replace its settings. */
import { assertSecureAddress } from '@rhizome/client';
import { type DeepReadonly, loadConfig } from '@rhizome/config';
import { DomainError } from '@rhizome/errors';
import { readFileSync } from 'node:fs';
import { type Settings, settingsSchema, variablePrefix } from './settings.js';

/** Configuration of the program. */
export type ExecutorConfig = DeepReadonly<Settings>;

/** Reads the configuration. @throws DomainError CONFIG_INVALID that lists all errors */
export function readConfig(file: string, env: NodeJS.ProcessEnv): ExecutorConfig {
  const config = loadConfig({ schema: settingsSchema, env, prefix: variablePrefix, file });
  const { url, insecureTransport, queues } = config;
  assertSecureAddress(url, { isPermitted: insecureTransport, permission: 'insecureTransport', field: 'url' });
  readToken(config.tokenFile);
  for (const { queue, shapes, pilot } of queues)
    for (const { name, walltimeSeconds } of shapes)
      if (lifetimeOf(walltimeSeconds, pilot.drainSeconds) < 1) {
        const text = `${file}: shape ${name} of queue ${queue} has walltimeSeconds ${walltimeSeconds}; must be more than ${pilot.drainSeconds + marginSeconds}: the time to drain, and ${marginSeconds}`;
        throw new DomainError('CONFIG_INVALID', text, { field: 'walltimeSeconds', value: walltimeSeconds });
      }
  return config;
}

/** Time that is left between the end of a pilot and that of its batch job. */
export const marginSeconds = 60;

/** Time from the start of a pilot to the end of its jobs. */
export function lifetimeOf(walltimeSeconds: number, drainSeconds: number): number {
  return walltimeSeconds - drainSeconds - marginSeconds;
}

/** The token in a file, which may be replaced at any time. @throws DomainError CONFIG_INVALID */
export function readToken(file: string): string {
  let token = '';
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    const text = `Token file ${file} cannot be read: ${(error as Error).message}`;
    throw new DomainError('CONFIG_INVALID', text, { field: 'tokenFile', value: file }, { cause: error });
  }
  if (token !== '') return token;
  throw new DomainError('CONFIG_INVALID', `Token file ${file} is empty; must contain a token`, {
    field: 'tokenFile',
    value: file,
  });
}
