/** Two systems that differ only in the data of other experiments, and what an observer sees of them. */
import type { Role } from '@rhizome/authz';
import { isRhizomeApiError } from '@rhizome/client';
import { experiment as atlas } from '@rhizome/atlas';
import { experiment as epic } from '@rhizome/epic';
import { experiment as larkspur } from '@rhizome/larkspur';
import { experiment as rubin } from '@rhizome/rubin';
import { waitFor } from '@rhizome/testkit';
import { mutationText } from '../e2e/system/api.js';
import { neverRule } from '../e2e/system/idle-inputs.js';
import { document, mutate, startTestSystem, type System } from '../experiments/test-system.js';
import { experimentInputs, liveRunInputs } from './experiment-inputs.js';

/** Identifiers of objects of beta; in the empty system, ones of the same form that do not exist. */
export interface Foreign {
  readonly jobId: string;
  readonly taskId: string;
  readonly workerId: string;
  readonly operationId: string;
  readonly secretId: string;
  readonly auditEntryId: string;
  readonly accessId: string;
  readonly observationId: string;
  readonly atlasTaskId: string;
  readonly workflowId: string;
}

/** One of the systems. */
export interface Side {
  readonly cursors: Cursors;
  readonly system: System;
  readonly foreign: Foreign;
  readonly tokens: ReadonlyMap<Role, string>;
  readonly jobs: readonly string[];
}

/** Roles in alpha, the experiment of the observers. */
export const observers = ['USER', 'READER', 'OPERATOR', 'PRODUCTION', 'ADMIN', 'PILOT', 'SERVICE'] as const;
/** Cursors that a user of beta got: the same in both systems. */
export interface Cursors {
  readonly jobs: string;
  readonly secrets: string;
}

export const hardware = { architecture: 'x86_64', cores: 8, memoryMiB: 8000, diskMiB: 8000 };
export const large = { cores: 4096 };
export const payload = { command: 'true' };
/** The workers of the systems say nothing for as long as the tests take. */
const limits = { heartbeatSeconds: 300, leaseSeconds: 3600 };

async function start(): Promise<Omit<Side, 'foreign' | 'cursors'>> {
  const system = await startTestSystem([atlas, epic, larkspur, rubin], { isWhole: true });
  for (const name of ['alpha', 'beta']) await system.register(name);
  await mutate(system, 'createQueue', { name: 'ours', site: 'POLE', experiments: ['alpha'], limits });
  await mutate(system, 'updateQueue', { name: 'north', limits });
  for (const queue of ['north', 'ours'])
    await mutate(system, 'registerWorker', {
      ...{ queue, host: 'h', name: queue, version: '1', hardware, idempotencyKey: queue },
    });
  const specs = Array.from({ length: 6 }, (_, at) => ({ name: `job ${at}`, payload, requirements: large }));
  const input = { experiment: 'alpha', idempotencyKey: 'alpha', jobs: specs };
  const { jobs } = await mutate(system, 'submitJobs', input, 'jobs { id }');
  const tokens = new Map<Role, string>();
  for (const role of observers) {
    const kind = role === 'PILOT' || role === 'SERVICE' ? role : 'HUMAN';
    const subject = { PILOT: 'pilot:ours', SERVICE: 'experiment:alpha', HUMAN: `${role}@example` }[kind];
    const grants = [{ experiment: 'alpha', roles: [role] }];
    tokens.set(role, await system.tokens.mint({ kind, subject, grants, ttlSeconds: 3500 }));
  }
  return { system, tokens, jobs: (jobs as { id: string }[]).map(({ id }) => id) };
}

