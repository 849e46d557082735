import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@rhizome/errors';
import { type ClusterKey, ownerUri } from './access.js';
import { loopback } from './ports.js';
import { spawnWatched, waitForExit, type WatchedProcess } from './watchdog.js';

/** Options of one mongod. */
export interface MemberOptions {
  readonly binary: string;
  readonly folder: string;
  readonly port: number;
  readonly key: ClusterKey;
  readonly cacheSizeGB: number;
  readonly oplogSizeMiB: number;
  readonly checkpointSeconds?: number | undefined;
  readonly expirySeconds?: number | undefined;
  readonly snapshotHistorySeconds?: number | undefined;
  /** Called if the process ends without a request. */
  readonly onUnexpectedExit: (status: number, reason: string) => void;
}

/** Name of every embedded replica set. */
export const replicaSetName = 'rhizome';

const startDeadlineMs = 60_000;
const lookAgainMs = 20;
const politeMs = 4_000;

/** Exit status of a mongod whose port is in use. */
const portTakenStatus = 48;

/** Another process took the port between the check and the start. */
export class PortTakenError extends Error {
  readonly port: number;

  constructor(port: number) {
    super(`Port ${port} is in use.`);
    this.port = port;
  }
}

/** One real mongod of an embedded replica set. */
export class Member {
  readonly #options: MemberOptions;
  #process: WatchedProcess | undefined;
  #asked = false;

  constructor(options: MemberOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#options.port;
  }

  get host(): string {
    return `${loopback}:${this.#options.port}`;
  }

  /** Connection string with all rights to this member alone. */
  get uri(): string {
    return ownerUri([this.host], this.#options.key, 'directConnection=true');
  }

  /** Process id of the mongod that runs, or ran last. */
  get pid(): number {
    if (!this.#process) throw new Error('this mongod was never started');
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning() ?? false;
  }

  /** Starts the process, as a member of the set or on its own, and waits until it accepts connections. */
  async start(mode: 'member' | 'standalone' = 'member'): Promise<void> {
    if (this.isRunning) throw new Error(`mongod on port ${this.port} runs already`);
    const { binary, folder, onUnexpectedExit } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await keepLastLog(folder);
    this.#asked = false;
    const started = await spawnWatched(binary, this.#arguments(mode));
    this.#process = started;
    await this.#untilListening(started);
    void started.exited.then(async (status) => {
      if (!this.#asked) onUnexpectedExit(status, await lastFault(folder, started.output()));
    });
  }

  #arguments(mode: 'member' | 'standalone'): string[] {
    const { folder, port, key, cacheSizeGB, oplogSizeMiB } = this.#options;
    const { checkpointSeconds, expirySeconds, snapshotHistorySeconds } = this.#options;
    return [
      ...['--dbpath', folder, '--port', String(port), '--bind_ip', loopback, '--nounixsocket'],
      // Every local user reaches the port. Without the bypass nobody can create a first user before we do,
      // and passwords of 256 random bits need no slow hash.
      ...['--keyFile', key.file, '--setParameter', 'enableLocalhostAuthBypass=0'],
      ...['--setParameter', 'scramSHA256IterationCount=5000'],
      ...(mode === 'member' ? ['--replSet', replicaSetName, '--oplogSize', String(oplogSizeMiB)] : []),
      ...['--wiredTigerCacheSizeGB', String(cacheSizeGB), '--logpath', join(folder, 'mongod.log'), '--quiet'], // cspell:disable-line
      ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
      ...(checkpointSeconds === undefined ? [] : ['--syncdelay', String(checkpointSeconds)]),
      ...(expirySeconds === undefined ? [] : ['--setParameter', `ttlMonitorSleepSecs=${expirySeconds}`]),
      ...(snapshotHistorySeconds === undefined
        ? []
        : ['--setParameter', `minSnapshotHistoryWindowInSeconds=${snapshotHistorySeconds}`]),
      // A stopping primary waits so long for its clients and followers; ours are on this machine.
      ...['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=200'],
    ];
  }

  async #untilListening(started: WatchedProcess): Promise<void> {
    const deadline = performance.now() + startDeadlineMs;
    while (started.isRunning() && performance.now() < deadline) {
      if (await saysListening(this.#options.folder)) return;
      await delay(lookAgainMs);
    }
    this.#asked = true;
    if (started.isRunning()) {
      started.kill('SIGKILL');
      await waitForExit(started, politeMs);
    }
    const status = await started.exited;
    if (status === portTakenStatus) throw new PortTakenError(this.port);
    const { folder, binary } = this.#options;
    const reason = await lastFault(folder, started.output());
    throw new DomainError(
      'MONGOD_UNAVAILABLE',
      `${binary} ended with status ${status} while it started: ${reason}`,
      {
        field: 'mongod',
        value: binary,
        expected: `a start; its log is ${join(folder, 'mongod.log')}`,
      },
    );
  }

  /** Sends a signal; waits for the end where the signal ends the process. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const current = this.#process;
    if (!current?.isRunning()) return;
    const ends = signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT';
    if (ends) this.#asked = true;
    current.kill(signal);
    if (ends) await waitForExit(current, politeMs);
  }

  /** Ends the process politely, after four seconds at once. */
  async stop(): Promise<void> {
    await this.kill('SIGTERM');
    await this.kill('SIGKILL');
  }
}

/** Each start has a log of its own; the one before it is kept. */
async function keepLastLog(folder: string): Promise<void> {
  await rename(join(folder, 'mongod.log'), join(folder, 'mongod.log.1')).catch(() => undefined);
}

/** Waits for mongod's own log line: another process that holds the port would accept a connection as well. */
async function saysListening(folder: string): Promise<boolean> {
  const log = await readFile(join(folder, 'mongod.log'), 'utf8').catch(() => '');
  return log.includes('"msg":"Waiting for connections"');
}

/** The last error in mongod's log, or what it wrote to its streams. */
async function lastFault(folder: string, output: string): Promise<string> {
  const log = await readFile(join(folder, 'mongod.log'), 'utf8').catch(() => '');
  const fault = log
    .split('\n')
    .slice(-200)
    .findLast((line) => /"s":"[EF]"/.test(line) && !/aborting after|fassert/.test(line));
  // What is no error is no reason either: it writes the first lines of its log to its streams.
  const last = output.trim().split('\n').at(-1) ?? '';
  if (!fault) return last === '' || last.startsWith('{') ? 'it gave no reason' : last;
  try {
    const { msg, attr } = JSON.parse(fault) as { msg: string; attr?: { error?: unknown } };
    return attr?.error === undefined
      ? msg
      : `${msg} (${typeof attr.error === 'string' ? attr.error : JSON.stringify(attr.error)})`;
  } catch {
    return fault.slice(0, 500);
  }
}
