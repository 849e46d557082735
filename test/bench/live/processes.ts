/** Processes that a benchmark asks one thing at a time. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A program in this folder, as a process of its own. */
export interface AskedProcess {
  readonly pid: number;
  /** Asks one thing; throws what went wrong there. */
  ask<T>(question: object): Promise<T>;
  stop(): Promise<void>;
}

/** Answer of a process. */
export type Answer<T> = { readonly answer: T } | { readonly failure: string };

/** Starts a program, with further flags for Node; its heap can be collected when asked. */
export function startProcess(program: string, flags: readonly string[] = []): AskedProcess {
  const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  const child = fork(file, [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--expose-gc', ...flags],
  });
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${program} has ended with ${code}`)));
  });
  ended.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    ask: <T>(question: object) => Promise.race([answerOf<T>(child, question), ended]),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function answerOf<T>(child: ChildProcess, question: object): Promise<T> {
  const answered = new Promise<Answer<T>>((resolve) =>
    child.once('message', (message) => resolve(message as Answer<T>)),
  );
  child.send(question);
  const answer = await answered;
  if ('failure' in answer) throw new Error(answer.failure);
  return answer.answer;
}

/** In the program: answers each question by its first field. */
export function answerQuestions(handlers: Readonly<Record<string, (given: never) => unknown>>): void {
  process.on('message', (question: Readonly<Record<string, unknown>>) => {
    const [[name = '', given] = []] = Object.entries(question);
    Promise.resolve()
      .then(() => handlers[name]?.(given as never))
      .then(
        (answer) => process.send?.({ answer: answer ?? null }),
        (error: unknown) =>
          process.send?.({ failure: error instanceof Error ? (error.stack ?? '') : String(error) }),
      );
  });
  process.on('disconnect', () => process.exit(0));
}

/** Bytes of the heap, and outside it, after a collection. */
export async function collectedBytes(): Promise<number> {
  const { gc } = globalThis;
  if (!gc) throw new Error('started without --expose-gc');
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await gc({ execution: 'async' });
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
