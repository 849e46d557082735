/** Stored limits of agents, what they have used, and stops of agents. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Quantities that a budget limits; a token is four characters of an answer. */
export const budgetUnits = ['CALLS', 'PROPOSALS', 'ANSWER_TOKENS'] as const;
/** One of {@link budgetUnits}. */
export type BudgetUnit = (typeof budgetUnits)[number];

/** Calendar periods in UTC. */
export const budgetWindows = ['HOUR', 'DAY', 'MONTH'] as const;
/** One of {@link budgetWindows}. */
export type BudgetWindow = (typeof budgetWindows)[number];

/** Rights by which a limit or a stop was set; one of another kind does not replace it. */
export type Authority = 'PERSON' | 'EXPERIMENT' | 'INSTALLATION';

/** Agents that a limit or a stop concerns: those that fit every field that is not null. */
export interface AgentScope {
  /** Subject of the agent. */
  readonly agent: string | null;
  /** Subject of the person that the agent acts for. */
  readonly person: string | null;
  /** Experiment in which the agent has rights. */
  readonly experiment: string | null;
}

/** A limit. */
export interface BudgetDocument extends AgentScope {
  /** `budget_…`, a digest of authority, scope, unit and window. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly authority: Authority;
  readonly unit: BudgetUnit;
  readonly window: BudgetWindow;
  readonly limit: number;
  /** Amount from which the limits of a caller say that little is left; null for none. */
  readonly softLimit: number | null;
  readonly setBy: string;
}

/** Use of a budget in one window. */
export interface UsageDocument {
  /** Budget and start of the window. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly spent: number;
  readonly removeAt: Date;
}

/** A stop. */
export interface StopDocument extends AgentScope {
  /** `stop_…`, a digest of authority and scope. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly createdAt: Date;
  readonly authority: Authority;
  readonly reason: string;
  readonly setBy: string;
}

const text = { bsonType: 'string' };
const textOrNull = { bsonType: ['string', 'null'] };
const amount = { bsonType: ['int', 'long', 'double'], minimum: 0 };
const scope = {
  agent: textOrNull,
  person: textOrNull,
  experiment: textOrNull,
  authority: { enum: ['PERSON', 'EXPERIMENT', 'INSTALLATION'] },
};
const scopeNames = ['agent', 'person', 'experiment', 'authority'];

/** Limits. */
export const budgetsCollection = defineCollection<BudgetDocument>({
  name: 'agentBudgets',
  schemaVersion: 1,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', ...scopeNames],
      ...['unit', 'window', 'limit', 'softLimit', 'setBy'],
    ],
    properties: {
      ...baseFields,
      ...scope,
      unit: { enum: [...budgetUnits] },
      window: { enum: [...budgetWindows] },
      limit: amount,
      softLimit: { ...amount, bsonType: [...amount.bsonType, 'null'] },
      setBy: text,
    },
  },
  indexes: [
    {
      name: 'person_agent_experiment_idx',
      keys: { person: 1, agent: 1, experiment: 1 },
      why: 'the budgets that concern an agent',
    },
    {
      name: 'experiment_createdAt_idx',
      keys: { experiment: 1, createdAt: -1 },
      why: 'those of an experiment',
    },
    { name: 'createdAt_idx', keys: { createdAt: -1 }, why: 'all budgets, the newest first' },
  ],
});

/** Amounts used. */
export const usageCollection = defineCollection<UsageDocument>({
  name: 'agentUsage',
  schemaVersion: 1,
  validator: {
    required: ['spent', 'removeAt'],
    properties: { spent: amount, removeAt: { bsonType: 'date' } },
  },
  indexes: [
    {
      name: 'removeAt_ttl',
      keys: { removeAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes the amounts of old windows',
    },
  ],
});

/** Stops. */
export const stopsCollection = defineCollection<StopDocument>({
  name: 'agentStops',
  schemaVersion: 1,
  validator: {
    required: ['createdAt', ...scopeNames, 'reason', 'setBy'],
    properties: { createdAt: { bsonType: 'date' }, ...scope, reason: text, setBy: text },
  },
  indexes: [
    {
      name: 'person_agent_experiment_idx',
      keys: { person: 1, agent: 1, experiment: 1 },
      why: 'the stops that concern an agent',
    },
    { name: 'createdAt_idx', keys: { createdAt: -1 }, why: 'all stops, the newest first' },
  ],
});
