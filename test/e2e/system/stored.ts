/** Checksums of all that a system has stored: for tests of what must change nothing. */
import type { TestClient } from '@rhizome/testkit';

/**
 * Data that changes without a request or with a refused one: leases and their clock, periodically saved
 * counts, the recorded use of fields, the audit log, and used proofs, which the store removes when they end.
 */
const restless = new Set([
  ...['brokerLease', 'leases', 'leaseClock', 'gatewayReports', 'countSnapshots', 'consumers', 'streamPlaces'],
  ...['operations', 'fieldUses'],
  ...['auditEntries', 'usedProofs'],
]);

/** Checksums by `database.collection`. */
export type Stored = Readonly<Record<string, string>>;

/** A checksum of each collection. */
export async function stored(store: TestClient): Promise<Stored> {
  const { databases } = await store.db().admin().listDatabases({ nameOnly: true });
  const own = databases
    .map(({ name }) => name)
    .filter((name) => !['admin', 'config', 'local'].includes(name));
  const hashes = await Promise.all(
    own.map(async (name) => {
      const { collections } = (await store.db(name).command({ dbHash: 1 })) as unknown as {
        collections: Record<string, string>;
      };
      return Object.entries(collections)
        .filter(([collection]) => !restless.has(collection))
        .map(([collection, hash]) => [`${name}.${collection}`, hash]);
    }),
  );
  return Object.fromEntries(hashes.flat()) as Stored;
}
