/** A client that offers a multiple of what the system can do. */
import { fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Load of a greedy client. */
export interface GreedyOrder {
  readonly url: string;
  readonly token: string;
  readonly query: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Requests that are open at once. */
  readonly mostOpen: number;
}

/** Requests by outcome. */
export interface GreedyResult {
  offered: number;
  answered: number;
  refused: number;
  failed: number;
}

/**
 * Runs the client as a process of low priority: on another host, it would not take the processor from what is
 * measured.
 */
export function runGreedy(order: GreedyOrder): Promise<GreedyResult> {
  const file = fileURLToPath(new URL('./greedy-process.js', import.meta.url));
  const child = fork(file, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  setPriority(child.pid ?? 0, constants.priority.PRIORITY_BELOW_NORMAL);
  child.send(order);
  return new Promise((resolve, reject) => {
    child.once('message', (result) => resolve(result as GreedyResult));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the greedy client ended with ${code}`)));
  });
}
