import { type Clock, createIds, systemClock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { BudgetsService } from './budgets/budgets.service.js';
import { MandatesService } from './mandates/mandates.service.js';
import { type ProposalSettings, ProposalsService } from './proposals/proposals.service.js';
import { openAgentsStore } from './store/open.repository.js';

/** Settings of {@link openAgents}. */
export interface AgentsSettings extends ProposalSettings {
  readonly mongoUri: string;
  /** Name of the database; default `gateway`. */
  readonly database?: string | undefined;
  /** Experiments whose proposals another person than that of the proposal must decide. */
  readonly fourEyes?: readonly string[] | undefined;
}

/** The services of one process. */
export interface Agents {
  readonly proposals: ProposalsService;
  readonly budgets: BudgetsService;
  readonly mandates: MandatesService;
  /** Experiments whose proposals another person must decide. */
  readonly fourEyes: ReadonlySet<string>;
  close(): Promise<void>;
}

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached */
export async function openAgents(
  { mongoUri, database = 'gateway', fourEyes = [], ...settings }: AgentsSettings,
  { log, clock = systemClock }: { readonly log: Logger; readonly clock?: Clock },
): Promise<Agents> {
  const store = await openAgentsStore(mongoUri, database, log);
  const parts = { proposals: store.proposals, clock, ids: createIds(clock) };
  return {
    proposals: new ProposalsService({ ...settings, ...parts }),
    budgets: new BudgetsService({ budgets: store.budgets, clock }),
    mandates: new MandatesService({ mandates: store.mandates, usage: store.budgets, clock }),
    fourEyes: new Set(fourEyes),
    close: () => store.close(),
  };
}
