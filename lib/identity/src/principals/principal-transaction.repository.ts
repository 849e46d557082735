import { collection } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, Filter } from 'mongodb';
import { type PrincipalDocument, principalsCollection } from './principal.document.js';

/** Runs a transaction; it runs again after a conflict with another one. */
export function inTransaction<T>(db: Db, work: (session: ClientSession) => Promise<T>): Promise<T> {
  return db.client.withSession((session) =>
    session.withTransaction(() => work(session), { writeConcern: { w: 'majority' } }),
  );
}

/**
 * Runs a transaction that first writes to the principal. Of concurrent ones of the same principal, one
 * commits; the others run again, so that each sees what those before it have added.
 */
export function inPrincipalTransaction<T>(
  db: Db,
  principalId: string,
  now: Date,
  work: (session: ClientSession) => Promise<T>,
): Promise<T> {
  return inTransaction(db, async (session) => {
    await touchPrincipals(collection(db, principalsCollection), { _id: principalId }, now, session);
    return work(session);
  });
}

/** Writes to principals, so that concurrent transactions conflict and processes read their rights again. */
export async function touchPrincipals(
  principals: Collection<PrincipalDocument>,
  filter: Filter<PrincipalDocument>,
  now: Date,
  session: ClientSession,
): Promise<void> {
  await principals.updateMany(filter, { $set: { updatedAt: now }, $inc: { revision: 1 } }, { session });
}
