/** Files that nodes of workflows read from other nodes. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import {
  admin,
  type Answer,
  lastingLeases,
  pilotOf,
  seed,
  startCore,
  type TestCore,
} from '../support/core.fixture.js';
import { minute, node, submitWorkflow, TestWorkflow } from '../support/workflows.fixture.js';
import { type StartedJob, WorkerCalls } from '../support/worker-calls.fixture.js';

const sha256 = 'ab'.repeat(32);
let folder: string;
let core: TestCore;
let worker: WorkerCalls;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'node-files-'));
  await writeFile(join(folder, 'keys'), `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  const credential = { kind: 'SIGNING_KEYS', keyFile: join(folder, 'keys') };
  await writeFile(join(folder, 'files.json'), JSON.stringify(credential), { mode: 0o600 });
  core = await startCore({ config: { files: { credentialFolder: folder, addressSeconds: 300 } } });
  await seed(core, lastingLeases);
  const site = { name: 'site', provider: 'FOLDER', address: 'https://files.test:4200' };
  await core.ask(
    'mutation ($i: CreateStorageInput!) { createStorage(input: $i) { userErrors { message } } }',
    { i: { ...site, credential: 'files', isDefault: true, experiments: ['alpha'] } },
    admin,
  );
  worker = await WorkerCalls.register([core], 'reader', pilotOf('north'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const fit = (name: string, change: object = {}): object =>
  node(name, { payload: { command: 'fit', outputs: ['fit.root', 'log'] }, ...change });

/** Starts the jobs of the named nodes once they are ready. */
async function started(...names: readonly string[]): Promise<readonly StartedJob[]> {
  const jobs: StartedJob[] = [];
  const isComplete = async (): Promise<boolean> => {
    jobs.push(...(await worker.start(100)));
    return names.every((name) => jobs.some((job) => job.name === name));
  };
  await waitFor(`jobs of ${names.join()}`, isComplete, minute);
  return names.flatMap((name) => jobs.filter((job) => job.name === name));
}

async function sign({ id: jobId, fence }: StartedJob, files: object): Promise<Answer> {
  const { signJobFiles } = await core.ask(
    'mutation ($i: SignJobFilesInput!) { signJobFiles(input: $i) { files { name jobId location sha256 } userErrors { code message } } }',
    { i: { workerId: worker.id, jobId, fence, ...files } },
    pilotOf('north'),
  );
  return signJobFiles as Answer;
}

async function store(job: StartedJob, ...names: readonly string[]): Promise<void> {
  const writes = names.map((name) => ({ name, sizeBytes: 5, sha256 }));
  const files = (await sign(job, { writes }))['files'] as unknown as readonly Answer[];
  const outputs = files.map(({ name, location }) => ({ name, location, sizeBytes: 5, sha256 }));
  const input = { workerId: worker.id, jobs: [{ id: job.id, fence: job.fence, exitCode: 0, outputs }] };
  const { finishJobs } = await core.ask(
    'mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds userErrors { message } } }',
    { input },
    pilotOf('north'),
  );
  expect(finishJobs?.['acceptedIds']).toEqual([job.id]);
}

/** Pages of the files of a job, as its worker reads them. */
async function filesOf({ id }: StartedJob, first: number): Promise<readonly Answer[]> {
  const files: Answer[] = [];
  for (let after: unknown = null; ;) {
    const { job } = await core.ask(
      `query ($id: ID!, $first: Int, $after: String) { job(id: $id) { nodeFiles(first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { path node name isOptional jobId output { location sha256 } } } } }`,
      { id, first, after },
      pilotOf('north'),
    );
    const page = job?.['nodeFiles'] as Answer;
    files.push(...(page['nodes'] as unknown as readonly Answer[]));
    const info = page['pageInfo'] as unknown as { hasNextPage: boolean; endCursor: string };
    if (!info.hasNextPage) return files;
    after = info.endCursor;
  }
}

it('gives the holder of a node the files of the nodes that it reads, and no others', async () => {
  await TestWorkflow.submit(core, 'merge', {
    nodes: [
      fit('merge-one'),
      ...[0, 1, 2].map((at) => fit(`merge-${at}`, { label: 'fit' })),
      node('merge', {
        label: 'merge',
        inputs: [
          { node: 'merge-one', output: 'fit.root', as: 'one.root' },
          { label: 'fit', output: 'fit.root', as: 'fits' },
        ],
      }),
    ],
    groupEdges: [{ from: 'fit', to: 'merge', condition: 'ENDED' }],
  });
  const [one, first, second, third] = await started('merge-one', 'merge-0', 'merge-1', 'merge-2');
  if (!one || !first || !second || !third) throw new Error('not all nodes have started');
  for (const job of [one, first, third]) await store(job, 'fit.root', 'log');
  await worker.fail([second]);
  const [merge] = await started('merge');
  if (!merge) throw new Error('the node has not started');
  const files = await filesOf(merge, 2);
  expect(files).toMatchObject([
    { path: 'one.root', node: 'merge-one', jobId: one.id, isOptional: false, output: { sha256 } },
    { path: 'fits/0000001-fit.root', node: 'merge-0', jobId: first.id, isOptional: true },
    { path: 'fits/0000002-fit.root', node: 'merge-1', jobId: null, output: null },
    { path: 'fits/0000003-fit.root', node: 'merge-2', jobId: third.id },
  ]);
  const reads = [one, third].map(({ id }) => ({ name: 'fit.root', jobId: id }));
  const signed = await sign(merge, { reads });
  expect(signed).toMatchObject({ userErrors: [], files: [{ sha256 }, { jobId: third.id }] });
  const refused = await sign(merge, { reads: [{ name: 'log', jobId: one.id }] });
  expect(refused).toMatchObject({ files: [], userErrors: [{ code: 'FILE_NOT_FOUND' }] });
});

