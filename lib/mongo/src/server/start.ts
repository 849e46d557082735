import type { Logger } from '@rhizome/log';
import { resolveMongod } from '../binary/resolve.js';
import type { OnProgress } from '../binary/progress.js';
import type { Environment } from '../config.js';
import { ownFolder, type OwnedFolder } from './data-folder.js';
import { Member, PortTakenError, replicaSetName } from './member.js';
import { freePort } from './ports.js';
import { formReplicaSet, untilReady } from './replica-set.js';

/** How an embedded replica set is started. */
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
  readonly log: Logger;
  readonly onProgress?: OnProgress;
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
  /** Starts it again (stopping it where it runs) on the same port and data, and waits until all running members agree. */
  restart(): Promise<void>;
}

/** An embedded replica set. */
export interface RunningMongod {
  /** Connection string with all members and the name of the set. */
  readonly uri: string;
  readonly ports: readonly number[];
  readonly members: readonly RunningMember[];
  /** Ends all members and gives the data folder up. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts a real replica set of one or three mongod on the loopback interface and waits for its primary. The processes
 * end with this one, however it ends; what a killed predecessor left on the data is stopped first.
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
    await folder.remember(members.map(({ port }) => port));
  } catch (error) {
    await stop();
    throw error;
  }
  const ports = members.map(({ port }) => port);
  log.info({ ports, dataDir: options.dataDir, binary }, 'mongod is ready');
  let stopped: Promise<void> | undefined;
  return {
    uri: `mongodb://${members.map(({ host }) => host).join(',')}/?replicaSet=${replicaSetName}`,
    ports,
    members: members.map((member) => runningMember(member, members)),
    stop: () => (stopped ??= stop()),
  };
}

async function startMembers(binary: string, folder: OwnedFolder, options: StartOptions): Promise<Member[]> {
  const count = options.members ?? 1;
  const started = await Promise.allSettled(
    Array.from({ length: count }, (_, index) => startMember(binary, folder, options, index)),
  );
  const members = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find((result) => result.status === 'rejected');
  if (!failed) return members;
  await Promise.all(members.map((member) => member.stop()));
  throw failed.reason;
}

/** Between the look for a free port and the start of the server somebody may take it: then another one. */
async function startMember(
  binary: string,
  folder: OwnedFolder,
  options: StartOptions,
  index: number,
): Promise<Member> {
  const fixed = options.port ? options.port + index : undefined;
  for (let attempt = 1; ; attempt++) {
    const port = fixed ?? (await freePort(attempt === 1 ? folder.lastPorts[index] : 0));
    const member = new Member({
      binary,
      folder: folder.memberFolder(index),
      port,
      cacheSizeGB: options.cacheSizeGB ?? 0.25,
      oplogSizeMiB: options.oplogSizeMiB ?? 1024,
      onUnexpectedExit: (status, reason) =>
        options.log.error({ port, status, reason }, 'mongod ended unexpectedly'),
    });
    try {
      await member.start();
      return member;
    } catch (error) {
      if (!(error instanceof PortTakenError) || fixed !== undefined || attempt === 5) throw error;
    }
  }
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
