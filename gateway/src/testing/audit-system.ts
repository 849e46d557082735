/** A gateway of a test with an audit log in a database of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditEntryDocument, type AuditSettings, openAudit, type OpenedAudit } from '@rhizome/audit';
import { silentLogger } from '@rhizome/log';
import { leftovers, testDatabase, testMongo, waitFor } from '@rhizome/testkit';
import { startTestSystem, type TestSystem } from './test-system.js';

/** The system, its log, and the entries of calls in it. */
export interface AuditTestSystem extends TestSystem {
  readonly audit: OpenedAudit;
  /** Entries in order without those of the gateway itself, once each has an outcome. */
  entries(count: number): Promise<readonly AuditEntryDocument[]>;
}

/** Starts the system; all of it is closed at the end of the file. */
export async function startAuditSystem(options: TestAuditOptions = {}): Promise<AuditTestSystem> {
  const audit = await openTestAudit(options);
  const system = await startTestSystem({ audit });
  const read = async (count: number) => {
    const { nodes } = await audit.repository.page({}, '*', { first: 1_000, after: null });
    const calls = nodes.filter(({ kind }) => kind !== 'SYSTEM').reverse();
    return calls.length >= count && calls.every(({ outcome }) => outcome) ? calls : null;
  };
  const entries = (count: number) =>
    waitFor(`${count} entries with outcomes`, () => read(count), { deadlineMs: 5_000 });
  return { ...system, audit, entries };
}

/** Store of an audit log of a test, the time that calls wait for it, and servers that get copies. */
export type TestAuditOptions = Partial<Pick<AuditSettings, 'mongoUri' | 'waitMs' | 'syslog' | 'otlp'>>;

/** Opens an audit log in a database of its own; it is closed at the end of the file. */
export async function openTestAudit(options: TestAuditOptions = {}): Promise<OpenedAudit> {
  const { databaseName: database } = await testDatabase('audit');
  const { mongoUri = (await testMongo()).uri, waitMs = 60_000, ...exports } = options;
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-audit-'));
  leftovers.defer('the folder of an audit log', () => rm(folder, { recursive: true, force: true }));
  const settings = { mongoUri, database, folder, waitMs, ...exports };
  const audit = await openAudit(settings, { log: silentLogger() });
  leftovers.defer('an audit log', () => audit.close());
  return audit;
}
