/** Access to invitations and enrolments. */
import { collection, isDuplicateKey, type KeysetPage, keysetPage } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import {
  type EnrolmentDocument,
  enrolmentsCollection,
  type EnrolmentState,
  type InvitationDocument,
  invitationsCollection,
} from './enrolment.document.js';

/** A decision about a request. */
export interface Decision {
  readonly id: string;
  readonly from: EnrolmentState;
  readonly to: EnrolmentState;
  readonly by: string;
  readonly expiresAt: Date;
  readonly experiments?: readonly string[];
  readonly now: Date;
}

/** Conditions of a list of enrolments. */
export interface EnrolmentFilter {
  readonly queue?: string | undefined;
  readonly state?: EnrolmentState | undefined;
}

/** Collections `invitations` and `enrolments`. */
export class EnrolmentsRepository {
  readonly #invitations: Collection<InvitationDocument>;
  readonly #enrolments: Collection<EnrolmentDocument>;

  constructor(db: Db) {
    this.#invitations = collection(db, invitationsCollection);
    this.#enrolments = collection(db, enrolmentsCollection);
  }

  async invite(invitation: InvitationDocument): Promise<void> {
    await this.#invitations.insertOne(invitation);
  }

  invitation(codeDigest: string): Promise<InvitationDocument | null> {
    return this.#invitations.findOne({ codeDigest });
  }

  /** Uses an invitation once. False if it has no uses left, or has ended. */
  async use(id: string, now: Date): Promise<boolean> {
    const { modifiedCount } = await this.#invitations.updateOne(
      { _id: id, expiresAt: { $gt: now }, $expr: { $lt: ['$used', '$uses'] } },
      { $inc: { used: 1, revision: 1 }, $set: { updatedAt: now } },
    );
    return modifiedCount > 0;
  }

  /** Inserts an enrolment. False if the key has one in the queue. */
  async insert(enrolment: EnrolmentDocument): Promise<boolean> {
    try {
      await this.#enrolments.insertOne(enrolment);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  byId(id: string): Promise<EnrolmentDocument | null> {
    return this.#enrolments.findOne({ _id: id }, { readConcern: 'majority' });
  }

  byKey(thumbprint: string, queue: string): Promise<EnrolmentDocument | null> {
    return this.#enrolments.findOne({ thumbprint, queue }, { readConcern: 'majority' });
  }

  /** Number of requests without a decision: of one address, and of all. */
  async pending(address: string): Promise<{ readonly own: number; readonly all: number }> {
    const [own, all] = await Promise.all([
      this.#enrolments.countDocuments({ state: 'PENDING', address }),
      this.#enrolments.countDocuments({ state: 'PENDING' }),
    ]);
    return { own, all };
  }

  /** Changes the state. Null if it is another one by now. */
  decide({ id, from, to, by, expiresAt, experiments, now }: Decision): Promise<EnrolmentDocument | null> {
    const granted = experiments === undefined ? {} : { experiments };
    return this.#enrolments.findOneAndUpdate(
      { _id: id, state: from },
      { $set: { state: to, decidedBy: by, expiresAt, updatedAt: now, ...granted }, $inc: { revision: 1 } },
      { returnDocument: 'after' },
    );
  }

  /** Sets the worker and the end of an enrolment. Null if another request did in the meantime. */
  renew(
    { _id, revision }: EnrolmentDocument,
    workerId: string,
    expiresAt: Date,
    now: Date,
  ): Promise<EnrolmentDocument | null> {
    return this.#enrolments.findOneAndUpdate(
      { _id, revision, state: 'APPROVED' },
      { $set: { workerId, expiresAt, updatedAt: now }, $inc: { revision: 1 } },
      { returnDocument: 'after' },
    );
  }

  /**
   * A page of the enrolments of some queues (`*` for all), the newest first.
   * @throws DomainError CURSOR_INVALID
   */
  page(
    { queue, state }: EnrolmentFilter,
    queues: '*' | readonly string[],
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<EnrolmentDocument>> {
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    const asked = queue === undefined ? queues : queues === '*' || queues.includes(queue) ? [queue] : [];
    const filter = {
      ...(asked !== '*' && { queue: { $in: [...asked] } }),
      ...(state !== undefined && { state }),
    };
    return keysetPage({ collection: this.#enrolments, filter, order, ...page });
  }
}
