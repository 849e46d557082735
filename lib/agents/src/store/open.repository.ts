/** Opens the collections of proposals, budgets and mandates. */
import { connectMongo, ensureCollections } from '@rhizome/mongo';
import type { Logger } from '@rhizome/log';
import { budgetsCollection, stopsCollection, usageCollection } from '../budgets/budget.document.js';
import { BudgetsRepository } from '../budgets/budgets.repository.js';
import { mandatesCollection } from '../mandates/mandate.document.js';
import { MandatesRepository } from '../mandates/mandates.repository.js';
import { proposalsCollection } from '../proposals/proposal.document.js';
import { ProposalsRepository } from '../proposals/proposals.repository.js';

/** The repositories on one connection. */
export interface AgentsStore {
  readonly proposals: ProposalsRepository;
  readonly budgets: BudgetsRepository;
  readonly mandates: MandatesRepository;
  close(): Promise<void>;
}

const connections = 8;

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached */
export async function openAgentsStore(uri: string, database: string, log: Logger): Promise<AgentsStore> {
  const client = await connectMongo({ uri, appName: 'rhizome-agents', maxPoolSize: connections });
  try {
    const db = client.db(database);
    const limits = [budgetsCollection, usageCollection, stopsCollection];
    const collections = [proposalsCollection, mandatesCollection, ...limits];
    await ensureCollections(db, collections, { log });
    return {
      proposals: new ProposalsRepository(db),
      budgets: new BudgetsRepository(db),
      mandates: new MandatesRepository(db),
      close: () => client.close(),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}
