/** The transition writer on core's database, for programs that move jobs without a core of their own: benchmarks of what follows from it. */
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { jobsCollection } from '../model/job.document.js';
import { GroupingTransitionWriter } from './transition-writer.js';
import { transitionStore } from './transitions.repository.js';

/** Opens it; close it to end what is under way. The connection is the caller's. */
export function openTransitionWriter(options: {
  readonly db: Parameters<typeof collection>[0];
  readonly clock: Clock;
  readonly log: Logger;
}): GroupingTransitionWriter {
  const { db, clock, log } = options;
  return new GroupingTransitionWriter({ store: transitionStore(collection(db, jobsCollection)), clock, log });
}
