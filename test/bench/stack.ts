/** The system under test: the playground without tour and pilots, as a process of its own, in a data folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTokenIssuer } from '@rhizome/authz';
import { connectApi } from './api.js';

const playground = fileURLToPath(new URL('../../../deploy/playground/dist/bin.js', import.meta.url));

/** What the playground tells its clients. */
interface PlaygroundFile {
  readonly url: string;
  readonly wsUrl: string;
  readonly token: string;
}

/** The running system. */
export interface Stack {
  readonly url: string;
  readonly adminToken: string;
  /** A token for the pilots of a queue. */
  pilotToken(queue: string): Promise<string>;
  /** The processes by name: `stack` (gateway, core, experiments in one) and `mongod`; with `http` each subgraph by its name. */
  readonly pids: Readonly<Record<string, number>>;
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
  const file = join(data, 'playground.json');
  await ready(child, file);
  const { url, token } = JSON.parse(readFileSync(file, 'utf8')) as PlaygroundFile;
  await registerBench(url, token);
  const issuer = await createTokenIssuer({
    keyFile: join(data, 'token-key.json'),
    issuer: 'rhizome-playground',
  });
  return {
    url,
    adminToken: token,
    pilotToken: (queue) =>
      issuer.mint({
        subject: `pilot:${queue}`,
        kind: 'PILOT',
        grants: [{ experiment: '*', roles: ['PILOT'] }],
        ttlSeconds: 86_400,
      }),
    pids: processesOf(child.pid ?? 0),
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** The experiment that the measured jobs belong to: no service follows its events, so that core and the gateway are measured alone. */
export const benchExperiment = 'bench';

async function registerBench(url: string, token: string): Promise<void> {
  const api = connectApi(url, token, 1);
  const mutation = `mutation { registerExperiment(input: { name: "${benchExperiment}", title: "Benchmarks" }) { userErrors { message } } }`;
  const answer = await api.post<{ registerExperiment: { userErrors: readonly { message: string }[] } }>(
    mutation,
  );
  await api.close();
  const [refused] = answer.registerExperiment.userErrors;
  if (refused) throw new Error(refused.message);
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

/** The process and its children, named by what they run. */
function processesOf(pid: number): Record<string, number> {
  const named: Record<string, number> = { stack: pid };
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = Number(
        readFileSync(`/proc/${entry}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')[1],
      );
      const commandLine = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
      if (commandLine[0]?.endsWith('mongod') && isDescendant(parent, pid)) named['mongod'] = Number(entry);
      else if (parent === pid) {
        const service = commandLine
          .join(' ')
          .match(/(?:subgraphs|experiments)\/([a-z0-9]+)\/dist\/bin\.js/)?.[1];
        if (service) named[service] = Number(entry);
      }
    } catch {
      // The process ended meanwhile.
    }
  }
  return named;
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
