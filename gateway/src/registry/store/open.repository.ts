/** Opens the gateway's own database, the gateway's only use of the store. */
import { connectMongo } from '@rhizome/mongo';
import { RegistryRepository } from './registry.repository.js';
import { UsesRepository } from './uses.repository.js';

/** The repositories on one connection. */
export interface RegistryStore {
  readonly repository: RegistryRepository;
  readonly uses: UsesRepository;
  close(): Promise<void>;
}

const connections = 8;

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached */
export async function openRegistryStore(uri: string, database: string): Promise<RegistryStore> {
  const client = await connectMongo({ uri, appName: 'rhizome-gateway', maxPoolSize: connections });
  const db = client.db(database);
  return {
    repository: new RegistryRepository(db),
    uses: new UsesRepository(db),
    close: () => client.close(),
  };
}
