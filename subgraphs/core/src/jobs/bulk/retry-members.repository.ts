import type { Collection, Filter } from 'mongodb';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';
import type { RetryMemberDocument } from './retry-member.document.js';

/** Jobs that retries copy. */
export class RetryMembersRepository {
  readonly #members: Collection<RetryMemberDocument>;

  constructor(members: Collection<RetryMemberDocument>) {
    this.#members = members;
  }

  /** Adds members; those that are known stay as they are. */
  async add(operationId: string, jobIds: readonly string[], now: Date): Promise<void> {
    if (jobIds.length === 0) return;
    const members = jobIds.map((jobId) => ({
      _id: `${operationId}/${jobId}`,
      schemaVersion: 1,
      createdAt: now,
      operationId,
      jobId,
      isExpanded: false,
    }));
    await insertAbsent(this.#members, members);
  }

  /** Members whose dependents are unknown. */
  async unexpanded(operationId: string, limit: number): Promise<readonly string[]> {
    return this.#jobIds({ operationId, isExpanded: false }, limit);
  }

  /** Records that the dependents of these members are members. */
  async setExpanded(operationId: string, jobIds: readonly string[]): Promise<void> {
    await this.#members.updateMany(
      { _id: { $in: jobIds.map((jobId) => `${operationId}/${jobId}`) } },
      { $set: { isExpanded: true } },
      { writeConcern: { w: 'majority' } },
    );
  }

  /** Expanded members in the order of their ids, after a position. */
  async page(operationId: string, after: string, limit: number): Promise<readonly string[]> {
    return this.#jobIds({ operationId, isExpanded: true, jobId: { $gt: after } }, limit);
  }

  /** Deletes the members of an operation. */
  async delete(operationId: string): Promise<void> {
    await this.#members.deleteMany({ operationId });
  }

  async #jobIds(filter: Filter<RetryMemberDocument>, limit: number): Promise<readonly string[]> {
    const options = { projection: { jobId: 1 }, sort: { jobId: 1 }, limit } as const;
    const found = await this.#members.find(filter, options).toArray();
    return found.map(({ jobId }) => jobId);
  }
}
