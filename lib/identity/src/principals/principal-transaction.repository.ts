import { collection } from '@rhizome/mongo';
import type { ClientSession, Db } from 'mongodb';
import { principalsCollection } from './principal.document.js';

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
  const touched = { $set: { updatedAt: now }, $inc: { revision: 1 } };
  return db.client.withSession((session) =>
    session.withTransaction(
      async () => {
        await collection(db, principalsCollection).updateOne({ _id: principalId }, touched, { session });
        return work(session);
      },
      { writeConcern: { w: 'majority' } },
    ),
  );
}
