/** Access to the links between principals: identities of one person. */
import { maxIdentities } from '@rhizome/authz';
import { collection, isDuplicateKey } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, UpdateFilter } from 'mongodb';
import { inTransaction, touchPrincipals } from '../principals/principal-transaction.repository.js';
import { type PrincipalDocument, principalsCollection } from '../principals/principal.document.js';
import { type UsedProofDocument, usedProofsCollection } from '../proof/used-proof.document.js';

/** Two principals to link, with the proof of the second one. */
export interface LinkRequest {
  /** The principal that makes the call. */
  readonly principalId: string;
  /** The principal that the proof names. */
  readonly otherId: string;
  /** Id of the person if neither has one. */
  readonly personId: string;
  /** Id of the proof, which can be used once. */
  readonly proofId: string;
  /** Latest time at which somebody logged in for the proof. */
  readonly shownAt: Date;
}

/** Greatest age of the token that proves the second identity, in seconds. */
export const proofSeconds = 600;
/** Kept longer than a token is accepted: clocks differ. */
const keptMs = 2 * proofSeconds * 1000;

/** Reasons for which nothing was written. */
export type LinkFault =
  'SUSPENDED' | 'PROOF_USED' | 'PROOF_OUTDATED' | 'ALREADY_LINKED' | 'TOO_MANY_IDENTITIES';

const unlinked: UpdateFilter<PrincipalDocument> = { $unset: { personId: '', linkedAt: '' } };

/** Fields `personId` and `linkedAt` of the collection `principals`. */
export class LinksRepository {
  readonly #db: Db;
  readonly #principals: Collection<PrincipalDocument>;
  readonly #usedProofs: Collection<UsedProofDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#principals = collection(db, principalsCollection);
    this.#usedProofs = collection(db, usedProofsCollection);
  }

  /**
   * Links two principals and marks the proof as used, or writes nothing. Both documents and all identities of
   * the person are written, so that concurrent links and suspensions conflict. Repeated, it changes no link,
   * and the proof counts as used.
   */
  async link(request: LinkRequest, now: Date): Promise<LinkFault | undefined> {
    try {
      return await inTransaction(this.#db, (session) => this.#link(request, now, session));
    } catch (error) {
      if (isDuplicateKey(error)) return 'PROOF_USED';
      throw error;
    }
  }

  async #link(
    { principalId, otherId, personId: fresh, proofId, shownAt }: LinkRequest,
    now: Date,
    session: ClientSession,
  ): Promise<LinkFault | undefined> {
    const ids = [principalId, otherId];
    const expiresAt = new Date(now.getTime() + keptMs);
    // The write first: the documents are read as they are after all transactions before this one.
    await touchPrincipals(this.#principals, { _id: { $in: ids } }, now, session);
    const found = await this.#principals.find({ _id: { $in: ids } }, { session }).toArray();
    const [own, other] = ids.map((id) => found.find(({ _id }) => _id === id));
    if (!own || !other) throw new TypeError('A principal vanished');
    if (own.isSuspended || other.isSuspended) return this.#abort(session, 'SUSPENDED');
    if (own.personId !== undefined && own.personId === other.personId) {
      const proof = { $setOnInsert: { schemaVersion: 1, expiresAt } };
      await this.#usedProofs.updateOne({ _id: proofId }, proof, { session, upsert: true });
      return undefined;
    }
    if (other.personId !== undefined) return this.#abort(session, 'ALREADY_LINKED');
    const personId = own.personId ?? fresh;
    await touchPrincipals(this.#principals, { personId, _id: { $nin: ids } }, now, session);
    const before = await this.#principals.countDocuments({ personId }, { session });
    if (before >= maxIdentities) return this.#abort(session, 'TOO_MANY_IDENTITIES');
    await this.#usedProofs.insertOne({ _id: proofId, schemaVersion: 1, expiresAt }, { session });
    const ends = { _id: { $in: ids.map(endOf) }, expiresAt: { $gt: new Date(shownAt.getTime() + keptMs) } };
    if (await this.#usedProofs.findOne(ends, { session })) return this.#abort(session, 'PROOF_OUTDATED');
    const linked = { $set: { personId, linkedAt: now, schemaVersion: 2 } };
    await this.#principals.updateOne({ _id: otherId }, linked, { session });
    if (own.personId === undefined)
      await this.#principals.updateOne({ _id: principalId }, linked, { session });
    return undefined;
  }

  async #abort(session: ClientSession, fault: LinkFault): Promise<LinkFault> {
    await session.abortTransaction();
    return fault;
  }

  /**
   * Removes the links of a principal. Null if it has none. Proofs from before it no longer count, for as long
   * as they could: else one that was not used yet would renew the link.
   */
  unlink(principalId: string, now: Date): Promise<PrincipalDocument | null> {
    return inTransaction(this.#db, async (session) => {
      await touchPrincipals(this.#principals, { _id: principalId }, now, session);
      const found = await this.#principals.findOne({ _id: principalId }, { session });
      if (found?.personId === undefined) return null;
      const { personId } = found;
      await touchPrincipals(this.#principals, { personId, _id: { $ne: principalId } }, now, session);
      await this.#principals.updateOne({ _id: principalId }, unlinked, { session });
      const left = await this.#principals.countDocuments({ personId }, { session });
      // One identity alone is a person without links.
      if (left === 1) await this.#principals.updateMany({ personId }, unlinked, { session });
      const end = { $set: { schemaVersion: 1, expiresAt: new Date(now.getTime() + keptMs) } };
      await this.#usedProofs.updateOne({ _id: endOf(principalId) }, end, { session, upsert: true });
      return found;
    });
  }
}

/** Id of the record of the latest end of a link of a principal; its expiry shows the time. */
const endOf = (principalId: string): string => `unlink ${principalId}`;
