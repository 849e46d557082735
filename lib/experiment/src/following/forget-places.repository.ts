import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { streamPlacesCollection } from './job-state.document.js';

/**
 * Forgets the places in streams of a restored database: the events after them may not be those of the
 * restored jobs. The experiment then reads the states of its jobs from core.
 */
export async function forgetPlaces(db: Db): Promise<void> {
  await collection(db, streamPlacesCollection).updateMany(
    {},
    { $set: { cursor: '' } },
    { writeConcern: { w: 'majority' } },
  );
}
