import type { Db } from 'mongodb';
import { bulkOperationsCollection } from './bulk-operation.document.js';

/** Conditions that had one value, and the lists that replaced them. */
const lists = {
  taskId: 'taskIds',
  owner: 'owners',
  queueId: 'queueIds',
  share: 'shares',
  label: 'labels',
} as const;

/**
 * Rewrites the selections of recorded bulk operations with the present names. An operation that resumes
 * without would lose its conditions and change every job that its requester may see. May run again.
 */
export async function listBulkCriteria(db: Db): Promise<void> {
  const operations = db.collection(bulkOperationsCollection.name);
  for (const [single, list] of Object.entries(lists))
    await operations.updateMany(
      { [`criteria.${single}`]: { $exists: true } },
      [{ $set: { [`criteria.${list}`]: [`$criteria.${single}`] } }, { $unset: `criteria.${single}` }],
      { writeConcern: { w: 'majority' } },
    );
}
