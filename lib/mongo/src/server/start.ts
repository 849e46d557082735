import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { resolveMongod } from '../binary/resolve.js';
import type { OnProgress } from '../binary/progress.js';
import type { Environment } from '../config.js';
import { createUsers, ownerUri, type UserDatabases } from './access.js';
import { ownFolder, type OwnedFolder } from './data-folder.js';
import { Member, PortTakenError, replicaSetName } from './member.js';
import { freePort, isFree } from './ports.js';
import { formReplicaSet, moveHosts, untilReady } from './replica-set.js';

/** Options of an embedded replica set. */
export interface StartOptions {
  /** A mongod; found or fetched by `resolveMongod` when absent. */
  readonly binary?: string;
  /** Folder of the data; made when absent, found again at the next start. */
  readonly dataDir: string;
  /** Port of the first member, the others follow it; 0 takes the ports of the last start or free ones. */
  readonly port?: number;
  readonly members?: 1 | 3;
  /** Cache of WiredTiger for each member; 0.25 unless given. */
  readonly cacheSizeGB?: number;
  /** Size of the oplog, how far change streams reach back; 1024 unless given. */
  readonly oplogSizeMiB?: number;
  /**
   * Seconds between checkpoints, up to which the oplog may be cut; mongod's 60 unless given. For tests of
   * what happens then.
   */
  readonly checkpointSeconds?: number;
  /**
   * Seconds between looks for documents whose time is over; mongod's 60 unless given. For tests of what goes
   * then.
   */
  readonly expirySeconds?: number;
  /**
   * Seconds for which a read as of an earlier time is possible; mongod's 300 unless given. The files of
   * dropped collections and indexes stay open for so long. For tests, which drop many.
   */
  readonly snapshotHistorySeconds?: number;
  readonly log: Logger;
  readonly onProgress?: OnProgress;
  /** Called when a member has ended without a request. */
  readonly onUnexpectedExit?: (reason: string) => void;
  /** Handed to `resolveMongod`. */
  readonly cacheDir?: string;
  readonly env?: Environment;
}

/** One member, for tests that break it. */
export interface RunningMember {
  readonly port: number;
  /** Process id of the mongod that runs, or ran last. */
  readonly pid: number;
  readonly isRunning: boolean;
  /** Sends a signal to the mongod; for signals that end it, waits until it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /**
   * Starts it again (stopping it where it runs) on the same port and data, and waits until all running
   * members agree.
   */
  restart(): Promise<void>;
}

/** An embedded replica set. */
export interface RunningMongod {
  /** Connection string with all members and all rights; the file `uri` in the data folder holds it, too. */
  readonly uri: string;
  /**
   * Creates one user for each name, with rights on its databases only.
   * @returns a connection string for each
   */
  users<Name extends string>(databases: UserDatabases<Name>): Promise<Readonly<Record<Name, string>>>;
  readonly ports: readonly number[];
  readonly members: readonly RunningMember[];
  /** Ends all members and gives the data folder up. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts a real replica set of one or three mongod on the loopback interface and waits for its primary. The
 * processes end with this one, however it ends; what a killed predecessor left on the data is stopped first.
 * @throws DomainError MONGOD_UNAVAILABLE
 */
export async function startMongod(options: StartOptions): Promise<RunningMongod> {
  const { env, cacheDir, onProgress, log } = options;
  const binary =
    options.binary ??
    (await resolveMongod({
      ...(env ? { env } : {}),
      ...(cacheDir ? { cacheDir } : {}),
      ...(onProgress ? { onProgress } : {}),
    }));
  const folder = await ownFolder(options.dataDir, options.members ?? 1);
  let members: Member[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.stop()));
    await folder.release();
  };
  try {
    members = await startMembers(binary, folder, options);
    await formReplicaSet(members);
  } catch (error) {
    await stop();
    throw error;
  }
  const ports = members.map(({ port }) => port);
  const setup = {
    hosts: members.map(({ host }) => host),
    key: folder.key,
    query: `replicaSet=${replicaSetName}`,
  };
  const uri = ownerUri(setup.hosts, setup.key, setup.query);
  await folder.publish(uri);
  log.info({ ports, dataDir: options.dataDir, binary }, 'mongod is ready');
  let stopped: Promise<void> | undefined;
  return {
    uri,
    users: (databases) => createUsers(setup, databases),
    ports,
    members: members.map((member) => runningMember(member, members)),
    stop: () => (stopped ??= stop()),
  };
}

/** Chooses other ports if another process takes one between the check and the start of the servers. */
async function startMembers(binary: string, folder: OwnedFolder, options: StartOptions): Promise<Member[]> {
  for (let attempt = 1; ; attempt++) {
    const ports = await choosePorts(folder, options, attempt);
    const members = ports.map((port, index) => createMember(binary, folder, options, port, index));
    try {
      if (folder.lastPorts.join() !== ports.join()) await moveTo(folder, members);
      await startAll(members);
      return members;
    } catch (error) {
      if (!(error instanceof PortTakenError)) throw error;
      if (options.port || attempt === 5) throw portTaken(error.port);
    }
  }
}

async function choosePorts(
  folder: OwnedFolder,
  { members = 1, port: first }: StartOptions,
  attempt: number,
): Promise<number[]> {
  const ports: number[] = [];
  for (let index = 0; index < members; index++) {
    if (!first) ports.push(await freePort(attempt === 1 ? folder.lastPorts[index] : 0));
    else if (await isFree(first + index)) ports.push(first + index);
    else throw portTaken(first + index);
  }
  return ports;
}

function createMember(
  binary: string,
  folder: OwnedFolder,
  options: StartOptions,
  port: number,
  index: number,
): Member {
  return new Member({
    binary,
    folder: folder.memberFolder(index),
    port,
    key: folder.key,
    cacheSizeGB: options.cacheSizeGB ?? 0.25,
    oplogSizeMiB: options.oplogSizeMiB ?? 1024,
    checkpointSeconds: options.checkpointSeconds,
    expirySeconds: options.expirySeconds,
    snapshotHistorySeconds: options.snapshotHistorySeconds,
    onUnexpectedExit: (status, reason) => {
      options.log.error({ port, status, reason }, 'mongod ended unexpectedly');
      options.onUnexpectedExit?.(`mongod on port ${port} ended with status ${status}: ${reason}`);
    },
  });
}

/** Configures members that have data with their new ports, and stores these first. */
async function moveTo(folder: OwnedFolder, members: readonly Member[]): Promise<void> {
  const withData: Member[] = [];
  for (const [index, member] of members.entries()) if (await folder.hasData(index)) withData.push(member);
  await moveHosts(
    withData,
    members.map(({ host }) => host),
  );
  await folder.remember(members.map(({ port }) => port));
}

async function startAll(members: readonly Member[]): Promise<void> {
  const started = await Promise.allSettled(members.map((member) => member.start()));
  const failed = started.find((result) => result.status === 'rejected');
  if (!failed) return;
  await Promise.all(members.map((member) => member.stop()));
  throw failed.reason;
}

function portTaken(port: number): DomainError {
  const text = `Port ${port} of 127.0.0.1 is in use; choose another one, or 0 for a free one.`;
  return new DomainError('PORT_TAKEN', text, { field: 'port', value: port });
}

function runningMember(member: Member, all: readonly Member[]): RunningMember {
  return {
    port: member.port,
    get pid() {
      return member.pid;
    },
    get isRunning() {
      return member.isRunning;
    },
    kill: (signal) => member.kill(signal),
    async restart() {
      await member.stop();
      await member.start();
      await untilReady(all.filter(({ isRunning }) => isRunning));
    },
  };
}
