import type { Logger } from '@rhizome/log';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isOwnFolder, removeFolder } from '../files/scratch.js';
import { isRunning, processIn } from '../processes/process-identity.js';
import { isOf, longestKeptMs } from '../spool/owner-file.js';
import { recordedAttempts } from './attempt-record.js';
import { recordedFault } from './fault-file.js';
import type { CoreContact } from './messages.js';
import { startSupervisor } from './start-supervisor.js';
import { SupervisorClient } from './supervisor-client.js';
import { settingsOf, supervisorOf, type SupervisorOptions } from './supervisor-options.js';

/** Name of the part of a pilot without a supervisor: `pilot-PID-START`. */
const formerPrefix = 'pilot';

/** A part of the scratch space that an earlier pilot of this name has left. */
export interface LeftPart {
  readonly folder: string;
  /** Undefined if its supervisor has ended. */
  readonly client: SupervisorClient | undefined;
  /** Attempts with a record. */
  readonly attemptIds: readonly string[];
}

/** The supervisors of one pilot: the one that gets new payloads, and those that earlier pilots have left. */
export class Supervisors {
  readonly #options: SupervisorOptions;
  readonly #log: Logger;
  /** Parts of the scratch space that earlier pilots have left. */
  readonly left: readonly LeftPart[];
  readonly #clients = new Set<SupervisorClient>();
  #current: Promise<SupervisorClient>;
  #contact: CoreContact | undefined;

  private constructor(options: SupervisorOptions, log: Logger, left: readonly LeftPart[]) {
    this.#options = options;
    this.#log = log;
    this.left = left;
    left.forEach(({ client }) => client && this.#clients.add(client));
    const reused = [...this.#clients].find(({ facts }) => facts.settings === settingsOf(options));
    [...this.#clients].filter((client) => client !== reused).forEach((client) => client.retire());
    this.#current = reused === undefined ? this.#start() : Promise.resolve(reused);
  }

  /**
   * Connects to the supervisors of earlier pilots with the same queue, name and host, and starts one if none
   * of them has this program and these settings.
   * @throws Error if none can be started
   */
  static async open(options: SupervisorOptions, log: Logger): Promise<Supervisors> {
    const supervisors = new Supervisors(options, log, await findParts(options, log));
    try {
      await supervisors.current();
    } catch (error) {
      await supervisors.close();
      throw error;
    }
    return supervisors;
  }

  /** The supervisor for new payloads; another one if it has ended, or was not started. @throws Error */
  async current(): Promise<SupervisorClient> {
    const current = this.#current;
    const client = await current.catch(() => undefined);
    if (client?.isClosed === false) return client;
    // Unless another call has replaced it meanwhile.
    if (this.#current === current) this.#current = this.#replace(client);
    return this.#current;
  }

  /** Core has answered a call: the time of the payloads without core begins again. */
  contact(contact: CoreContact): void {
    this.#contact = contact;
    this.#clients.forEach((client) => client.contact(contact));
  }

  /** The pilot ends: supervisors without payloads end, too. */
  async close(): Promise<void> {
    await Promise.all([...this.#clients].map(async (client) => client.close()));
    for (const { folder } of this.left) if (!runsIn(folder)) await removeUnlessRecords(folder);
  }

  async #replace(ended: SupervisorClient | undefined): Promise<SupervisorClient> {
    if (ended !== undefined) {
      const { folder } = ended;
      this.#clients.delete(ended);
      this.#log.error({ folder, fault: await recordedFault(folder) }, 'supervisor ended unexpectedly');
    }
    return this.#start();
  }

  async #start(): Promise<SupervisorClient> {
    const client = await startSupervisor(this.#options, this.#log);
    this.#clients.add(client);
    if (this.#contact) client.contact(this.#contact);
    return client;
  }
}

/** True if the supervisor of a folder runs, also while it starts. */
function runsIn(folder: string): boolean {
  const supervisor = supervisorOf(folder);
  return supervisor !== undefined && isRunning(supervisor);
}

async function hasRecords(folder: string): Promise<boolean> {
  return (await recordedAttempts(folder)).length > 0;
}

async function removeUnlessRecords(folder: string): Promise<void> {
  if (!(await hasRecords(folder))) await removeFolder(folder);
}

/** Parts of this pilot; removes those of others that nobody needs. */
async function findParts({ scratch, owner }: SupervisorOptions, log: Logger): Promise<readonly LeftPart[]> {
  const found: LeftPart[] = [];
  for (const name of await readdir(scratch)) {
    await removeFormerPart(scratch, name, log);
    const folder = join(scratch, name);
    const supervisor = supervisorOf(folder);
    if (supervisor === undefined) continue;
    // Anyone may make folders here.
    if (!(await isOwnFolder(folder).catch(() => false))) continue;
    if (await isOf(folder, owner)) found.push(await partIn(folder, log));
    else if (!isRunning(supervisor)) await removeUseless(folder, log);
  }
  return found;
}

async function partIn(folder: string, log: Logger): Promise<LeftPart> {
  // Before the records are read: a payload that it does not have any more has an end on disk.
  const client = await SupervisorClient.connect(folder, { log });
  const fault = await recordedFault(folder);
  if (fault !== undefined)
    log.error({ folder, fault }, 'supervisor of an earlier pilot had ended by a fault');
  return { folder, client, attemptIds: await recordedAttempts(folder) };
}

/** Removes the part of a pilot with another name if it has no ends of payloads, or they are old. */
async function removeUseless(folder: string, log: Logger): Promise<void> {
  const isNeeded = await hasRecords(folder);
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined || (isNeeded && Date.now() - found.mtimeMs < longestKeptMs)) return;
  if (isNeeded) log.warn({ folder }, 'old payloads of another pilot removed');
  await removeOrWarn(folder, log);
}

/** Removes the part of a pilot of an earlier version, which ran its payloads itself and was killed. */
async function removeFormerPart(scratch: string, name: string, log: Logger): Promise<void> {
  const pilot = processIn(name, formerPrefix);
  const folder = join(scratch, name);
  if (pilot === undefined || isRunning(pilot)) return;
  if (!(await isOwnFolder(folder).catch(() => false))) return;
  await removeOrWarn(folder, log);
}

async function removeOrWarn(folder: string, log: Logger): Promise<void> {
  await removeFolder(folder).catch((error: unknown) =>
    log.warn({ err: error, folder }, 'folder not removed'),
  );
}
