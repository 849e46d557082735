/**
 * For each mutation of the public schema: bad input is reported with a code, its path and its value, and
 * nothing is written.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { connectMongo } from '@rhizome/mongo';
import { leftovers, type TestClient, waitFor } from '@rhizome/testkit';
import type { Answer } from '../system/api.js';
import { farDowntime, neverRule } from '../system/idle-inputs.js';
import { jobsOf, submit } from '../system/jobs.js';
import { type Grant, speakAsWorker } from '../system/pilots.js';
import { type PlaygroundSystem, startPlayground, type TransportKind } from '../system/playground-system.js';
import { type Stored, stored } from '../system/stored.js';
import { type BadInput, changed } from './case.js';
import { coreCases } from './core-cases.js';
import { experimentCases } from './experiment-cases.js';
import { type Given, type GoodInputs, goodInputs, queueName, smallJob, usedKey } from './good-inputs.js';
import { identityCases, identityInputs } from './identity-cases.js';
import { proposalCases, proposalInputs } from './proposal-cases.js';
import { schemaCases } from './schema-cases.js';
import { workerCases } from './worker-cases.js';

const cases = [
  ...[...coreCases, ...workerCases, ...experimentCases, ...schemaCases, ...identityCases],
  ...proposalCases,
];

/**
 * Mutations that need an endpoint, an earlier schema, a store of identities or a storage; other tests cover
 * their good inputs.
 */
// Secrets are delivered to the credential of a worker only, gateways report themselves, payloads work on
// units, and the table is sent by a user.
const goodElsewhere = [
  ...['createUpload', 'completeUpload', 'removeUpload'],
  'publishSchema',
  'rollbackSchema',
  'withdrawSubgraph',
  'redeemSecrets',
  'reportGateway',
  ...['addWorkflowNodes', 'leaseWorkUnits', 'completeWorkUnits', 'failWorkUnits', 'extendWorkUnits'],
  ...Object.keys({ ...identityInputs, ...proposalInputs }),
];

interface Payload {
  readonly userErrors: readonly {
    readonly message: string;
    readonly path: readonly string[];
    readonly code: string;
  }[];
}
type Data = Readonly<Record<string, Payload | null>>;

