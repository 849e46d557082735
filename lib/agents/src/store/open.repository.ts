/** Opens the collections of proposals. */
import { connectMongo, ensureCollections } from '@rhizome/mongo';
import type { Logger } from '@rhizome/log';
import { proposalsCollection } from '../proposals/proposal.document.js';
import { ProposalsRepository } from '../proposals/proposals.repository.js';

/** The repositories on one connection. */
export interface AgentsStore {
  readonly proposals: ProposalsRepository;
  close(): Promise<void>;
}

const connections = 8;

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached */
export async function openAgentsStore(uri: string, database: string, log: Logger): Promise<AgentsStore> {
  const client = await connectMongo({ uri, appName: 'rhizome-agents', maxPoolSize: connections });
  try {
    const db = client.db(database);
    await ensureCollections(db, [proposalsCollection], { log });
    return { proposals: new ProposalsRepository(db), close: () => client.close() };
  } catch (error) {
    await client.close();
    throw error;
  }
}
