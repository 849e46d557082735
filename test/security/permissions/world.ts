/** Objects of two experiments, and one caller of each role in one of them. */
import { type Role, roles } from '@rhizome/authz';
import { mutate, startTestSystem, type System } from '../../experiments/test-system.js';

/** Columns of the table: the roles, and an agent whose human is ADMIN. */
export const callers = [...roles, 'AGENT'] as const;
export type Caller = (typeof callers)[number];

/** Owner of the object that is asked for: the caller, another one in its experiment, another experiment. */
export const targets = ['own', 'other', 'foreign'] as const;
export type Target = (typeof targets)[number];

/** Names and ids for the variables of a row. */
export interface Objects {
  /** The experiment: `alpha` for own and others' objects, `beta` for those of the other experiment. */
  readonly experiment: string;
  readonly queue: string;
  readonly jobId: string;
  readonly taskId: string;
  readonly workerId: string;
  readonly operationId: string;
  /** Of the experiment. */
  readonly secretId: string;
  /** Person that submissions are for; null for the caller. */
  readonly onBehalfOf: string | null;
}

export interface World {
  readonly system: System;
  readonly tokens: ReadonlyMap<Caller, string>;
  objects(caller: Caller, target: Target): Objects;
}

const otherOwner = 'other@example';

export const subjectOf = (caller: Caller): string => {
  if (caller === 'PILOT') return 'pilot:closed-alpha';
  if (caller === 'AGENT') return 'agent-of-admin@example';
  if (caller === 'SERVICE') return 'experiment:alpha';
  return `${caller.toLowerCase()}@example`;
};

/** Starts the system with everything that the rows ask for. */
export async function startWorld(): Promise<World> {
  const system = await startTestSystem([]);
  for (const name of ['alpha', 'beta']) await system.register(name);
  const queues = { alpha: 'closed-alpha', beta: 'closed-beta' } as const;
  const tokens = new Map<Caller, string>();
  for (const caller of callers) tokens.set(caller, await tokenOf(system, caller));
  await mutate(system, 'createQueue', { name: queues.alpha, site: 'POLE', experiments: ['alpha'] });
  await mutate(system, 'createQueue', { name: queues.beta, site: 'POLE', experiments: ['beta'] });
  await system.allow('alpha', await system.tokens.human(otherOwner, { alpha: 'USER' }));
  const jobs = new Map<string, string>();
  for (const caller of callers)
    for (const target of targets) jobs.set(`${caller} ${target}`, await jobOf(system, caller, target));
  const operations = await operationsOf(system);
  const shared = {
    alpha: await sharedOf(system, 'alpha', queues.alpha),
    beta: await sharedOf(system, 'beta', queues.beta),
  };
  return {
    system,
    tokens,
    objects: (caller, target) => {
      const experiment = target === 'foreign' ? 'beta' : 'alpha';
      return {
        experiment,
        queue: queues[experiment],
        jobId: jobs.get(`${caller} ${target}`) ?? '',
        operationId: operations.get(`${caller} ${target}`) ?? '',
        onBehalfOf: target === 'other' ? otherOwner : null,
        ...shared[experiment],
      };
    },
  };
}

function tokenOf({ tokens }: System, caller: Caller): Promise<string> {
  if (caller === 'AGENT') return tokens.agent('admin@example', { alpha: 'ADMIN' });
  const kind = caller === 'PILOT' || caller === 'SERVICE' ? caller : 'HUMAN';
  const subject = subjectOf(caller);
  return tokens.mint({ kind, subject, grants: [{ experiment: 'alpha', roles: [caller satisfies Role] }] });
}

/** A job that waits, with the owner that the target names. */
async function jobOf(system: System, caller: Caller, target: Target): Promise<string> {
  const experiment = target === 'foreign' ? 'beta' : 'alpha';
  const job = {
    name: `${caller} ${target}`,
    payload: { command: 'true', environment: [{ name: 'TOKEN', value: 'hush' }] },
    requirements: { cores: 4096 },
  };
  const input = { experiment, idempotencyKey: job.name, jobs: [job] };
  const { jobs } = await mutate(system, 'submitJobs', input, 'jobs { id }');
  const jobId = String(jobs[0].id);
  const owner = target === 'own' ? subjectOf(caller) : otherOwner;
  await system.core.db.collection<{ _id: string }>('jobs').updateOne({ _id: jobId }, { $set: { owner } });
  return jobId;
}

async function sharedOf(
  system: System,
  experiment: string,
  queue: string,
): Promise<Pick<Objects, 'taskId' | 'workerId' | 'secretId'>> {
  const payload = { command: 'true' };
  const task = { experiment, idempotencyKey: 'task', name: 'task', jobs: { count: 1 } };
  const template = { name: 'x', payload, requirements: { cores: 4096 } };
  const submitted = await mutate(system, 'submitTask', { ...task, template }, 'task { id }');
  const hardware = { architecture: 'x86_64', cores: 1, memoryMiB: 1, diskMiB: 1 };
  const worker = { queue, host: 'h', name: 'w', version: '1', hardware, idempotencyKey: queue };
  const registered = await mutate(system, 'registerWorker', worker, 'worker { id }');
  const value = 'eight or more';
  const created = await mutate(system, 'createSecret', { name: 'x', experiment, value }, 'secret { id }');
  return {
    taskId: String(submitted.task.id),
    workerId: String(registered.worker.id),
    secretId: String(created.secret.id),
  };
}

/** A recorded operation for each caller and target. */
async function operationsOf(system: System): Promise<ReadonlyMap<string, string>> {
  const jobs = [
    { name: 'held by an operation', payload: { command: 'true' }, requirements: { cores: 4096 } },
  ];
  const submission = { experiment: 'alpha', idempotencyKey: 'operation', jobs };
  const { jobs: made } = await mutate(system, 'submitJobs', submission, 'jobs { id }');
  const selection = { ids: [made[0].id as string] };
  await mutate(system, 'holdJobs', { selection, reason: 'x', idempotencyKey: 'operation' });
  const operations = system.core.db.collection<{ _id: string; requester: object; key?: string }>(
    'bulkOperations',
  );
  const recorded = await operations.findOne({});
  if (!recorded) throw new Error('The operation is not recorded');
  const { key: _key, ...fields } = recorded;
  const found = new Map<string, string>();
  for (const caller of callers)
    for (const target of targets) {
      const _id = `${recorded._id.slice(0, -2)}${String(found.size).padStart(2, '0')}`;
      const isOwn = target === 'own';
      const kind = isOwn ? kindOf(caller) : 'HUMAN';
      const requester = { ...fields.requester, kind, subject: isOwn ? subjectOf(caller) : otherOwner };
      if (_id === recorded._id) await operations.updateOne({ _id }, { $set: { requester } });
      else await operations.insertOne({ ...fields, _id, requester });
      found.set(`${caller} ${target}`, _id);
    }
  return found;
}

function kindOf(caller: Caller): string {
  return caller === 'PILOT' || caller === 'SERVICE' || caller === 'AGENT' ? caller : 'HUMAN';
}
