/** The process of a gateway over subgraphs that answer from nothing: started, asked, ended. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Ask, Answer } from './messages.types.js';

const program = fileURLToPath(new URL('./gateway-process.js', import.meta.url));

/** Processes that a process has started and that still live (Linux, /proc). */
export function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  );
}

/** A gateway in a process of its own. */
export interface GatewayProcess {
  readonly url: string;
  readonly pid: number;
  /** Asks it one thing at a time. Throws what went wrong there. */
  ask(ask: Ask): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts a gateway on a supergraph; its streams have an event each `tickMs` milliseconds. */
export async function startGateway(supergraphSdl: string, tickMs = 100): Promise<GatewayProcess> {
  const child = fork(program, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', () => reject(new Error("the gateway's process has ended")));
  });
  ended.catch(() => {});
  const ask = (question: Ask): Promise<Answer> => Promise.race([answerOf(child, question), ended]);
  const { url = '' } = await ask({ serve: supergraphSdl, tickMs });
  return {
    url,
    pid: child.pid ?? 0,
    ask,
    stop: async () => {
      if (child.exitCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function answerOf(child: ChildProcess, question: Ask): Promise<Answer> {
  const answered = new Promise<Answer>((resolve) =>
    child.once('message', (message) => resolve(message as Answer)),
  );
  child.send(question);
  const answer = await answered;
  if (answer.failure !== undefined) throw new Error(answer.failure);
  return answer;
}
