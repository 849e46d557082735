/** Opens the database with the audit entries. */
import type { Logger } from '@rhizome/log';
import { connectMongo } from '@rhizome/mongo';
import { AuditRepository } from './audit.repository.js';

/** The repository on a connection of its own: a change must not wait for other work of the process. */
export interface AuditStore {
  readonly repository: AuditRepository;
  close(): Promise<void>;
}

const connections = 4;
/** A change is refused soon if the store cannot be reached. */
const serverSelectionTimeoutMs = 3_000;

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached */
export async function openAuditStore(uri: string, database: string, log: Logger): Promise<AuditStore> {
  const client = await connectMongo({
    uri,
    appName: 'rhizome-audit',
    maxPoolSize: connections,
    serverSelectionTimeoutMs,
  });
  try {
    const repository = new AuditRepository(client.db(database));
    await repository.ensure(log);
    return { repository, close: () => client.close() };
  } catch (error) {
    await client.close();
    throw error;
  }
}
