import { access, chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@rhizome/errors';
import { run } from '../binary/run.js';
import { isAlive, sendSignal, startOf } from '../process.js';
import { type ClusterKey, clusterKey, writePrivate } from './access.js';

/** State of a data folder, kept between two starts. */
interface FolderRecord {
  /** The process that owns the servers in it. */
  readonly owner?: { readonly pid: number; readonly startedAt: string | undefined };
  /** The ports of the members at the last start. */
  readonly ports: readonly number[];
}

/** A data folder that this process owns until it releases it. */
export interface OwnedFolder {
  /** The folder of one member's files. */
  memberFolder(index: number): string;
  /** True when a server has worked on this member's files before. */
  hasData(index: number): Promise<boolean>;
  /** Key that the members and their users authenticate with. */
  readonly key: ClusterKey;
  /** Stores a connection string with all rights in the file `uri`, until the folder is released. */
  publish(uri: string): Promise<void>;
  /** Ports that the members' files know; empty on the first start. */
  readonly lastPorts: readonly number[];
  /** Keeps the ports for the next start. */
  remember(ports: readonly number[]): Promise<void>;
  /** Gives the folder up; the ports stay. */
  release(): Promise<void>;
}

/**
 * Takes a data folder for `members` members. Servers of an owner that was killed are stopped first.
 * @throws DomainError MONGOD_UNAVAILABLE when a living process owns it, or it has data of more members.
 */
export async function ownFolder(dataDir: string, members: number): Promise<OwnedFolder> {
  const root = resolve(dataDir);
  const file = join(root, 'replica-set.json');
  const memberFolder = (index: number): string => join(root, `member-${index}`);
  await mkdir(root, { recursive: true, mode: 0o700 });
  // The mode counts for a new folder only; this one may be from an earlier version.
  await chmod(root, 0o700);
  const last = await readRecord(file);
  refuseLivingOwner(root, last);
  if (last && last.ports.length > members) {
    throw unusable(root, `it holds a replica set of ${last.ports.length} members, asked for are ${members}`);
  }
  const owner = { pid: process.pid, startedAt: startOf(process.pid) };
  let ports = last?.ports ?? [];
  const write = (record: FolderRecord): Promise<void> => writePrivate(file, `${JSON.stringify(record)}\n`);
  await write({ owner, ports });
  await Promise.all(Array.from({ length: members }, (_, index) => stopLeftover(memberFolder(index))));
  const uriFile = join(root, 'uri');
  return {
    memberFolder,
    key: await clusterKey(root),
    publish: (uri) => writePrivate(uriFile, `${uri}\n`),
    hasData: (index) =>
      access(join(memberFolder(index), 'WiredTiger')).then(
        () => true,
        () => false,
      ),
    get lastPorts() {
      return ports;
    },
    remember: (now) => write({ owner, ports: (ports = now) }),
    release: async () => {
      await rm(uriFile, { force: true });
      await write({ ports });
    },
  };
}

async function readRecord(file: string): Promise<FolderRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as FolderRecord;
  } catch {
    return undefined;
  }
}

function refuseLivingOwner(root: string, record: FolderRecord | undefined): void {
  const owner = record?.owner;
  if (!owner || !isAlive(owner.pid) || owner.startedAt !== startOf(owner.pid)) return;
  throw unusable(root, `process ${owner.pid} uses it`);
}

function unusable(root: string, reason: string): DomainError {
  return new DomainError('MONGOD_UNAVAILABLE', `the data folder ${root} cannot be used: ${reason}`, {
    field: 'dataDir',
    value: root,
    expected: 'a folder of its own for each running server',
  });
}

/** Stops the mongod that still runs on these files: its owner is dead, and so may be its watchdog. */
async function stopLeftover(folder: string): Promise<void> {
  const pid = await runningOn(folder);
  if (pid === undefined) return;
  sendSignal(pid, 'SIGTERM');
  if (await isGone(folder, 3_000)) return;
  sendSignal(pid, 'SIGKILL');
  if (!(await isGone(folder, 3_000))) throw unusable(folder, `process ${pid} works on it and does not end`);
}

async function isGone(folder: string, withinMs: number): Promise<boolean> {
  for (let waited = 0; waited < withinMs; waited += 50) {
    if ((await runningOn(folder)) === undefined) return true;
    await delay(50);
  }
  return false;
}

/**
 * Process id of the mongod on these files: it writes its id into `mongod.lock`, and its command line is
 * compared.
 */
async function runningOn(folder: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(join(folder, 'mongod.lock'), 'utf8').catch(() => ''), 10);
  if (!Number.isInteger(pid) || !isAlive(pid)) return undefined;
  return (await commandLine(pid)).includes(folder) ? pid : undefined;
}

async function commandLine(pid: number): Promise<string> {
  const fromKernel = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (fromKernel !== undefined) return fromKernel;
  return (await run('ps', ['-o', 'args=', '-p', String(pid)])).output;
}
