/** The playground as a newcomer starts it: one command, a process of its own, a data folder of its own. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ApiClient, createClient } from '@rhizome/client';
import { type Identities, openIdentities, type PlaygroundFile } from '@rhizome/playground';
import {
  leftovers,
  makeStoreFolder,
  type ProcessExit,
  spawnProcess,
  type TestProcess,
} from '@rhizome/testkit';
import { type Api, apiOf } from './api.js';
import {
  checkAfterEnd,
  checkWhileRunning,
  forgetAnswersOf,
  recordAnswersOf,
  requireHistoryCheck,
} from './devices.js';
import { processesWith, untilGone } from './processes.js';
import { gatesFolder } from './gated-payload.js';

/** The repository. */
export const root = resolve(fileURLToPath(new URL('.', import.meta.url)), '..', '..', '..', '..');

/**
 * Connection of the gateway to subgraphs. Stories that clients see in the same way over both run over one in
 * `npm test`, and over the other in `npm run soak`.
 */
export type TransportKind = 'in-process' | 'http';

/** Options of a playground. */
export interface PlaygroundSystemOptions {
  readonly transport?: TransportKind;
  /** 0 unless given. */
  readonly pilots?: number;
  /** A folder of an earlier system; a fresh one unless given. */
  readonly data?: string;
  /** A free one unless given. */
  readonly port?: number;
  readonly args?: readonly string[];
}

/** A playground that is ready. */
export interface PlaygroundSystem {
  readonly data: string;
  /** Address of the gateway. */
  readonly url: string;
  /** Token of the newcomer. */
  readonly token: string;
  readonly process: TestProcess;
  readonly file: PlaygroundFile;
  readonly identities: Identities;
  /** The gateway, as the newcomer who may do everything, or with any other token. */
  api(token?: string): Api;
  /** A client as services use it; closed at the end of the file. */
  client(token?: string): ApiClient;
  /** Ends it as Ctrl-C does, and waits until it has. */
  stop(): Promise<ProcessExit>;
}

/**
 * A data folder, `.rhizome` in a folder where commands can be given; gone at the end of the file. Whatever
 * still runs on it then is a fault, and so is a device that was given away twice.
 */
export async function dataFolder(): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'rhizome-e2e-'));
  const data = join(base, '.rhizome');
  const isKept = Boolean(process.env['RHIZOME_E2E_KEEP']);
  const store = isKept ? undefined : await makeStoreFolder();
  if (store !== undefined) await symlink(store, storeOf(data));
  leftovers.defer(`the folder ${base}`, async () => {
    try {
      await untilGone(processesWith(base), 5_000);
      await checkAfterEnd(data);
    } finally {
      if (store === undefined) process.stderr.write(`kept: ${base}\n`);
      else for (const folder of [base, store]) await rm(folder, { recursive: true, force: true });
    }
  });
  return data;
}

const storeOf = (data: string): string => join(dirname(data), '.store');

/** Puts the store of a new system into the folder that was made for it. */
export async function placeStore(data: string): Promise<void> {
  const own = join(data, 'mongo');
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (existsSync(storeOf(data)) && !existsSync(own)) await symlink(storeOf(data), own);
}

/**
 * The command line of a playground, without npm. The history of its data is looked at when the folder goes.
 */
export function spawnPlayground(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): TestProcess {
  const program = join(root, 'deploy', 'playground', 'bundle', 'bin.js');
  const [, data] = args.slice(args.indexOf('--data'));
  if (args.includes('--data') && data !== undefined) requireHistoryCheck(data);
  return spawnProcess({ name, command: 'node', args: [program, ...args], cwd: root, env });
}

/** Starts a playground without its tour, and waits until it is ready. */
export async function startPlayground(options: PlaygroundSystemOptions = {}): Promise<PlaygroundSystem> {
  const { transport = 'in-process', pilots = 0, port = 0, args = [] } = options;
  const data = options.data ?? (await dataFolder());
  await placeStore(data);
  const shown = ['--readable-folder', gatesFolder(data)];
  const place = ['--data', data, '--port', String(port), '--transport', transport, ...shown];
  const process = spawnPlayground('playground', [...place, '--no-tour', '--pilots', String(pilots), ...args]);
  await process.line(/playground ready/, 30_000);
  leftovers.defer('the history of a playground', () => checkWhileRunning(data));
  const file = JSON.parse(await readFile(join(data, 'playground.json'), 'utf8')) as PlaygroundFile;
  if (args.includes('--reset')) forgetAnswersOf(data);
  recordAnswersOf(file.url, data);
  return {
    data,
    url: file.url,
    token: file.token,
    process,
    file,
    identities: await openIdentities(data),
    api: (token = file.token) => apiOf(file.url, token),
    client: (token = file.token) =>
      leftovers.use(createClient({ url: file.url, wsUrl: file.wsUrl, token }), 'a client'),
    stop: async () => {
      await checkWhileRunning(data);
      return process.kill('SIGINT');
    },
  };
}
