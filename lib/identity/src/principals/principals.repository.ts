/** Access to principals, identities and memberships. */
import { createHash } from 'node:crypto';
import { collection, isDuplicateKey, type KeysetPage, keysetPage, watchCollections } from '@rhizome/mongo';
import type { ChangeStream, Collection, Db, Filter } from 'mongodb';
import { groupMembersCollection, groupsCollection } from '../groups/group.document.js';
import { issuersCollection } from '../issuers/issuer.document.js';
import { upserted } from '../store/upserted.js';
import { lasting } from './lasting.js';
import { inTransaction, touchPrincipals } from './principal-transaction.repository.js';
import {
  identitiesCollection,
  type IdentityDocument,
  type LoginRecord,
  type MembershipDocument,
  membershipsCollection,
  type PrincipalDocument,
  principalsCollection,
  type RobotDocument,
} from './principal.document.js';

/** An account at an issuer. */
export type Account = Pick<IdentityDocument, 'issuer' | 'subject'>;

/** A membership to write. */
export type MembershipChange = Pick<
  MembershipDocument,
  'principalId' | 'experiment' | 'roles' | 'elevatableRoles' | 'expiresAt' | 'reason' | 'updatedBy'
>;

/** Id of an account. Both parts enter with their lengths, so that no two accounts have one text. */
export function identityId({ issuer, subject }: Account): string {
  return createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('base64url');
}

/** Condition of an aggregation: a login is that of another account. */
const notOf = (account: string): object => ({ $ne: ['$$this.account', { $literal: account }] });

/** Condition for some principals and their agents. */
const isOneOf = (ids: readonly string[]): Filter<PrincipalDocument> => ({
  $or: [{ _id: { $in: [...ids] } }, { actsFor: { $in: [...ids] } }],
});

