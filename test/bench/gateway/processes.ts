/** Processes of the gateway benchmark: started, waited for, ended. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '@rhizome/mongo';
import { programOf } from '../../e2e/system/program-of.js';
import type { ReadyMessage } from './process.js';
import type { RunningGateway } from './gateway.types.js';

const memoryProcess = fileURLToPath(new URL('./process.js', import.meta.url));
const gatewayProgram = programOf('@rhizome/gateway');
/** A process that has not begun to answer by then never will, in milliseconds. */
const startMs = 60_000;

/** Asks again until there is any answer. */
export async function untilAnswering(url: string, child: ChildProcess): Promise<void> {
  const until = performance.now() + startMs;
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`the process for ${url} ended with ${child.exitCode}`);
    const isThere = await fetch(url).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing answers at ${url}`);
}

/** Ends a process and waits for its end. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(late);
}

/** A process with the subgraphs in memory. */
export interface MemoryProcess extends ReadyMessage {
  readonly pid: number;
  /** Calls of subgraphs so far. */
  calls(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts {@link memoryProcess}. */
export async function startMemory(
  mode: 'subgraphs' | 'in-process' | 'in-process, interpreted',
  issuersFile: string,
  callKeyFile: string,
): Promise<MemoryProcess> {
  const child = fork(memoryProcess, [mode, issuersFile, callKeyFile], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [ready] = (await once(child, 'message')) as [ReadyMessage];
  return {
    ...ready,
    pid: child.pid ?? 0,
    calls: async () => {
      const answer = once(child, 'message') as Promise<[{ calls: number }]>;
      child.send('calls');
      const [{ calls }] = await answer;
      return calls;
    },
    stop: () => ended(child),
  };
}

/** Starts our gateway's own program on a supergraph. */
export async function startOurs(
  supergraphFile: string,
  issuers: string,
  callKeyFile: string,
): Promise<RunningGateway> {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [gatewayProgram, '--supergraph', supergraphFile, '--port', String(port)],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        RHIZOME_GATEWAY_ISSUERS: issuers,
        RHIZOME_GATEWAY_CALL_KEY_FILE: callKeyFile,
        RHIZOME_GATEWAY_LOG_LEVEL: 'error',
      },
    },
  );
  await untilAnswering(`http://127.0.0.1:${port}/readyz`, child);
  return { url: `http://127.0.0.1:${port}/graphql`, pid: child.pid ?? 0, stop: () => ended(child) };
}
