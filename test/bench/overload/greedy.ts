/** A client that offers a multiple of what the system can do. */
import { Worker } from 'node:worker_threads';

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

/** Runs the client on a thread of its own, so that its work does not delay what is measured. */
export function runGreedy(order: GreedyOrder): Promise<GreedyResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./greedy-thread.js', import.meta.url), { workerData: order });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
