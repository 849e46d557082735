/** Transition writer on core's database for programs without a core of their own, such as benchmarks. */
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { jobsCollection } from '../model/job.document.js';
import { GroupingTransitionWriter } from './transition-writer.js';
import { transitionStore } from './transitions.repository.js';

/** Opens a transition writer. Closing it waits for the writes in progress. The caller owns the connection. */
export function openTransitionWriter(options: {
  readonly db: Parameters<typeof collection>[0];
  readonly clock: Clock;
  readonly log: Logger;
}): GroupingTransitionWriter {
  const { db, clock, log } = options;
  return new GroupingTransitionWriter({ store: transitionStore(collection(db, jobsCollection)), clock, log });
}
