/**
 * The system under test: the playground without tour and pilots, as a process of its own, in a data folder of
 * its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTokenIssuer, type Role } from '@rhizome/authz';
import { checkHistory } from '@rhizome/testkit';
import { type Db, MongoClient } from 'mongodb';
import { connectApi } from './api.js';
import { change } from './change.js';

const playground = fileURLToPath(new URL('../../../deploy/playground/bundle/bin.js', import.meta.url));

/** Addresses and tokens in the file that the playground writes. */
interface PlaygroundFile {
  readonly url: string;
  readonly wsUrl: string;
  readonly token: string;
  readonly pid: number;
  readonly pids: Readonly<Record<string, number>>;
}

/** The running system. */
export interface Stack {
  readonly url: string;
  readonly adminToken: string;
  /** A token of a person with one role in the experiment of the benchmarks. */
  token(subject: string, role: Role): Promise<string>;
  /**
   * The processes by name: `stack` (gateway, core, experiments in one) and `mongod`; with `http` `gateway`
   * and each subgraph by its name.
   */
  readonly pids: Readonly<Record<string, number>>;
  /** A database of the store, for measurements of the store alone. */
  database(name: string): Db;
  /** Bytes that the store has sent so far. */
  storeBytes(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts the system; resolves when it is ready. */
export async function startStack(options: { transport?: 'in-process' | 'http' } = {}): Promise<Stack> {
  const data = mkdtempSync(join(tmpdir(), 'rhizome-bench-'));
  const args = [
    '--no-tour',
    '--pilots',
    '0',
    '--port',
    '0',
    '--data',
    data,
    '--transport',
    options.transport ?? 'in-process',
  ];
  const child = spawn(process.execPath, [playground, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  // However this process ends, the next benchmark must not share the machine with this playground.
  const end = (): void => void child.kill('SIGTERM');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const file = join(data, 'playground.json');
  await ready(child, file);
  const started = JSON.parse(readFileSync(file, 'utf8')) as PlaygroundFile;
  const { url, token } = started;
  const store = storeOf(started.pid);
  const mongo = new MongoClient(readFileSync(join(data, 'mongo', 'uri'), 'utf8').trim());
  await registerBench(url, token);
  const issuer = await createTokenIssuer({
    keyFile: join(data, 'token-key.json'),
    issuer: 'rhizome-playground',
  });
  return {
    url,
    adminToken: token,
    token: (subject, role) =>
      issuer.mint({
        subject,
        kind: 'HUMAN',
        grants: [{ experiment: benchExperiment, roles: [role] }],
        ttlSeconds: 3600,
      }),
    pids: processesOf(started, store),
    database: (name) => mongo.db(name),
    storeBytes: async () => {
      const status = await mongo.db('admin').command({ serverStatus: 1 });
      return Number((status['network'] as { bytesOut: unknown }).bytesOut);
    },
    async stop() {
      try {
        await checkHistory(mongo.db('core'));
      } finally {
        await mongo.close();
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        await ended;
        rmSync(data, { recursive: true, force: true });
      }
    },
  };
}

/**
 * The experiment that the measured jobs belong to: no service follows its events, so that core and the
 * gateway are measured alone.
 */
export const benchExperiment = 'bench';

/** Registers the experiment of the benchmarks. */
export async function registerBench(url: string, token: string): Promise<void> {
  const api = connectApi(url, token, 1);
  await change(api, 'registerExperiment', { name: benchExperiment, title: 'Benchmarks' });
  await api.close();
}

/** Waits for the line that says that all is ready; fails with the output when the process ends before. */
function ready(child: ChildProcess, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const take = (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('playground ready')) resolve();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('exit', (code) =>
      reject(
        new Error(`the playground ended with ${code} before ${file} was there:\n${output.slice(-4000)}`),
      ),
    );
  });
}

/**
 * The processes that work: the playground's own where all runs in it, else each service's; and the store's.
 */
function processesOf({ pid, pids }: PlaygroundFile, store: Store): Record<string, number> {
  const services = Object.entries(pids).filter(([name]) => name !== 'playground');
  return { ...(services.length > 0 ? Object.fromEntries(services) : { stack: pid }), mongod: store.pid };
}

interface Store {
  readonly pid: number;
  readonly port: number;
}

/** The `mongod` that a process has started, itself or by way of its watchdog. */
function storeOf(ancestor: number): Store {
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
      if (!words[0]?.endsWith('mongod') || !isDescendant(Number(entry), ancestor)) continue;
      return { pid: Number(entry), port: Number(words[words.indexOf('--port') + 1]) };
    } catch {
      // The process ended meanwhile.
    }
  }
  throw new Error(`process ${ancestor} has no mongod`);
}

function isDescendant(pid: number, ancestor: number): boolean {
  for (let current = pid; current > 1;) {
    if (current === ancestor) return true;
    try {
      current = Number(
        readFileSync(`/proc/${current}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')[1],
      );
    } catch {
      return false;
    }
  }
  return false;
}
