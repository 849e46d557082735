/** A Rhizome service as a process. It writes its address to a file; `/readyz` reports when it is ready. */
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Child,
  type ChildOptions,
  describeEnd,
  lastLines,
  startChild,
} from '../processes/child-process.js';

/** A running service. */
export interface Service extends Child {
  /** `http://…/graphql` */
  readonly url: string;
  /** `ws://…/graphql` */
  readonly wsUrl: string;
  /**
   * Resolves when `/readyz` answers 200. @throws if the process ends first, or is not ready within the time
   */
  untilReady(withinMs?: number): Promise<void>;
}

/**
 * Time between two checks, in milliseconds. Each costs processor time that the service needs for its start.
 */
const lookAgainMs = 25;
/** Limit for a start, several times what a busy machine needs. */
const startWithinMs = 180_000;

/** A program to start, and the file to which it writes its address. */
export interface ServiceOptions extends ChildOptions {
  readonly addressFile: string;
}

/** Starts a service; resolves when it listens. @throws with the last lines of its log if it ends first */
export async function startService({ addressFile, ...options }: ServiceOptions): Promise<Service> {
  rmSync(addressFile, { force: true });
  const child = startChild(options);
  const url = await until(child, 'listened', startWithinMs, () => textOf(addressFile));
  return Object.assign(child, {
    url,
    wsUrl: url.replace(/^http/, 'ws'),
    untilReady: (withinMs = startWithinMs) => untilReady(child, new URL('/readyz', url), withinMs),
  });
}

/**
 * Starts a program that listens at a known address; resolves when it is ready.
 * @throws with the last lines of its log if it ends first
 */
export async function startServiceAt(origin: string, options: ChildOptions): Promise<Child> {
  const child = startChild(options);
  await untilReady(child, new URL('/readyz', origin), startWithinMs);
  return child;
}

/** Text of a file; undefined before it exists. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function untilReady(child: Child, readyz: URL, withinMs: number): Promise<void> {
  let said = '';
  const isReady = async (): Promise<true | undefined> => {
    const answer = await fetch(readyz).catch(() => undefined);
    said = (await answer?.text().catch(() => '')) ?? '';
    return answer?.ok ? true : undefined;
  };
  await until(child, 'was ready', withinMs, isReady, () => said);
}

/** Repeats a check until it returns a value. @throws if the process ends first, or after the time limit */
async function until<T>(
  child: Child,
  what: string,
  withinMs: number,
  ask: () => T | undefined | Promise<T | undefined>,
  state: () => string = () => '',
): Promise<T> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (child.end) {
      throw new Error(
        `${child.name} ${describeEnd(child.end)} before it ${what}; its log is ${child.logFile}:\n${lastLines(child)}`,
      );
    }
    await delay(lookAgainMs);
  }
  await child.kill();
  const words = [
    `${child.name} has not ${what} within ${withinMs / 1000} s`,
    state(),
    `its log is ${child.logFile}`,
  ];
  throw new Error(words.filter((word) => word !== '').join('; '));
}
