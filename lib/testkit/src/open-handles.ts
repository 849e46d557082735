import { ChildProcess } from 'node:child_process';
import { Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Handles that keep a process alive and were opened by a test: child processes, listening servers, sockets to
 * a store.
 */
export type Handle = object;

interface Internals {
  _getActiveHandles?(): Handle[];
}

/** Everything that is open now. */
export function openHandles(): ReadonlySet<Handle> {
  // There is no public way to see what is open; without this one nothing is found, and nothing fails.
  return new Set((process as unknown as Internals)._getActiveHandles?.() ?? []);
}

/** Names a handle that a test may not leave behind; undefined for all others. */
function describe(handle: Handle, storePorts: ReadonlySet<number>): string | undefined {
  if (handle instanceof ChildProcess && handle.exitCode === null && handle.signalCode === null) {
    return `process ${handle.pid ?? '?'}: ${handle.spawnargs.join(' ').slice(0, 200)}`;
  }
  if (handle instanceof Server && handle.listening) return `server on ${JSON.stringify(handle.address())}`;
  if (handle instanceof Socket && !handle.destroyed && storePorts.has(handle.remotePort ?? -1)) {
    return `connection to MongoDB on port ${handle.remotePort}`;
  }
  return undefined;
}

/** Closing takes a few turns of the event loop; after this time what is open is a leak. */
const graceMs = 1500;

/** Names handles that are open in addition to the baseline, after they had time to close. */
export async function leakedHandles(
  baseline: ReadonlySet<Handle>,
  storePorts: ReadonlySet<number>,
): Promise<string[]> {
  const find = (): string[] =>
    [...openHandles()].flatMap((handle) => {
      const name = baseline.has(handle) ? undefined : describe(handle, storePorts);
      return name === undefined ? [] : [name];
    });
  const deadline = performance.now() + graceMs;
  let leaked = find();
  while (leaked.length > 0 && performance.now() < deadline) {
    await delay(20);
    leaked = find();
  }
  return leaked;
}