/** Collections `principals`, `identities` and `memberships`. */
export class PrincipalsRepository {
  readonly #db: Db;
  readonly #principals: Collection<PrincipalDocument>;
  readonly #identities: Collection<IdentityDocument>;
  readonly #memberships: Collection<MembershipDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#principals = collection(db, principalsCollection);
    this.#identities = collection(db, identitiesCollection);
    this.#memberships = collection(db, membershipsCollection);
  }

  principal(id: string): Promise<PrincipalDocument | null> {
    return this.#principals.findOne({ _id: id });
  }

  /** The principals that exist. */
  principalsOf(ids: readonly string[]): Promise<PrincipalDocument[]> {
    return this.#principals.find({ _id: { $in: [...ids] } }, { readConcern: 'majority' }).toArray();
  }

  /** Identities of people, at most 10 each. */
  identitiesOfPeople(personIds: readonly string[]): Promise<PrincipalDocument[]> {
    const filter = { personId: { $in: [...personIds] } };
    return this.#principals.find(filter, { sort: { _id: 1 }, readConcern: 'majority' }).toArray();
  }

  /** Writes the last login of an account in place of the one before. */
  async recordLogin(principalId: string, login: LoginRecord, now: Date): Promise<void> {
    const others = { $filter: { input: { $ifNull: ['$logins', []] }, cond: notOf(login.account) } };
    const logins = { $concatArrays: [{ $slice: [others, -99] }, [{ $literal: login }]] };
    const revision = { $add: ['$revision', 1] };
    await this.#principals.updateOne({ _id: principalId }, [{ $set: { logins, revision, updatedAt: now } }]);
  }

  /**
   * Streams each change of what gives rights, from the call on. Elevations are not among them: they give
   * rights to their tokens only, and end by their time or with the revocation of their token.
   */
  watch(): Promise<ChangeStream> {
    return watchCollections(this.#db, [
      principalsCollection,
      membershipsCollection,
      groupsCollection,
      groupMembersCollection,
      issuersCollection,
    ]);
  }

  identity(account: Account): Promise<IdentityDocument | null> {
    return this.#identities.findOne({ _id: identityId(account) });
  }

  identitiesOf(principalId: string): Promise<IdentityDocument[]> {
    return this.#identities.find({ principalId }, { sort: { _id: 1 }, limit: 100 }).toArray();
  }

  /** Inserts a principal with its account. False if the account exists already; nothing is written then. */
  async insert(principal: PrincipalDocument, account: Account): Promise<boolean> {
    const { createdAt, updatedAt } = principal;
    const identity = { _id: identityId(account), schemaVersion: 1, revision: 1, createdAt, updatedAt };
    try {
      await this.#identities.insertOne({ ...identity, ...account, principalId: principal._id });
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
    await this.ensure(principal);
    return true;
  }

  /** Inserts a principal unless it exists: a process may have died between an account and its principal. */
  async ensure({ _id, ...fields }: PrincipalDocument): Promise<PrincipalDocument> {
    const found = await this.#principals.findOneAndUpdate(
      { _id },
      { $setOnInsert: fields },
      { upsert: true, returnDocument: 'after' },
    );
    return upserted(found);
  }

  async rename(id: string, displayName: string, now: Date): Promise<void> {
    await this.#principals.updateOne(
      { _id: id },
      { $set: { displayName, updatedAt: now }, $inc: { revision: 1 } },
    );
  }

  /**
   * Suspends a principal, or ends its suspension. Linked identities are written as well: processes learn from
   * it that what came through the principal has ended.
   */
  suspend(id: string, isSuspended: boolean, now: Date): Promise<PrincipalDocument | null> {
    const change = { $set: { isSuspended, updatedAt: now }, $inc: { revision: 1 } };
    return inTransaction(this.#db, async (session) => {
      const found = await this.#principals.findOneAndUpdate({ _id: id }, change, {
        returnDocument: 'after',
        session,
      });
      if (found?.personId !== undefined)
        await touchPrincipals(this.#principals, { personId: found.personId, _id: { $ne: id } }, now, session);
      return found;
    });
  }

  /**
   * A page of some principals (`*` for all) and of their agents, the newest first.
   * @throws DomainError CURSOR_INVALID
   */
  page(
    ids: '*' | readonly string[],
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<PrincipalDocument>> {
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    const filter = ids === '*' ? {} : isOneOf(ids);
    return keysetPage({ collection: this.#principals, filter, order, first, after });
  }

  /**
   * A page of the robots of some experiments (`*` for all), the newest first.
   * @throws DomainError CURSOR_INVALID
   */
  robots(
    experiments: '*' | readonly string[],
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<RobotDocument>> {
    const robots = this.#principals as unknown as Collection<RobotDocument>;
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    const of = experiments === '*' ? {} : { 'robot.experiment': { $in: [...experiments] } };
    const filter = { robot: { $exists: true }, ...of };
    return keysetPage({ collection: robots, filter, order, first, after });
  }

  /**
   * Principals with a membership in one of the experiments or in all, or whose last logins gave such rights.
   * @param among limits the search to these principals
   */
  async withRightsIn(
    experiments: readonly string[],
    now: Date,
    among?: readonly string[],
  ): Promise<readonly string[]> {
    const experiment = { $in: [...experiments, '*'] };
    const ids = among && { $in: [...among] };
    const [members, loggedIn] = await Promise.all([
      this.#memberships.distinct('principalId', {
        experiment,
        ...lasting(now),
        ...(ids && { principalId: ids }),
      }),
      this.#principals.distinct('_id', { 'logins.grants.experiment': experiment, ...(ids && { _id: ids }) }),
    ]);
    return [...new Set([...members, ...loggedIn])];
  }

  /** Memberships of a principal that have not ended. */
  memberships(principalId: string, now: Date): Promise<MembershipDocument[]> {
    return this.#memberships
      .find({ principalId, ...lasting(now) }, { sort: { _id: 1 }, limit: 500 })
      .toArray();
  }

  /** Memberships of several principals that have not ended. */
  membershipsOf(principalIds: readonly string[], now: Date): Promise<MembershipDocument[]> {
    const filter = { principalId: { $in: [...principalIds] }, ...lasting(now) };
    return this.#memberships.find(filter, { readConcern: 'majority' }).toArray();
  }

  async setMembership(change: MembershipChange, now: Date): Promise<MembershipDocument> {
    const { principalId, experiment, ...fields } = change;
    const found = await this.#memberships.findOneAndUpdate(
      { _id: `${principalId}:${experiment}` },
      {
        $set: { ...fields, principalId, experiment, updatedAt: now },
        $setOnInsert: { schemaVersion: 1, createdAt: now },
        $inc: { revision: 1 },
      },
      { upsert: true, returnDocument: 'after' },
    );
    return upserted(found);
  }

  /** Removes a membership. False if there is none. */
  async removeMembership(principalId: string, experiment: string): Promise<boolean> {
    const { deletedCount } = await this.#memberships.deleteOne({ _id: `${principalId}:${experiment}` });
    return deletedCount > 0;
  }
}