it('gives no files of a node that it does not read, although another with the same output is read', async () => {
  await TestWorkflow.submit(core, 'same', {
    nodes: [
      fit('same-a'),
      fit('same-b'),
      node('same-c', { inputs: [{ node: 'same-a', output: 'fit.root' }] }),
    ],
  });
  const [a, b] = await started('same-a', 'same-b');
  if (!a || !b) throw new Error('not all nodes have started');
  for (const job of [b, a]) await store(job, 'fit.root', 'log');
  const [c] = await started('same-c');
  if (!c) throw new Error('the node has not started');
  expect(await sign(c, { reads: [{ name: 'fit.root', jobId: a.id }] })).toMatchObject({ userErrors: [] });
  expect(await sign(c, { reads: [{ name: 'fit.root', jobId: b.id }] })).toMatchObject({
    userErrors: [{ code: 'FILE_NOT_FOUND' }],
  });
});

it('gives the files that a sub-graph passes on, also one inside another, and no others of its nodes', async () => {
  const inner = { name: 'inner', nodes: [fit('one')], outputs: [{ node: 'one', output: 'fit.root' }] };
  const outer = {
    name: 'outer',
    nodes: [{ name: 'in', subgraph: { template: 'inner' } }],
    outputs: [{ node: 'in', output: 'fit.root' }],
  };
  await TestWorkflow.submit(core, 'sub-graph', {
    nodes: [
      { name: 'unit', subgraph: { template: 'outer' } },
      node('plot', { inputs: [{ node: 'unit', output: 'fit.root' }] }),
      node('logs', { inputs: [{ node: 'other', output: 'log' }], dependsOn: [{ node: 'unit' }] }),
      fit('other'),
    ],
    templates: [inner, outer],
  });
  const [one, other] = await started('unit/in/one', 'other');
  if (!one || !other) throw new Error('not all nodes have started');
  for (const job of [one, other]) await store(job, 'fit.root', 'log');
  const [plot, logs] = await started('plot', 'logs');
  if (!plot || !logs) throw new Error('not all nodes have started');
  expect(await filesOf(plot, 2)).toMatchObject([{ path: 'fit.root', node: 'unit/in/one', jobId: one.id }]);
  const read = (job: StartedJob, name: string) => sign(job, { reads: [{ name, jobId: one.id }] });
  expect(await read(plot, 'fit.root')).toMatchObject({ userErrors: [], files: [{ jobId: one.id }] });
  for (const refused of [await read(plot, 'log'), await read(logs, 'log'), await read(logs, 'fit.root')])
    expect(refused).toMatchObject({ files: [], userErrors: [{ code: 'FILE_NOT_FOUND' }] });
});

it('gives no files of another workflow', async () => {
  await TestWorkflow.submit(core, 'far', { nodes: [fit('far-a')] });
  const [far] = await started('far-a');
  if (!far) throw new Error('the node has not started');
  await store(far, 'fit.root', 'log');
  await TestWorkflow.submit(core, 'near', {
    nodes: [fit('near-a'), node('near-b', { inputs: [{ node: 'near-a', output: 'fit.root' }] })],
  });
  const [own] = await started('near-a');
  if (!own) throw new Error('the node has not started');
  await store(own, 'fit.root', 'log');
  const [reader] = await started('near-b');
  if (!reader) throw new Error('the node has not started');
  const refused = await sign(reader, { reads: [{ name: 'fit.root', jobId: far.id }] });
  expect(refused).toMatchObject({ files: [], userErrors: [{ code: 'FILE_NOT_FOUND' }] });
});

it('refuses outputs that nodes do not declare, also of other parts when the workflow is sealed', async () => {
  const reader = (output: string): object => node('sealed-b', { inputs: [{ node: 'sealed-a', output }] });
  const whole = await submitWorkflow(core, 'declared', { nodes: [fit('sealed-a'), reader('x')] });
  expect(whole).toMatchObject({ userErrors: [{ code: 'FILE_NOT_DECLARED', path: ['nodes'] }] });
  const parts = async (name: string, output: string): Promise<Answer> => {
    const workflow = await TestWorkflow.submit(core, name, { nodes: [reader(output)], isSealed: false });
    await workflow.command('appendWorkflowNodes', { part: 1, nodes: [fit('sealed-a')] });
    return workflow.command('sealWorkflow');
  };
  expect(await parts('sealed-bad', 'x')).toMatchObject({
    workflow: null,
    userErrors: [
      {
        code: 'FILE_NOT_DECLARED',
        message:
          'Node "sealed-b" reads output "x" of node "sealed-a", which does not declare it in `payload.outputs`',
      },
    ],
  });
  expect(await parts('sealed-good', 'fit.root')).toMatchObject({ workflow: { state: 'RUNNING' } });
});
