/** The system of the table: objects of two experiments and of each experiment's service, and its callers. */
import { type Role, roles } from '@rhizome/authz';
import { type ApiClient, createClient } from '@rhizome/client';
import { experiment as atlas } from '@rhizome/atlas';
import { experiment as epic } from '@rhizome/epic';
import { experiment as larkspur } from '@rhizome/larkspur';
import { experiment as rubin } from '@rhizome/rubin';
import { leftovers } from '@rhizome/testkit';
import { mutate, startTestSystem, type System } from '../../experiments/test-system.js';
import { type Workers, workersOf } from './workers.js';

/** Columns of the table: the roles, and an agent whose human is ADMIN. */
export const callers = [...roles, 'AGENT'] as const;
export type Caller = (typeof callers)[number];

/** Owner of the object that is asked for: the caller, another one in its experiment, another experiment. */
export const targets = ['own', 'other', 'foreign'] as const;
export type Target = (typeof targets)[number];

/** Experiments with a service of their own. */
export const modules = [atlas, epic, larkspur, rubin];
/** Queues, by the experiment that alone may use them. */
export const queues = { alpha: 'closed-alpha', beta: 'closed-beta' } as const;
export const otherOwner = 'other@example';

/** Experiment of the object that a target means. */
export const experimentOf = (target: Target): 'alpha' | 'beta' => (target === 'foreign' ? 'beta' : 'alpha');

/** The system and its callers. */
export interface World {
  readonly system: System;
  readonly workers: Workers;
  /** A client of a caller with its role in the experiment; the pilot of alpha is an enrolled worker. */
  clientOf(caller: Caller, experiment: string): Promise<ApiClient>;
  tokenOf(caller: Caller, experiment: string): Promise<string>;
}

export const subjectOf = (caller: Caller, experiment = 'alpha'): string => {
  if (caller === 'PILOT') return 'pilot:closed-alpha';
  if (caller === 'AGENT') return 'agent-of-admin@example';
  if (caller === 'SERVICE') return `experiment:${experiment}`;
  return `${caller.toLowerCase()}@example`;
};

/** Kind of the principal of a caller. */
export function kindOf(caller: Caller): 'PILOT' | 'SERVICE' | 'AGENT' | 'HUMAN' {
  return caller === 'PILOT' || caller === 'SERVICE' || caller === 'AGENT' ? caller : 'HUMAN';
}

/** Longer than the table takes; less than the longest token of an agent. */
const ttlSeconds = 3500;

/** Starts the system with its callers and workers. */
export async function startWorld(): Promise<World> {
  const system = await startTestSystem(modules, { isWhole: true });
  for (const name of ['alpha', 'beta']) await system.register(name);
  // The workers say nothing for as long as the table takes.
  const limits = { heartbeatSeconds: 300, leaseSeconds: 3600 };
  for (const [experiment, name] of Object.entries(queues)) {
    await mutate(system, 'createQueue', { name, site: 'POLE', experiments: [experiment], limits });
    const storage = { name: `of-${experiment}`, provider: 'FOLDER', address: 'https://files.test' };
    await mutate(system, 'createStorage', { ...storage, experiments: [experiment], isDefault: true });
  }
  await system.allow('alpha', await system.tokens.human(otherOwner, { alpha: 'USER' }));
  const tokens = new Map<string, Promise<string>>();
  const tokenOf: World['tokenOf'] = (caller, experiment) => {
    const key = `${caller} ${experiment}`;
    const token = tokens.get(key) ?? mint(system, caller, experiment);
    tokens.set(key, token);
    return token;
  };
  for (const { name } of modules)
    for (const caller of ['ADMIN', 'PRODUCTION', 'USER'] as const)
      await system.allow(name, await tokenOf(caller, name));
  const workers = await workersOf(system);
  const clients = new Map<string, ApiClient>([['PILOT alpha', workers.own.client]]);
  tokens.set('PILOT alpha', Promise.resolve(workers.own.token));
  const clientOf: World['clientOf'] = async (caller, experiment) => {
    const key = `${caller} ${experiment}`;
    const options = { url: system.url, token: await tokenOf(caller, experiment) };
    const client = clients.get(key) ?? leftovers.use(createClient(options), `the client of ${key}`);
    clients.set(key, client);
    return client;
  };
  return { system, workers, clientOf, tokenOf };
}

function mint({ tokens }: System, caller: Caller, experiment: string): Promise<string> {
  const subject = subjectOf(caller, experiment);
  const grants = [{ experiment, roles: [caller === 'AGENT' ? 'ADMIN' : (caller satisfies Role)] }] as const;
  const bound = caller === 'AGENT' ? { boundedBy: grants, actsFor: 'admin@example' } : {};
  return tokens.mint({ kind: kindOf(caller), subject, grants, ...bound, ttlSeconds });
}
