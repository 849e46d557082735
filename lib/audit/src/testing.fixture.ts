/** A log of the audit on a database of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { leftovers, testDatabase, type TestMongo, testMongo } from '@rhizome/testkit';
import type { AuditCall, AuditRecord } from './chain/entry.js';
import { type VerificationReport, Verifier } from './chain/verify.js';
import { type FolderReading, readHeadFolder, readPublicKey } from './heads/read-folder.js';
import { openAudit, type OpenedAudit } from './open-audit.js';
import type { AuditEntryDocument } from './store/audit-entry.document.js';

/** The log, and the driver's own view of its collection. */
export interface AuditSystem {
  readonly audit: OpenedAudit;
  readonly folder: string;
  readonly database: string;
  readonly entries: ReturnType<typeof entriesOf>;
  /** Verifies all entries with the heads of the folder. */
  verify(): Promise<VerificationReport>;
  heads(): Promise<FolderReading>;
}

/** A call of a test. */
export function call(action = 'Mutation.cancelJobs', over: Partial<AuditCall> = {}): AuditCall {
  return {
    kind: 'MUTATION',
    action,
    actor: {
      kind: 'HUMAN',
      subject: 'ada@example',
      human: 'ada@example',
      issuer: 'https://issuer.test',
      tokenId: 'token-1',
      tokenKind: 'USER',
      worker: null,
    },
    experiment: 'optics',
    targets: { count: 1, ids: ['job_1'], fields: ['input', 'input.ids'], digest: 'abc' },
    requestId: 'request-1',
    client: { name: 'test', version: '1', address: '127.0.0.1' },
    repeats: 1,
    ...over,
  };
}

/** Starts a log; it is closed at the end of the file. */
export async function startAudit(
  options: { readonly clock?: Clock; readonly retentionDays?: number; readonly mongoUri?: string } = {},
): Promise<AuditSystem> {
  const { clock, retentionDays, mongoUri = (await testMongo()).uri } = options;
  const { client } = await testMongo();
  const { databaseName: database } = await testDatabase('audit');
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-audit-'));
  leftovers.defer('the folder of an audit log', () => rm(folder, { recursive: true, force: true }));
  const audit = await openAudit(
    { mongoUri, database, folder, retentionDays, waitMs: 60_000 },
    { log: silentLogger(), ...(clock && { clock }) },
  );
  leftovers.defer('an audit log', () => audit.close());
  const entries = entriesOf(client, database);
  const heads = async (): Promise<FolderReading> => readHeadFolder(folder, await readPublicKey(folder));
  const verify = async (): Promise<VerificationReport> => {
    const verifier = new Verifier();
    for await (const entry of entries.find({}, { sort: { _id: -1 } })) verifier.add(exported(entry));
    return verifier.report((await heads()).heads);
  };
  return { audit, folder, database, entries, verify, heads };
}

const entriesOf = (client: TestMongo['client'], database: string) =>
  client.db(database).collection<AuditEntryDocument>('auditEntries');

/** An entry as it leaves the store. */
export function exported(entry: AuditEntryDocument): AuditRecord {
  return JSON.parse(JSON.stringify(entry)) as AuditRecord;
}
