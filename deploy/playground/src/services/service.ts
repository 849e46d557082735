/** A Rhizome service as a process. Its log contains its address; `/readyz` says when it is ready. */
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

/** Time between two checks, in milliseconds. */
const lookAgainMs = 10;
const startWithinMs = 60_000;

/** Starts a service; resolves when it listens. @throws with the last lines of its log if it ends first */
export async function startService(options: ChildOptions): Promise<Service> {
  const child = startChild(options);
  const address = await until(child, 'listened', startWithinMs, () => addressIn(child.written()));
  const url = `http://${address}/graphql`;
  return Object.assign(child, {
    url,
    wsUrl: `ws://${address}/graphql`,
    untilReady: (withinMs = startWithinMs) => untilReady(child, new URL('/readyz', url), withinMs),
  });
}

/** Address in the log line that reports the start: as `address`, or in a `url`. */
function addressIn(log: string): string | undefined {
  for (const line of log.split('\n')) {
    if (!line.includes('"serving"')) continue;
    const { msg, address, url } = parse(line);
    if (msg !== 'serving') continue;
    if (typeof address === 'string') return address;
    if (typeof url === 'string') return new URL(url).host;
  }
  return undefined;
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    // The last line may be incomplete.
    return {};
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