/** Everything that beta and the experiments with services have in one of the systems. */
async function fill(system: System): Promise<readonly [Foreign, Cursors]> {
  await mutate(system, 'createQueue', { name: 'theirs', site: 'MOON', experiments: ['beta'], limits });
  const worker = { queue: 'theirs', host: 'h', name: 'theirs', version: '1', hardware };
  const registered = await mutate(
    system,
    'registerWorker',
    { ...worker, idempotencyKey: 'b' },
    'worker { id }',
  );
  await mutate(system, 'setShares', { experiment: 'beta', shares: [{ leaf: 'heavy', nominalCores: 900 }] });
  const specs = Array.from({ length: 40 }, (_, at) => ({
    name: `CANARY ${at}`,
    payload: { command: 'canary' },
    labels: [{ key: 'canary', value: 'beta' }],
    requirements: large,
  }));
  const submitted = { experiment: 'beta', idempotencyKey: 'alpha', jobs: specs };
  const { jobs } = await mutate(system, 'submitJobs', submitted, 'jobs { id }');
  const template = { name: 'x', payload, requirements: large };
  const task = { experiment: 'beta', idempotencyKey: 't', name: 'CANARY', jobs: { count: 3 }, template };
  const { task: created } = await mutate(system, 'submitTask', task, 'task { id }');
  for (const scope of [{ experiment: 'beta' }, { queue: 'theirs' }, { taskId: created.id }])
    await mutate(system, 'addPolicyVersion', { scope, rules: [neverRule] });
  const held = { selection: { ids: [jobs[0].id] }, reason: 'CANARY', idempotencyKey: 'hold' };
  await mutate(system, 'holdJobs', held);
  const granted = { experiment: 'beta', jobs: { taskId: created.id }, level: 'MANAGE' };
  const holder = { grantee: { subject: 'canary@example' } };
  const { access } = await mutate(system, 'grantJobAccess', { ...granted, ...holder }, 'access { id }');
  const { data } = await system.ask(
    '{ jobs(first: 3, filter: { experiments: ["beta"] }) { pageInfo { endCursor } } }',
  );
  await countFailures(system);
  const cursors = { jobs: String(data.jobs.pageInfo.endCursor), secrets: await secretsCursor(system) };
  const operation = await system.core.db.collection<{ _id: string }>('bulkOperations').findOne({});
  const foreign = {
    ...(await fillServices(system)),
    jobId: String(jobs[0].id),
    taskId: String(created.id),
    accessId: String(access.id),
    workerId: String(registered.worker.id),
    operationId: String(operation?._id),
  };
  return [foreign, cursors];
}

/** Counts of failures of beta, in every rollup: no worker of a test fails a job. */
async function countFailures({ core }: System): Promise<void> {
  const now = new Date();
  const hour = new Date(Math.floor(now.getTime() / 3_600_000) * 3_600_000);
  const row = {
    ...{ family: 'PAYLOAD', code: 'CANARY', site: 'MOON', queue: 'theirs', host: 'canary', taskId: 'canary' },
    ...{ image: 'canary', exitCode: 1, count: 7, coreSeconds: 3600, gpuSeconds: 3600 },
    ...{ firstAt: now, lastAt: now, jobs: [] },
  };
  const common = {
    schemaVersion: 1,
    revision: 1,
    createdAt: now,
    updatedAt: now,
    experiment: 'beta',
    upTo: '82',
    rows: [row],
  };
  const hours = ['CODE', 'HOST', 'TASK', 'IMAGE', 'EXIT_CODE'].map((rollup) => ({
    ...{ _id: `${rollup} beta`, rollup, hour },
    ...common,
  }));
  const total = { _id: 'TOTAL beta', rollup: 'TOTAL', site: 'MOON', newestAt: now, ...common };
  await core.db.collection<{ _id: string }>('failureCounts').insertMany([...hours, total]);
}

/** Secrets of beta, and a cursor in their list. */
async function secretsCursor(system: System): Promise<string> {
  for (const name of ['THEIRS_A', 'THEIRS_B'])
    await mutate(system, 'createSecret', { name, experiment: 'beta', value: 'eight or more' });
  const { data } = await system.ask('{ secrets(experiment: "beta", first: 1) { pageInfo { endCursor } } }');
  return String(data.secrets.pageInfo.endCursor);
}

