/** The database as a checker reads it: past all services. */
import { connectMongo } from '@rhizome/mongo';
import type { Collection, Db, Document } from 'mongodb';

/** An open database. */
export interface StoreAccess {
  readonly db: Db;
  close(): Promise<void>;
}

/** Connects to core's database. */
export async function openStore(uri: string): Promise<StoreAccess> {
  const client = await connectMongo({ uri, appName: 'checker', serverSelectionTimeoutMs: 60_000 });
  return { db: client.db('core'), close: () => client.close() };
}

/** A collection with documents of a form that the caller knows. */
export function collectionOf<T extends { readonly _id: string }>(
  { db }: StoreAccess,
  name: string,
): Collection<T & Document> {
  return db.collection<T & Document>(name);
}

/** Numbers of jobs by what they are counted by, from a look at every job. */
export async function scannedCounts({ db }: StoreAccess): Promise<readonly string[]> {
  const rows = await db
    .collection('jobs')
    .aggregate<{ _id: Record<string, string | undefined>; count: number }>([
      {
        $group: {
          _id: {
            experiment: '$experiment',
            queue: '$queue',
            gpuModel: '$gpu.model',
            share: '$share',
            state: '$state',
          },
          count: { $sum: 1 },
        },
      },
    ])
    .toArray();
  return rows.map(({ _id, count }) => countText({ ..._id, count })).sort();
}

/** One number of jobs as text. */
export function countText(row: {
  readonly experiment?: string | undefined;
  readonly queue?: string | null | undefined;
  readonly gpuModel?: string | null | undefined;
  readonly share?: string | undefined;
  readonly state?: string | undefined;
  readonly count: number;
}): string {
  const { experiment, queue, gpuModel, share, state, count } = row;
  return [experiment, queue ?? '-', gpuModel ?? '-', share, state, count].join(' ');
}

/** The port of the primary. */
export async function primaryPort({ db }: StoreAccess): Promise<number> {
  const hello = await db.admin().command({ hello: 1 });
  return Number(String(hello['primary']).split(':').at(-1));
}
