/** Access to the holds of workers for jobs that preempt. */
import type { Collection } from 'mongodb';
import type { PreemptionHoldDocument } from './preemption-hold.document.js';
import type { HeldWorker } from './preemption-holds.js';

/** Stored holds. There are at most as many as attempts that are preempted in the time that one lasts. */
export class PreemptionHoldsRepository {
  readonly #holds: Collection<PreemptionHoldDocument>;

  constructor(holds: Collection<PreemptionHoldDocument>) {
    this.#holds = holds;
  }

  /** Holds that have not ended at that time. */
  async all(now: Date): Promise<readonly HeldWorker[]> {
    const found = await this.#holds.find({ until: { $gt: now } }).toArray();
    return found.map(({ _id, jobId, priority, until }) => [
      _id,
      { jobId, priority, untilMs: until.getTime() },
    ]);
  }

  /** Stores the hold of a worker, in place of an earlier one. */
  async put([workerId, { jobId, priority, untilMs }]: HeldWorker, now: Date): Promise<void> {
    const hold = { schemaVersion: 1, createdAt: now, jobId, priority, until: new Date(untilMs) };
    await this.#holds.replaceOne({ _id: workerId }, hold, { upsert: true, writeConcern: { w: 'majority' } });
  }

  /** Removes holds, unless their workers are held for other jobs meanwhile. */
  async remove(ended: readonly HeldWorker[]): Promise<void> {
    if (ended.length === 0) return;
    const operations = ended.map(([_id, { jobId }]) => ({ deleteOne: { filter: { _id, jobId } } }));
    await this.#holds.bulkWrite(operations, { ordered: false });
  }
}