/** Declares the table for one transport. */
export function badInputStories(transport: TransportKind): void {
  describe(`over ${transport}`, () => {
    let system: PlaygroundSystem;
    let store: TestClient;
    let good: GoodInputs;
    /** Content of the store after the last case; unknown after a failed one. Nothing writes in between. */
    let known: Stored | undefined;

    const send = (mutation: string, input: object): Promise<Answer<Data>> => {
      const type = good[mutation]?.[0] ?? '';
      const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { userErrors { message path code } } }`;
      return system.api().post<Data>(query, { input });
    };

    beforeAll(async () => {
      system = await startPlayground({ transport });
      const uri = (await readFile(join(system.data, 'mongo', 'uri'), 'utf8')).trim();
      store = leftovers.use(await connectMongo({ uri, appName: 'story' }), 'the client of the store');
      good = { ...goodInputs(await prepare()), ...identityInputs, ...proposalInputs };
      await useKeys();
    });

    /** Jobs and a worker in the states that the good inputs speak of. */
    async function prepare(): Promise<Given> {
      // Its worker says nothing for as long as the table takes, on a slow machine too.
      await system.api().data(
        `mutation { createQueue(input: {
        name: "north", site: "POLE", limits: { heartbeatSeconds: 300, leaseSeconds: 3600 }
      }) { userErrors { code } } }`,
      );
      const worker = await speakAsWorker(system, { name: 'spoken', queue: queueName });
      const withOutput = { payload: { command: 'true', outputs: ['o'] } };
      const ids = await submit(
        system.api(),
        ['start', 'finish', 'fail', 'log', 'ended'].map((name) => ({
          name,
          ...(name === 'finish' ? withOutput : {}),
        })),
      );
      const grants: Grant[] = [];
      while (grants.length < 5) grants.push(...(await worker.acquire(5, { waitSeconds: 10 })));
      const [start, finish, fail, log, ended] = ids.map(
        (id) => grants.find(({ job }) => job.id === id) as Grant,
      );
      if (!start || !finish || !fail || !log || !ended) throw new Error('a job was not granted');
      for (const grant of [finish, fail, log, ended]) await worker.start(grant, 'RUNNING');
      await worker.finish(ended, 'FINISHED');
      const far = { requirements: { cores: 4000 }, share: 'larkspur/production' };
      const [cancel = '', hold = '', priority = '', update = '', onHold = ''] = await submit(
        system.api(),
        ['cancel', 'hold', 'priority', 'update', 'on hold'].map((name) => ({ name, ...far })),
      );
      await system
        .api()
        .data(
          'mutation ($ids: [ID!]!) { holdJobs(input: { selection: { ids: $ids }, reason: "r" }) { userErrors { code } } }',
          {
            ids: [onHold],
          },
        );
      const { createSecret } = await system
        .api()
        .data<{ createSecret: { secret: { id: string } } }>(
          'mutation { createSecret(input: { name: "GIVEN", value: "eight or more" }) { secret { id } } }',
        );
      const { grantJobAccess } = await system
        .api()
        .data<{ grantJobAccess: { access: { id: string } } }>(
          'mutation { grantJobAccess(input: { experiment: "rubin", grantee: { subject: "guest@example" }, level: READ }) { access { id } } }',
        );
      const { downtime } = await system
        .api()
        .change<{ downtime: { id: string } }>(
          'declareDowntime',
          { target: { queue: queueName }, ...farDowntime },
          'downtime { id }',
        );
      const storage = { name: 'given', provider: 'FOLDER', address: 'https://files.test' };
      await system.api().change('createStorage', { ...storage, experiments: ['rubin'] });
      await system.api().change('addPolicyVersion', { scope: { experiment: 'rubin' }, rules: [neverRule] });
      const scouting = { jobs: { count: 2 }, scouts: { count: 1 } };
      const given = { experiment: 'larkspur', idempotencyKey: 'given', name: 'given', ...scouting };
      const template = { ...smallJob, ...far };
      const { task } = await system
        .api()
        .change<{ task: { id: string } }>('submitTask', { ...given, template }, 'task { id }');
      const { pool } = await system
        .api()
        .change<{ pool: { id: string } }>(
          'createWorkPool',
          { experiment: 'larkspur', name: 'given' },
          'pool { id }',
        );
      const settings = { targetLagSeconds: 86_400 };
      const { fleet } = await system
        .api()
        .change<{ fleet: { id: string } }>(
          'createFleet',
          { poolId: pool.id, name: 'given', settings, job: { name: 'given', payload: smallJob.payload } },
          'fleet { id }',
        );
      const { dataset } = await system
        .api()
        .change<{ dataset: { id: string } }>(
          'createDataset',
          { experiment: 'larkspur', name: 'given' },
          'dataset { id }',
        );
      const files = [{ name: 'given', sizeBytes: 1 }];
      await system.api().change('appendDatasetFiles', { datasetId: dataset.id, files });
      const node = { payload: { command: 'true' }, requirements: far.requirements };
      const nodes = [
        { ...node, name: 'first' },
        { ...node, name: 'given', dependsOn: [{ node: 'first' }] },
      ];
      const { workflow } = await system
        .api()
        .change<{ workflow: { id: string } }>(
          'submitWorkflow',
          { experiment: 'larkspur', idempotencyKey: 'given', name: 'given', nodes },
          'workflow { id }',
        );
      const { workflow: openWorkflow } = await system
        .api()
        .change<{ workflow: { id: string } }>(
          'submitWorkflow',
          { experiment: 'larkspur', idempotencyKey: 'open', name: 'open', nodes: [], isSealed: false },
          'workflow { id }',
        );
      const quanta = [{ name: 'a', label: 'isr', dataId: 'visit=1' }];
      const { workflow: rubinWorkflow } = await system.api().change<{ workflow: { id: string } }>(
        'submitRubinWorkflow',
        {
          ...{ idempotencyKey: 'given', name: 'given', pipeline: 'DRP', command: 'true' },
          ...{ quanta, memoryMiB: 16_000_000 },
        },
        'workflow { id }',
      );
      const waiting = { cancelJobs: cancel, holdJobs: hold, setJobPriority: priority, updateQueue: update };
      const held = { start, finish, fail, log };
      return {
        workerId: worker.id,
        held,
        waiting,
        onHold,
        ended: ended.job.id,
        taskId: task.id,
        secretId: createSecret.secret.id,
        accessId: grantJobAccess.access.id,
        downtimeId: downtime.id,
        poolId: pool.id,
        fleetId: fleet.id,
        datasetId: dataset.id,
        workflowId: workflow.id,
        openWorkflowId: openWorkflow.id,
        rubinWorkflowId: rubinWorkflow.id,
      };
    }

    /** Uses the key that the table then uses with other content, and what may be used once. */
    async function useKeys(): Promise<void> {
      const before: readonly (readonly [string, BadInput['change']])[] = [
        ['submitJobs', [['jobs', [smallJob]]]],
        ['submitTask', []],
        ['submitWorkflow', [['name', 'another']]],
        ['createQueue', [['name', 'west']]],
        ['declareDowntime', []],
        ['submitLarkspurObservation', []],
        ['submitAtlasTask', []],
        ['submitEpicRun', [['runNumber', 1]]],
        ['submitRubinWorkflow', []],
      ];
      for (const [mutation, change] of before) {
        const input = changed(good[mutation]?.[1] ?? {}, [...change, ['idempotencyKey', usedKey]]);
        expect(await send(mutation, input)).toMatchObject({ data: { [mutation]: { userErrors: [] } } });
      }
      // Tasks are expanded behind their answer: the store is at rest when all their jobs are there.
      const left = () => store.db('core').collection('taskParameterSets').countDocuments();
      await waitFor('the jobs of all tasks', async () => (await expanding()) + (await left()) === 0, {
        deadlineMs: 10_000,
      });
      // Experiments note the first job of each workflow when its event arrives.
      await waitFor('the jobs of the first quanta', async () => !(await firstJobs()).includes(null), {
        deadlineMs: 10_000,
      });
    }

    async function firstJobs(): Promise<readonly (object | null)[]> {
      type Quanta = { readonly quanta: { readonly nodes: readonly { readonly run: object | null }[] } };
      const query = '{ rubin { workflows { nodes { quanta(first: 1) { nodes { run { job { id } } } } } } } }';
      const { rubin } = await system.api().data<{ rubin: { workflows: { nodes: Quanta[] } } }>(query);
      return rubin.workflows.nodes.flatMap(({ quanta }) => quanta.nodes.map(({ run }) => run));
    }

    async function expanding(): Promise<number> {
      const query = '{ tasks(filter: { states: [EXPANDING] }) { nodes { id } } }';
      return (await system.api().data<{ tasks: { nodes: unknown[] } }>(query)).tasks.nodes.length;
    }

    it('covers every mutation of the public schema', async () => {
      const { __schema } = await system
        .api()
        .data<{ __schema: { mutationType: { fields: { name: string }[] } } }>(
          '{ __schema { mutationType { fields { name } } } }',
        );
      const all = __schema.mutationType.fields.map(({ name }) => name).sort();
      expect([...new Set(cases.map(({ mutation }) => mutation))].sort()).toEqual(all);
      expect(Object.keys(good).sort()).toEqual(all);
    });

    it.each(cases.map((one) => [one.mutation, one.wrong, one] as const))(
      'refuses %s: %s',
      async (mutation, _, one) => {
        const before = known ?? (await stored(store));
        known = undefined;
        const { data, errors } = await send(mutation, changed(good[mutation]?.[1] ?? {}, one.change));
        if (one.path === null) {
          expect(errors).toHaveLength(1);
          expect(errors?.[0]?.extensions).toMatchObject({ code: one.code, retry: 'never' });
          expect(errors?.[0]?.message).toContain(one.names);
          for (const [path] of one.change) expect(errors?.[0]?.message).toContain(path.split('.').at(-1));
        } else {
          expect(errors).toBeUndefined();
          const reported = data?.[mutation]?.userErrors ?? [];
          const [first] = reported.filter(({ path }) => path.join('.') === one.path);
          expect({ reported, first: first?.code }).toMatchObject({ first: one.code });
          expect(first?.message).toContain(one.names);
        }
        const now = await stored(store);
        expect(one.keeps === undefined ? now : { ...now, [one.keeps]: before[one.keeps] }).toEqual(before);
        known = now;
      },
    );

    it('accepts the good jobs of a batch with a bad one', async () => {
      const input = changed(good['submitJobs']?.[1] ?? {}, [
        [
          'jobs',
          [
            { ...smallJob, name: 'good' },
            { ...smallJob, name: '' },
            { ...smallJob, name: 'good, too' },
          ],
        ],
        ['idempotencyKey', 'mixed'],
      ]);
      const query =
        'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id name } userErrors { path code } } }';
      const { submitJobs } = await system
        .api()
        .data<{ submitJobs: { jobs: ({ id: string; name: string } | null)[]; userErrors: object[] } }>(
          query,
          {
            input,
          },
        );
      expect(submitJobs.jobs.map((job) => job?.name ?? null)).toEqual(['good', null, 'good, too']);
      expect(submitJobs.userErrors).toEqual([{ path: ['jobs', '1', 'name'], code: 'INVALID_VALUE' }]);
      const ids = submitJobs.jobs.flatMap((job) => job?.id ?? []);
      expect(await jobsOf(system.api(), ids)).toHaveLength(2);
    });

    it('accepts the unchanged inputs of the table', async () => {
      // What drains the worker, or closes its queue, comes last.
      const last = ['setQueueState', 'drainWorker'];
      const first = Object.keys(good).filter((name) => ![...last, ...goodElsewhere].includes(name));
      const names = [...first, ...last];
      for (const mutation of names) {
        const { data, errors } = await send(mutation, good[mutation]?.[1] ?? {});
        expect([mutation, errors, data]).toEqual([mutation, undefined, { [mutation]: { userErrors: [] } }]);
      }
    });
  });
}
