import { beforeAll, describe, expect, it } from '@jest/globals';
import { commandsDuring, testPrincipal, waitFor } from '@rhizome/testkit';
import { type Answer, pilotOf, seed, startCore } from '../support/core.fixture.js';
import { acquired, registerWorker, report, runningJobs } from '../support/live-core.fixture.js';

let core: Awaited<ReturnType<typeof startCore>>;
let workerId: string;
let serial = 0;

beforeAll(async () => {
  core = await startCore();
  await seed(core, { heartbeatSeconds: 300, leaseSeconds: 3600 });
  workerId = await registerWorker(core, 'one');
});

interface Held {
  readonly id: string;
  readonly fence: number;
}

const selection = `summary since helped { change triedCount finishedCount jobIds }
  causes { kind statement confidence share evidence { kind text count target { kind id queueName } } }
  actions { title operation variables isUndoable }`;

async function diagnosisOf(id: string): Promise<Answer> {
  const { job } = await core.ask(`query ($id: ID!) { job(id: $id) { diagnosis { ${selection} } } }`, { id });
  return job?.['diagnosis'] as Answer;
}

const kindsOf = (diagnosis: Answer): readonly string[] =>
  (diagnosis['causes'] as unknown as readonly { readonly kind: string }[]).map(({ kind }) => kind);

async function submitted(jobs: readonly object[]): Promise<readonly string[]> {
  const input = {
    experiment: 'alpha',
    idempotencyKey: `waiting ${(serial += 1)}`,
    jobs: jobs.map((job) => ({ name: 'a job', payload: { command: 'true' }, ...job })),
  };
  const { submitJobs } = await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }',
    { input },
  );
  expect(submitJobs?.['userErrors']).toEqual([]);
  return (submitJobs?.['jobs'] as unknown as readonly { readonly id: string }[]).map(({ id }) => id);
}

/** Jobs that a worker has started. */
async function started(count: number, name: string): Promise<readonly Held[]> {
  const jobs = Array.from({ length: count }, (_, at) => ({ name: `${name} ${at}` }));
  const held = await runningJobs(core, workerId, jobs);
  for (const job of held) await report(core, 'startJobs', workerId, { ...job, phase: 'RUNNING' });
  return held;
}

async function log({ id, fence }: Held, text: string): Promise<void> {
  const chunks = [{ sequence: 0, stream: 'STDERR', text, at: '2030-01-01T00:00:00Z' }];
  const { appendJobLog } = await core.ask(
    'mutation ($input: AppendJobLogInput!) { appendJobLog(input: $input) { userErrors { message } } }',
    { input: { workerId, jobId: id, fence, chunks } },
    pilotOf('north'),
  );
  expect(appendJobLog).toEqual({ userErrors: [] });
}

async function failed(job: Held, exitCode = 1): Promise<void> {
  const message = `The payload ended with exit code ${exitCode}`;
  const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message, isRetryable: false };
  await report(core, 'failJobs', workerId, { ...job, exit: { code: exitCode }, error });
}

/** Retries a job by the input that an action proposes. @returns the new jobs */
async function retried(input: unknown): Promise<readonly { readonly id: string }[]> {
  const { retryJobs } = await core.ask(
    'mutation ($input: RetryJobsInput!) { retryJobs(input: $input) { jobs { id } userErrors { message } } }',
    { input },
  );
  expect(retryJobs?.['userErrors']).toEqual([]);
  return retryJobs?.['jobs'] as unknown as readonly { readonly id: string }[];
}

/** Cancels jobs that wait, so that the worker does not get them in later tests. */
async function cancel(ids: readonly string[]): Promise<void> {
  const { cancelJobs } = await core.ask(
    'mutation ($ids: [ID!]) { cancelJobs(input: { selection: { ids: $ids } }) { userErrors { message } } }',
    { ids },
  );
  expect(cancelJobs).toEqual({ userErrors: [] });
}

async function untilCounted(count: number): Promise<void> {
  const text = '{ errorSummary(filter: { codes: ["EXIT_CODE"] }) { count } }';
  const isCounted = async () => Number((await core.ask(text))['errorSummary']?.['count']) >= count;
  await waitFor(`${count} counted failures`, isCounted, { deadlineMs: 60_000 });
}

