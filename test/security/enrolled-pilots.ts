/** Real pilots of the queue `north`, each enrolled by a command with a key of its own. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pilotProgram, readCredential } from '@rhizome/pilot';
import { spawnProcess, type TestProcess } from '@rhizome/testkit';
import { type RunningPilot, runPilot } from '../e2e/system/pilots.js';
import { invitation, SpokenCredential, type WorkerPlace } from '../e2e/system/worker-credentials.js';

const queue = 'north';

/** The file with the credential of a pilot. */
export const credentialOf = ({ data }: WorkerPlace, name: string): string => join(data, `${name}.json`);

/** Invites a worker. @returns the file with the code */
export async function invitationFile(place: WorkerPlace): Promise<string> {
  const code = await invitation(place, queue);
  const file = join(place.data, `code-${code.slice(-8)}`);
  await writeFile(file, code, { mode: 0o600 });
  return file;
}

/** Runs `rhizome-pilot enrol`. */
export function enrol(
  place: WorkerPlace,
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): TestProcess {
  const file = credentialOf(place, name);
  const target = ['--url', place.url, '--queue', queue, '--credential-file', file];
  return spawnProcess({
    name: `enrol ${name}`,
    command: 'node',
    args: [pilotProgram, 'enrol', ...target, ...args],
    env,
  });
}

/** Starts the enrolled pilot of this name; resolves when its worker is registered. */
export function startPilot(
  place: WorkerPlace,
  name: string,
  ...args: readonly string[]
): Promise<RunningPilot> {
  return runPilot(place, { name, credentialFile: credentialOf(place, name), cores: 1, args });
}

/** The present credential of a pilot, as a thief of its file has it. */
export const stolen = (place: WorkerPlace, name: string): SpokenCredential =>
  new SpokenCredential(readCredential(credentialOf(place, name)));
