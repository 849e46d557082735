import { DomainError } from '@rhizome/errors';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { defaultName, keepDefaultName } from '../agent/default-name.js';
import { isOwnFolder } from '../files/scratch.js';
import { isRunning, processIn, type ProcessIdentity } from '../processes/process-identity.js';
import { ownerOf, spoolPrefix } from '../spool/owner-file.js';
import type { SpoolOwner } from '../spool/spool.types.js';
import { optionsOf, orExit, type NamedConfig } from './named-config.js';

/** Time for the pilot to end, and for a launcher to start another one. */
const longestMs = 120_000;
const lookMs = 50;

interface RunningPilot {
  readonly process: ProcessIdentity;
  readonly owner: SpoolOwner;
}

/**
 * Ends the pilot that runs with these options, under running payloads. Its payloads continue.
 * @returns the configuration for the pilot that replaces it in this process; undefined if a launcher has
 *   started that pilot
 */
export async function handover(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<NamedConfig | undefined> {
  return orExit(async () => {
    const config = optionsOf(args, env);
    const { queue, host, name: given } = config.pilot;
    const enrolmentId = config.credential?.enrolmentId;
    const wanted = given ?? (enrolmentId === undefined ? undefined : await defaultName(queue, enrolmentId));
    const pilot = await theOnlyOne(host.scratch, queue, wanted);
    const { name, isLaunched, endsWithPilot } = pilot.owner;
    if (isLaunched === undefined) throw new DomainError('CONFIG_INVALID', tooOld(name));
    if (endsWithPilot === true) throw new DomainError('CONFIG_INVALID', bound(name));
    process.kill(pilot.process.pid, 'SIGUSR2');
    await until(`process ${pilot.process.pid} has not ended`, () => !isRunning(pilot.process));
    if (!isLaunched) {
      if (wanted === undefined) await keepDefaultName(queue, name);
      return { ...config, pilot: { ...config.pilot, name } };
    }
    await until('the launcher has not started a pilot', async () => {
      const now = await runningPilots(host.scratch, queue, name);
      return now.length > 0;
    });
    return undefined;
  });
}

/** Pilots without a supervisor die of the signal, with their payloads. */
const tooOld = (name: string): string =>
  `Pilot ${name} has a version that cannot leave its payloads; stop it with SIGTERM, and start it again`;

/** Their supervisors end the payloads whatever the reason for which the pilot ends. */
const bound = (name: string): string =>
  `The payloads of pilot ${name} end with it (--end-with-pilot true); stop it with SIGTERM, and start it again`;

/** @throws DomainError CONFIG_INVALID unless there is exactly one */
async function theOnlyOne(scratch: string, queue: string, name: string | undefined): Promise<RunningPilot> {
  const found = await runningPilots(scratch, queue, name);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const names = found.map(({ owner }) => owner.name).join(', ');
  const what = name === undefined ? '' : ` with name ${name}`;
  throw new DomainError(
    'CONFIG_INVALID',
    first === undefined
      ? `No pilot of queue ${queue}${what} runs with scratch folder ${scratch}`
      : `Several pilots of queue ${queue} run with scratch folder ${scratch}; name must be one of ${names}`,
  );
}

async function runningPilots(
  scratch: string,
  queue: string,
  name: string | undefined,
): Promise<readonly RunningPilot[]> {
  const found: RunningPilot[] = [];
  for (const entry of await readdir(scratch).catch((): string[] => [])) {
    const pilot = processIn(entry, spoolPrefix);
    const folder = join(scratch, entry);
    if (pilot === undefined || !isRunning(pilot) || !(await isOwnFolder(folder).catch(() => false))) continue;
    const owner = await ownerOf(folder);
    if (owner?.queue !== queue || owner.host !== hostname()) continue;
    if (name === undefined || owner.name === name) found.push({ process: pilot, owner });
  }
  return found;
}

/** @throws Error if it takes too long */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + longestMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`handover failed: ${what} after ${longestMs / 1000} s`);
    await pause(lookMs);
  }
}