describe('the diagnosis of a job that failed', () => {
  const lines = Array.from({ length: 3000 }, (_, at) => `event ${at}`);
  let jobs: readonly Held[];

  beforeAll(async () => {
    jobs = await started(3, 'reconstruct');
    for (const job of jobs) {
      await log(job, [...lines, 'Traceback (most recent call last):', 'MemoryError'].join('\n'));
      await failed(job);
    }
    const [first] = jobs;
    const selected = { ids: [first?.id] };
    const changes = { requirements: { memory: { memoryMiB: 3000 } } };
    const copies = await retried({ selection: selected, changes, idempotencyKey: 'more memory' });
    const [copy] = await acquired(core, workerId, 1);
    expect(copy?.id).toBe(copies[0]?.id);
    await report(core, 'startJobs', workerId, { ...copy, phase: 'RUNNING' });
    const metrics = { peakMemoryMiB: 2000, isPartial: false };
    await report(core, 'finishJobs', workerId, { ...copy, exitCode: 0, metrics });
    await untilCounted(3);
  });

  it('has the lines of its log, the host of its peers, and the retry that helped another job', async () => {
    const found = await diagnosisOf(String(jobs[1]?.id));
    expect(kindsOf(found)).toEqual(['MEMORY', 'PROGRAM', 'HOST']);
    expect(found['causes']?.[0]).toMatchObject({ confidence: 0.9 });
    const text = String(found['causes']?.[0]?.['evidence']?.[0]?.['text']).split('\n');
    expect(text.slice(-3)).toEqual(['event 2999', 'Traceback (most recent call last):', 'MemoryError']);
    expect(text.length).toBeLessThanOrEqual(20);
    expect(found['causes']?.[2]).toMatchObject({
      ...{ share: 1, confidence: 0.25 },
      evidence: [{ count: 3, target: { kind: 'HOST', id: 'host-1', queueName: 'north' } }],
    });
    expect(found['helped']).toEqual([
      { change: 'MORE_MEMORY', triedCount: 1, finishedCount: 1, jobIds: [jobs[0]?.id] },
    ]);
    expect(found['actions']?.[0]).toMatchObject({ title: 'Retry with 2400 MiB of memory', isUndoable: true });
  });

  it('says that another job retries it', async () => {
    const found = await diagnosisOf(String(jobs[0]?.id));
    expect(found['summary']).toMatch(/Job job_\w+ retries it\.$/);
    expect(found['actions']).toEqual([]);
  });

  it('proposes a retry that makes one job, however often it is accepted', async () => {
    const { actions } = await diagnosisOf(String(jobs[2]?.id));
    const [action] = actions as unknown as readonly { operation: string; variables: { input: object } }[];
    expect(action?.operation).toBe('retryJobs');
    const first = await retried(action?.variables.input);
    expect(await retried(action?.variables.input)).toEqual(first);
    const colleague = testPrincipal({ subject: 'bob@lab', grants: { alpha: ['PRODUCTION'] } });
    const refused = await core.run(
      'mutation ($input: RetryJobsInput!) { retryJobs(input: $input) { jobs { id } userErrors { message } } }',
      action?.variables,
      colleague,
    );
    expect(refused.errors).toBeUndefined();
    expect(refused.data).toMatchObject({
      retryJobs: { jobs: [], userErrors: [{ message: expect.stringContaining('has been retried') }] },
    });
    const { job } = await core.ask(`{ job(id: "${first[0]?.id}") { requirements { memoryMiB } } }`);
    expect(job).toEqual({ requirements: { memoryMiB: 2400 } });
    await cancel(first.map(({ id }) => id));
  });

  it('needs as many reads for several jobs of an operation as for one', async () => {
    const many = await started(8, 'crowd');
    for (const job of many) {
      await log(job, 'reco: command not found');
      await failed(job, 127);
    }
    await untilCounted(11);
    const text = `query ($ids: [ID!]) { jobs(filter: { ids: $ids }, first: 100) { nodes { diagnosis { ${selection} } } } }`;
    const readsOf = async (ids: readonly (string | undefined)[]): Promise<number> => {
      const commands = await commandsDuring(() => core.ask(text, { ids }));
      const reads = new Set(['jobs', 'jobLogs', 'failureCounts', 'jobProgress', 'canaries']);
      return commands.filter(
        ({ databaseName, commandName, command }) =>
          databaseName === core.db.databaseName &&
          (commandName === 'find' || commandName === 'aggregate') &&
          reads.has(String(command[commandName])),
      ).length;
    };
    const one = await readsOf([many[0]?.id]);
    expect(one).toBeLessThanOrEqual(8);
    expect(await readsOf(many.map(({ id }) => id))).toBe(one);
  });

  it('is refused for further jobs, whose other fields are read', async () => {
    const ids = await submitted(Array.from({ length: 21 }, () => ({ requirements: { cores: 64 } })));
    const text =
      'query ($ids: [ID!]) { jobs(filter: { ids: $ids }, first: 100) { nodes { name diagnosis { since } } } }';
    const { data, errors } = await core.run(text, { ids });
    expect(errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['OPERATION_TOO_COMPLEX']);
    const { nodes } = (data as { jobs: { nodes: { name: string; diagnosis: object | null }[] } }).jobs;
    expect(nodes.filter(({ diagnosis }) => diagnosis !== null)).toHaveLength(20);
    expect(nodes.every(({ name }) => name === 'a job')).toBe(true);
  });

  it('is refused to pilots, and to those who may not read the job', async () => {
    const text = `{ job(id: "${jobs[1]?.id}") { diagnosis { summary } } }`;
    const pilot = await core.run(text, {}, pilotOf('north'));
    expect(pilot.errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
    const other = await core.run(text, {}, testPrincipal({ grants: { beta: ['READER'] } }));
    expect(other.data).toEqual({ job: null });
    const reader = await core.run(text, {}, testPrincipal({ grants: { alpha: ['READER'] } }));
    expect(reader.errors).toBeUndefined();
  });
});

describe('the diagnosis of a job that has not failed', () => {
  it('names the hold, and proposes a release that ends it', async () => {
    const [id = ''] = await submitted([{ requirements: { cores: 2 } }]);
    await core.ask(
      'mutation ($ids: [ID!]) { holdJobs(input: { selection: { ids: $ids }, reason: "calibration" }) { userErrors { message } } }',
      { ids: [id] },
    );
    const found = await diagnosisOf(id);
    expect(kindsOf(found)).toEqual(['HELD']);
    expect(found['summary']).toContain('calibration');
    const action = found['actions']?.[0];
    expect(action?.['operation']).toBe('releaseJobs');
    await core.ask(
      'mutation ($input: ReleaseJobsInput!) { releaseJobs(input: $input) { userErrors { message } } }',
      action?.['variables'],
    );
    const { job } = await core.ask(`{ job(id: "${id}") { hold { reason } } }`);
    expect(job).toEqual({ hold: null });
    await cancel([id]);
  });

  it('names the parents, the requirement that no worker meets, and who cancelled a job', async () => {
    const [parent = '', child = ''] = await submitted([
      { name: 'parent', requirements: { cores: 64 } },
      { dependsOn: ['#0'] },
    ]);
    const waiting = await diagnosisOf(child);
    expect(waiting['causes']?.[0]).toMatchObject({
      ...{ kind: 'PARENTS' },
      evidence: [{ text: 'parent is ACTIVATED.', target: { kind: 'JOB', id: parent } }],
    });
    const unmatched = await diagnosisOf(parent);
    expect(kindsOf(unmatched)).toEqual(['NO_MATCH']);
    const operations = unmatched['actions'] as unknown as readonly { operation: string | null }[];
    expect(operations.map(({ operation }) => operation)).toContain('cancelJobs');
    await core.ask(
      'mutation ($ids: [ID!]) { cancelJobs(input: { selection: { ids: $ids }, reason: "by mistake" }) { userErrors { message } } }',
      { ids: [parent] },
    );
    expect((await diagnosisOf(parent))['summary']).toBe(
      'The job was cancelled by admin@example: by mistake.',
    );
    const isClosed = async () =>
      (await diagnosisOf(child))['causes']?.[0]?.['kind'] === ('CLOSED' as unknown);
    await waitFor('the child to be closed', isClosed, { deadlineMs: 60_000 });
    const closed = await diagnosisOf(child);
    expect(JSON.stringify(closed['causes']?.[0]?.['evidence'])).toContain('Its parent parent is CANCELLED.');
  });

  it('names the state of the queue that the job requires', async () => {
    await core.ask(
      'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
      { input: { name: 'south', site: 'Pole', state: 'OFFLINE' } },
    );
    const [id = ''] = await submitted([{ requirements: { queue: 'south' } }]);
    const isOffline = async () => kindsOf(await diagnosisOf(id)).includes('DOWNTIME');
    await waitFor('the queue', isOffline, { deadlineMs: 60_000 });
  });

  it('has no cause while a job runs, and none once it finished', async () => {
    const [job] = await started(1, 'fine');
    const running = await diagnosisOf(String(job?.id));
    expect(running).toMatchObject({ causes: [], actions: [] });
    expect(running['summary']).toContain('RUNNING');
    const stream = core.subscribe(
      'subscription ($ids: [ID!]) { jobStateChanged(filter: { ids: $ids }) { event { job { id diagnosis { summary } } } } }',
      { ids: [job?.id] },
    );
    await waitFor('the opening message', () => stream.results.length > 0, { deadlineMs: 60_000 });
    await report(core, 'finishJobs', workerId, { ...job, exitCode: 0 });
    const refused = () =>
      stream.results.find(
        ({ data }) => (data as unknown as Answer | null)?.['jobStateChanged']?.['event'] != null,
      );
    await waitFor('the event', () => refused() !== undefined, { deadlineMs: 60_000 });
    expect(refused()?.errors?.[0]?.extensions?.['code']).toBe('OPERATION_TOO_COMPLEX');
    await stream.close();
    expect(await diagnosisOf(String(job?.id))).toMatchObject({ summary: 'The job finished.', causes: [] });
  });
});

describe('the diagnosis of a task, a queue and a site', () => {
  const submitTask = `mutation ($input: SubmitTaskInput!) {
    submitTask(input: $input) { task { id } userErrors { message } }
  }`;

  async function aTask(count: number, requirements: object = {}): Promise<string> {
    const job = { name: 'job of a task', payload: { command: 'true' }, requirements };
    const input = {
      ...{ experiment: 'alpha', idempotencyKey: `task ${(serial += 1)}`, name: 'a task' },
      template: job,
      jobs: { count },
    };
    const { submitTask: answer } = await core.ask(submitTask, { input });
    expect(answer?.['userErrors']).toEqual([]);
    return String(answer?.['task']?.['id']);
  }

  async function ofTask(id: string): Promise<Answer> {
    const { task } = await core.ask(`query ($id: ID!) { task(id: $id) { diagnosis { ${selection} } } }`, {
      id,
    });
    return task?.['diagnosis'] as Answer;
  }

  it('names the failures of a task by code with their shares, and proposes a retry with a change', async () => {
    const id = await aTask(3);
    const held = await acquired(core, workerId, 3);
    for (const job of held) await report(core, 'startJobs', workerId, { ...job, phase: 'RUNNING' });
    const error = { family: 'LIMIT', code: 'MEMORY_EXCEEDED', message: 'too much', isRetryable: false };
    for (const job of held.slice(0, 2)) await report(core, 'failJobs', workerId, { ...job, error });
    await report(core, 'finishJobs', workerId, { ...held[2], exitCode: 0 });
    const isCounted = async () =>
      Number((await ofTask(id))['causes']?.[0]?.['evidence']?.[0]?.['count']) === 2;
    await waitFor('two counted failures', isCounted, { deadlineMs: 60_000 });
    const found = await ofTask(id);
    expect(found['summary']).toContain('1 of 3 jobs finished, 2 failed, 0 have not ended.');
    expect(found['causes']).toMatchObject([{ kind: 'MEMORY', confidence: 1, share: 1 }]);
    type Actions = readonly { readonly title: string; readonly variables: { readonly input: object } }[];
    const [action] = found['actions'] as unknown as Actions;
    expect(action?.title).toBe('Retry the 2 failed jobs with twice the memory');
    const retry =
      'mutation ($input: RetryJobsInput!) { retryJobs(input: $input) { result { changedCount } userErrors { message } } }';
    const accepted = { result: { changedCount: 2 }, userErrors: [] };
    expect((await core.ask(retry, action?.variables))['retryJobs']).toEqual(accepted);
    expect((await core.ask(retry, action?.variables))['retryJobs']).toEqual(accepted);
    const { task } = await core.ask(`{ task(id: "${id}") { jobs(states: [ACTIVATED]) { nodes { id } } } }`);
    const copies = task?.['jobs']?.['nodes'] as unknown as readonly { readonly id: string }[];
    expect(copies).toHaveLength(2);
    for (const job of await acquired(core, workerId, 2)) {
      await report(core, 'startJobs', workerId, { ...job, phase: 'RUNNING' });
      await (job.id === copies[0]?.id
        ? report(core, 'failJobs', workerId, { ...job, error })
        : report(core, 'finishJobs', workerId, { ...job, exitCode: 0 }));
    }
    const again = async () => (await ofTask(id))['actions'] as unknown as Actions;
    const isAgain = async () => (await again())[0]?.title === 'Retry the 1 failed job with twice the memory';
    await waitFor('a proposal for the copy that failed', isAgain, { deadlineMs: 60_000 });
    const isFailureCounted = async () =>
      Number((await ofTask(id))['causes']?.[0]?.['evidence']?.[0]?.['count']) === 3;
    await waitFor('three counted failures', isFailureCounted, { deadlineMs: 60_000 });
    const [next] = await again();
    expect((await core.ask(retry, next?.variables))['retryJobs']).toMatchObject({
      result: { changedCount: 1 },
    });
    const waiting = await core.ask(`{ task(id: "${id}") { jobs(states: [ACTIVATED]) { nodes { id } } } }`);
    const last = waiting['task']?.['jobs']?.['nodes'] as unknown as readonly { readonly id: string }[];
    expect(last).toHaveLength(1);
    await cancel(last.map((copy) => copy.id));
  });

  it('names who paused a task, and why its jobs wait otherwise', async () => {
    const id = await aTask(2, { cores: 64 });
    const isExplained = async () => kindsOf(await ofTask(id)).includes('NO_MATCH');
    await waitFor('jobs that wait', isExplained, { deadlineMs: 60_000 });
    const { pauseTask } = await core.ask(
      'mutation ($id: ID!) { pauseTask(input: { taskId: $id, reason: "calibration" }) { userErrors { message } } }',
      { id },
    );
    expect(pauseTask).toEqual({ userErrors: [] });
    const paused = await ofTask(id);
    expect(kindsOf(paused)).toEqual(['TASK_SUSPENDED']);
    expect(paused['causes']?.[0]?.['statement']).toBe('PAUSE by admin@example: calibration.');
    expect(paused['actions']).toMatchObject([{ operation: 'resumeTask' }]);
  });

  it('names an excluded host of a queue and its site, and how to take it back', async () => {
    await core.ask(
      'mutation ($input: ExcludeHostInput!) { excludeHost(input: $input) { userErrors { message } } }',
      { input: { queue: 'north', host: 'host-9', reason: 'broken fan' } },
    );
    const text = `{ queue(name: "north") { diagnosis { ${selection} } site { diagnosis { ${selection} } } } }`;
    const { queue } = await core.ask(text);
    const ofQueue = queue?.['diagnosis'] as Answer;
    expect(ofQueue['summary']).toMatch(/^Queue north has 1 worker that takes jobs\. /);
    expect(kindsOf(ofQueue)).toContain('HOST');
    expect(JSON.stringify(ofQueue['causes'])).toContain('broken fan');
    expect(ofQueue['actions']).toMatchObject([
      { operation: 'clearHost', variables: { input: { queue: 'north', host: 'host-9' } } },
    ]);
    const ofSite = queue?.['site']?.['diagnosis'] as Answer;
    expect(ofSite['summary']).toMatch(/^Site Pole has 1 worker that takes jobs\. /);
    expect(kindsOf(ofSite)).toEqual(expect.arrayContaining(['HOST', 'DOWNTIME']));
  });

  it('is given for five objects of an operation, and refused for further ones', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const fields = names.map((name) => `${name}: diagnosis { summary }`).join(' ');
    const { data, errors } = await core.run(`{ queue(name: "north") { name ${fields} } }`);
    expect(errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['OPERATION_TOO_COMPLEX']);
    expect((data as { queue: { name: string } }).queue.name).toBe('north');
    const pilot = await core.run('{ queue(name: "north") { diagnosis { summary } } }', {}, pilotOf('north'));
    expect(pilot.errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
  });
});