/** Objects of the services, an address that waits for its approval, and what the audit log has about them. */
async function fillServices(
  system: System,
): Promise<Omit<Foreign, 'jobId' | 'taskId' | 'accessId' | 'workerId' | 'operationId'>> {
  const submit = (field: string, select: string) =>
    mutate(system, field, { ...experimentInputs[field]?.(), idempotencyKey: 'theirs' }, select);
  const { observation } = await submit('submitLarkspurObservation', 'observation { id }');
  await submit('submitEpicRun', 'run { id }');
  for (const field of ['announceEpicLiveRun', 'setEpicSiteFeed'])
    await mutate(system, field, liveRunInputs[field]?.() ?? {});
  const { task } = await submit('submitAtlasTask', 'task { id }');
  const { workflow } = await submit('submitRubinWorkflow', 'workflow { id }');
  const owner = await system.tokens.human('owner@example', { larkspur: 'ADMIN' });
  const moved = { name: 'larkspur', endpoint: 'http://canary.test/graphql', typePrefix: 'Larkspur' };
  await system.ask(mutationText('registerSubgraph'), { input: moved }, owner);
  const { data } = await system.ask('{ secrets(experiment: "beta") { nodes { id } } }');
  const entry = await waitFor(
    'an audit entry about beta',
    async () => {
      const query = '{ auditEntries(filter: { experiment: "beta" }, first: 1) { nodes { id } } }';
      return (await system.ask(query)).data.auditEntries.nodes[0] as { id: string } | undefined;
    },
    { deadlineMs: 60_000 },
  );
  return {
    secretId: String(data.secrets.nodes[0].id),
    auditEntryId: entry.id,
    observationId: String(observation.id),
    atlasTaskId: String(task.id),
    workflowId: String(workflow.id),
  };
}

/** Identifiers of the same form and length. */
const altered = (id: string): string => id.replace(/.{6}$/, '000000');

/** Starts the systems: one without anything of the other experiments, and one with it. */
export async function startSides(): Promise<readonly [Side, Side]> {
  const [empty, full] = [await start(), await start()];
  const [foreign, cursors] = await fill(full.system);
  const missing = Object.fromEntries(
    Object.entries(foreign).map(([name, id]) => [name, altered(String(id))]),
  ) as unknown as Foreign;
  return [
    { ...empty, cursors, foreign: missing },
    { ...full, cursors, foreign },
  ];
}

/** A call of an observer. */
export interface Step {
  readonly name: string;
  readonly text: string;
  readonly variables: (side: Side) => object;
}

/** The answer with identifiers in the order of their first appearance, and without times. */
export function renamed(answer: unknown, { foreign }: Side): string {
  const names = new Map(Object.entries(foreign).map(([name, id]) => [String(id), `<${name}>`]));
  return JSON.stringify(answer)
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/\b([a-z]+)_[0-9A-Z]{20,}/g, (id) => {
      const name = names.get(id) ?? `<${names.size}>`;
      names.set(id, name);
      return name;
    });
}

export async function answerOf(side: Side, role: Role, { text, variables }: Step): Promise<string> {
  const { data, errors } = await side.system.ask(text, variables(side), side.tokens.get(role));
  return renamed(
    { data: data ?? null, errors: errors.map(({ code, message }) => ({ code, message })) },
    side,
  );
}

/** Time in which counts and lists follow the writes before them, in milliseconds. */
const followMs = 60_000;

/** Two answers, once they are equal or the time has passed: counts follow writes with a delay. */
export async function untilEqual(read: () => Promise<readonly string[]>): Promise<readonly string[]> {
  for (const started = performance.now(); ;) {
    const answers = await read();
    if (answers[0] === answers[1] || performance.now() - started > followMs) return answers;
  }
}

/** The first message of a stream, or the codes with which it was refused. */
export async function firstOf(side: Side, role: Role, text: string): Promise<string> {
  const { foreign, system, tokens } = side;
  const { taskId: task, jobId: job, workerId: worker, observationId: observation } = foreign;
  const { atlasTaskId: atlasTask, workflowId: workflow } = foreign;
  const variables = { task, job, worker, observation, atlasTask, workflow };
  const used = Object.fromEntries(Object.entries(variables).filter(([name]) => text.includes(`$${name}`)));
  const stream = (await system.client(tokens.get(role))).subscribe(document(`subscription ${text}`), used);
  try {
    for await (const message of stream) return renamed(message, side);
    return 'ended';
  } catch (error) {
    if (!isRhizomeApiError(error)) throw error;
    return renamed(
      error.errors.map(({ code, message }) => ({ code, message })),
      side,
    );
  } finally {
    await stream.return?.();
  }
}
