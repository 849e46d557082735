/** Transactions that change blocks on the condition that nobody else has changed them. */
import type { ClientSession, Db } from 'mongodb';

/** For writes that outlive the loss of a member of the store. */
export const majority = { writeConcern: { w: 'majority' } } as const;

/** A block is not as it was read; ends the transaction. */
export class StaleBlock extends Error {}

/** Runs a transaction. @returns false if it threw {@link StaleBlock}; then nothing is written */
export async function allOrNone(db: Db, write: (session: ClientSession) => Promise<void>): Promise<boolean> {
  try {
    await db.client.withSession((session) => session.withTransaction(() => write(session), majority));
    return true;
  } catch (error) {
    if (error instanceof StaleBlock) return false;
    throw error;
  }
}
