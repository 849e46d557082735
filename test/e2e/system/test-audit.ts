import { openAudit, type OpenedAudit } from '@rhizome/audit';
import { type Logger, silentLogger } from '@rhizome/log';
import { leftovers, testDatabase, testMongo } from '@rhizome/testkit';
import { temporaryFolder } from './temporary-folder.js';

/** An audit log with a database and a folder; it ends with the file. @param waitMs as in its settings */
export async function testAudit({
  log = silentLogger(),
  waitMs,
}: { readonly log?: Logger; readonly waitMs?: number } = {}): Promise<{
  readonly audit: OpenedAudit;
  readonly database: string;
}> {
  const { uri: mongoUri } = await testMongo();
  const { databaseName: database } = await testDatabase('audit');
  const folder = await temporaryFolder('audit');
  const audit = await openAudit({ mongoUri, database, folder, waitMs }, { log });
  leftovers.defer('the audit log', () => audit.close());
  return { audit, database };
}
