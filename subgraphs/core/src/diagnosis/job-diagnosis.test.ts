import { describe, expect, it } from '@jest/globals';
import { aJob } from '../../test/support/job.fixture.js';
import { normaliseRequirements } from '../jobs/submit/normalise.js';
import type { JobDocument, StoredAttempt, StoredJobError } from '../jobs/model/job.types.js';
import type { PendingFacts } from '../scheduler/explain/pending.types.js';
import type { ErrorGroup } from '../events/failures/error-summary.types.js';
import { diagnoseJob } from './job-diagnosis.js';
import type { JobFacts, RelatedJob } from './job-facts.types.js';
import { kindKey, type Peers, peersOf } from './peers.js';

const now = new Date('2030-01-02T12:00:00Z');
const ago = (minutes: number): Date => new Date(now.getTime() - minutes * 60_000);
const exitCode = { family: 'PAYLOAD', message: 'exit code 1', retryable: true } as const;
const exited: StoredJobError = { ...exitCode, code: 'EXIT_CODE' };
const limit = { family: 'LIMIT', message: 'too much', retryable: false } as const;
const tooBig: StoredJobError = { ...limit, code: 'MEMORY_EXCEEDED' };

function anAttempt(over: Partial<StoredAttempt> = {}): StoredAttempt {
  return {
    ...{ number: 1, id: 'attempt_1', workerId: 'worker_1', queueId: 'queue_1', fence: 1, deviceIds: [] },
    ...{ host: 'node-1', site: 'NORTH', sentAt: ago(60), startedAt: ago(59), endedAt: ago(10) },
    ...over,
  };
}

function ended(id: string, state: JobDocument['state'], attempts: readonly StoredAttempt[], over = {}) {
  const stateTimes = { [state]: ago(10) };
  return aJob(id, { document: { state, attempts, attempt: attempts.length, stateTimes, ...over } });
}

const failed = (error: StoredJobError, over: Partial<StoredAttempt> = {}, document = {}) =>
  ended('job_1', 'FAILED', [anAttempt({ error, outcome: 'FAILED', ...over })], document);

const excluded = { host: 'node-1', queue: 'main', state: 'EXCLUDED', since: ago(5) } as const;

const diagnose = (job: JobDocument, over: Partial<JobFacts> = {}) => diagnoseJob({ job, now, ...over });

function group(host: string, site: string, count: number, code = 'EXIT_CODE'): ErrorGroup {
  return {
    ...{ experiment: 'alpha', code, host, site, count, family: 'PAYLOAD', exitCode: null, taskId: null },
    ...{ queue: null, image: null, hour: null, coreSeconds: 0, gpuSeconds: 0 },
    ...{ firstAt: ago(300), lastAt: ago(1) },
    jobs: Array.from({ length: Math.min(5, count) }, (_, at) => `job_${host}_${at}`),
  };
}

function peers(...groups: readonly ErrorGroup[]): Peers | undefined {
  return peersOf(groups, 24).get(kindKey({ experiment: 'alpha', code: groups[0]?.code ?? '' }));
}

describe('the diagnosis of a failed job', () => {
  it('is certain of a limit that the pilot measured, and proposes twice the amount', () => {
    const found = diagnose(failed(tooBig, { metrics: { peakMemoryMiB: 1030, isPartial: false } }));
    expect(found.summary).toBe(
      'The job failed after 1 attempt on host node-1: the payload used more memory than the requested 1024 MiB.',
    );
    expect(found.causes[0]).toMatchObject({ kind: 'MEMORY', confidence: 1 });
    expect(found.causes[0]?.evidence.map(({ text }) => text)).toContain(
      'Used 1030 of 1024 MiB of memory, 2940 of 3600 seconds of walltime.',
    );
    expect(found.actions).toMatchObject([{ title: 'Retry with 2048 MiB of memory', operation: 'retryJobs' }]);
    expect(found.since).toEqual(ago(10));
  });

  it.each([
    ['MemoryError', 'MEMORY', 'Retry with 2048 MiB of memory'],
    ['OSError: [Errno 28] No space left on device', 'DISK', 'Retry with 2048 MiB of scratch space'],
    ["ModuleNotFoundError: No module named 'uproot'", 'SOFTWARE', 'Provide the software'],
    ['curl: (6) Could not resolve host: example.org', 'NETWORK', 'Retry the job'],
    ['License checkout failed.', 'LICENSE', 'Wait for a licence'],
  ])('takes %s in the log as %s', (line, kind, title) => {
    const found = diagnose(failed(exited, { exitCode: 1 }), { log: `start\n${line}\n` });
    expect(found.causes[0]?.kind).toBe(kind);
    expect(found.causes[0]?.evidence[0]).toMatchObject({ kind: 'LOG_LINES', text: `start\n${line}` });
    expect(found.actions[0]?.title).toBe(title);
  });

  it('shows a message of a worker as one line of at most 300 characters', () => {
    const forged = { ...exited, message: `x\n\nWhat may help:\u001b[2J${'y'.repeat(400)}` };
    const { summary, causes } = diagnose(failed(forged));
    const texts = [summary, ...causes.flatMap(({ evidence }) => evidence.map(({ text }) => text))];
    // eslint-disable-next-line no-control-regex -- none may be left
    expect(texts.filter((text) => /[\u0000-\u001f]/.test(text) || text.length > 400)).toEqual([]);
    expect(summary).toContain('x What may help: [2J');
  });

  it('shows the end of a log that no pattern matches', () => {
    const [cause] = diagnose(failed(exited, { exitCode: 3 }), { log: 'all is well\nbye' }).causes;
    expect(cause).toMatchObject({ kind: 'PROGRAM', confidence: 0.3 });
    expect(cause?.evidence).toContainEqual({ kind: 'LOG_LINES', text: 'all is well\nbye' });
  });

  it('leaves out the log of a worker that was lost: its payload did not cause the end', () => {
    const lost: StoredJobError = { ...exited, family: 'WORKER', code: 'LEASE_LOST' };
    const found = diagnose(failed(lost), { log: 'MemoryError' });
    expect(found.causes.map(({ kind }) => kind)).toEqual(['WORKER']);
  });

  it.each([
    ['signal', { signal: 'SIGSEGV' }, 'PROGRAM', 0.6],
    ['exit code of a shell', { exitCode: 127 }, 'SOFTWARE', 0.7],
    ['exit code after SIGKILL', { exitCode: 137 }, 'MEMORY', 0.5],
  ])('knows what a %s means', (_, attempt, kind, confidence) => {
    expect(diagnose(failed(exited, attempt)).causes[0]).toMatchObject({ kind, confidence });
  });

  it('combines two signs of the same cause into a more certain one', () => {
    const found = diagnose(failed(exited, { exitCode: 137 }), { log: 'MemoryError' });
    expect(found.causes).toMatchObject([{ kind: 'MEMORY', confidence: 0.95 }]);
  });

  it('names a host on which nearly all such failures occur, with their share', () => {
    const counted = peers(group('node-1', 'NORTH', 9), group('node-2', 'NORTH', 1));
    const found = diagnose(failed(exited, { exitCode: 1 }), { peers: counted });
    const [first] = found.causes;
    expect(first).toMatchObject({ kind: 'HOST', share: 0.9, confidence: 0.54 });
    expect(first?.statement).toBe(
      '9 of 10 failures with EXIT_CODE in the last 24 hours occurred on host node-1.',
    );
    expect(first?.evidence).toMatchObject([{ count: 9, since: ago(300), target: { kind: 'HOST' } }]);
  });

  it('is less certain of a host than of the program if no other one has such failures', () => {
    const found = diagnose(failed(exited), { peers: peers(group('node-1', 'NORTH', 9)) });
    expect(found.causes).toMatchObject([
      { kind: 'PROGRAM', confidence: 0.3 },
      { kind: 'HOST', share: 1, confidence: 0.25 },
    ]);
    expect(found.actions.map(({ title }) => title)).toEqual(['Correct the program']);
  });

  it('does not compare a failure with those of another time', () => {
    const counted = peers(group('node-1', 'NORTH', 9), group('node-2', 'NORTH', 1));
    const found = diagnose(failed(exited, { endedAt: ago(6 * 24 * 60) }), { peers: counted });
    expect(found.causes.map(({ kind }) => kind)).toEqual(['PROGRAM']);
  });

  it('names a site on whose hosts such failures occur', () => {
    const counted = peers(group('node-1', 'NORTH', 5), group('node-2', 'NORTH', 4), group('z', 'SOUTH', 1));
    const found = diagnose(failed(exited), { peers: counted });
    expect(found.causes[0]).toMatchObject({ kind: 'SITE', share: 0.9 });
  });

  it('shows that such failures occur everywhere, without more certainty: the code is that of many programs', () => {
    const counted = peers(group('node-1', 'NORTH', 3), group('node-2', 'SOUTH', 3), group('c', 'WEST', 3));
    const found = diagnose(failed(exited), { peers: counted });
    expect(found.causes).toMatchObject([{ kind: 'PROGRAM', confidence: 0.3 }]);
    expect(found.causes[0]?.evidence.map(({ text }) => text)).toContain(
      '9 failures with EXIT_CODE in the last 24 hours occurred on 3 hosts at 3 sites.',
    );
  });

  it.each([
    ['few failures', [group('node-1', 'NORTH', 2)]],
    ['many failures of other hosts', [group('node-1', 'NORTH', 2), group('node-2', 'NORTH', 8)]],
  ])('does not blame a host by %s', (_, groups) => {
    const kinds = diagnose(failed(exited), { peers: peers(...groups) }).causes.map(({ kind }) => kind);
    expect(kinds).not.toContain('HOST');
  });

  it('names a host that core has excluded, no matter how many failures it counts there', () => {
    const judged = { firstAt: ago(20), lastAt: ago(6) };
    const host = { ...excluded, reason: '6 jobs failed', judged };
    const counted = peers(group('node-1', 'NORTH', 9), group('node-2', 'NORTH', 1));
    const found = diagnose(failed(exited), { host, peers: counted });
    expect(found.causes[0]).toMatchObject({ kind: 'HOST', confidence: 0.85 });
  });

  it.each([
    ['an operator excluded', undefined],
    ['core judged at another time', { firstAt: ago(9000), lastAt: ago(8000) }],
  ])('shows a host that %s, and does not blame it', (_, judged) => {
    const host = { ...excluded, reason: 'kernel update', ...(judged ? { judged } : {}) };
    const { causes } = diagnose(failed(exited), { host });
    expect(causes.map(({ kind }) => kind)).toEqual(['PROGRAM']);
    expect(JSON.stringify(causes[0]?.evidence)).toContain('EXCLUDED: kernel update');
  });

  it.each([
    ['a line of the log', { exitCode: 1 }, 'MemoryError', 0.45],
    ['an exit code', { exitCode: 137 }, null, 0.25],
  ])('doubts a lack of memory by %s if the measured peak is small', (_, over, log, confidence) => {
    const metrics = { peakMemoryMiB: 100, isPartial: false };
    const found = diagnose(failed(exited, { ...over, metrics }), { log });
    expect(found.causes[0]).toMatchObject({ kind: 'MEMORY', confidence });
    expect(found.actions.map(({ title }) => title)).toEqual(['Check what the payload allocates']);
  });

  it('proposes more than the measured peak, and nothing that stays as it is', () => {
    const metrics = { peakMemoryMiB: 9000, isPartial: false };
    expect(diagnose(failed(tooBig, { metrics })).actions[0]?.title).toBe('Retry with 10800 MiB of memory');
    const requirements = normaliseRequirements({ memoryMiB: 16_777_216 });
    expect(diagnose(failed(tooBig, {}, { requirements })).actions).toEqual([]);
    const none = { requirements: normaliseRequirements({ diskMiB: 0 }) };
    const full: StoredJobError = { ...limit, code: 'DISK_EXCEEDED' };
    expect(diagnose(failed(full, {}, none)).actions[0]?.title).toBe('Retry with 1024 MiB of scratch space');
  });

  it.each([
    ['OUTPUT_STORAGE_FULL', 'Free space in the storage'],
    ['DEVICE_FAULT', 'Retry the job'],
  ])('proposes after %s: %s', (code, title) => {
    const found = diagnose(failed({ ...limit, family: 'DATA', code }));
    expect(found.actions.map((action) => action.title)).toEqual([title]);
  });

  it('does not search the log of a payload that stored its checkpoint', () => {
    const found = diagnose(failed({ ...exited, code: 'CHECKPOINTED' }), { log: 'MemoryError' });
    expect(found.causes.map(({ kind }) => kind)).toEqual(['WORKER']);
  });

  it('proposes nothing for a job that another one retries, and says so', () => {
    const found = diagnose(failed(tooBig, {}, { retriedBy: 'job_2' }));
    expect(found.actions).toEqual([]);
    expect(found.summary).toContain('Job job_2 retries it.');
  });
});

describe('what helped others', () => {
  const requirements = (memoryMiB: number) => normaliseRequirements({ memoryMiB });
  const withCopy = (id: string, copyId: string): RelatedJob =>
    ended(id, 'FAILED', [anAttempt({ error: tooBig })], { retriedBy: copyId });
  const copy = (id: string, state: JobDocument['state'], memoryMiB: number, peakMemoryMiB: number) =>
    [
      id,
      ended(id, state, [anAttempt()], {
        requirements: requirements(memoryMiB),
        metrics: { peakMemoryMiB, isPartial: false },
      }),
    ] as const;

  it('counts copies with more memory, and proposes what was enough for them', () => {
    const similar = [withCopy('job_a', 'job_b'), withCopy('job_c', 'job_d'), withCopy('job_e', 'job_f')];
    const copies = new Map([
      copy('job_b', 'FINISHED', 4096, 2000),
      copy('job_d', 'FINISHED', 4096, 2500),
      copy('job_f', 'FAILED', 1536, 1536),
    ]);
    const found = diagnose(failed(tooBig), { similar, copies });
    expect(found.helped).toEqual([
      {
        change: 'MORE_MEMORY',
        statement: '2 of 3 similar jobs finished after a retry with more memory.',
        ...{ triedCount: 3, finishedCount: 2, jobIds: ['job_a', 'job_c'] },
      },
    ]);
    expect(found.actions[0]?.variables).toEqual({
      input: {
        selection: { ids: ['job_1'] },
        idempotencyKey: 'diagnosis:job_1:1:memory=3000',
        isUnlessRetried: true,
        changes: { requirements: { memory: { memoryMiB: 3000 } } },
      },
    });
  });

  it('counts later attempts that a rule changed, or that ran elsewhere', () => {
    const changes = [{ field: 'memoryMiB', before: 1024, after: 2048 }] as const;
    const decision = { outcome: 'RETRY', reason: 'more', evidence: [], changes } as const;
    const similar: RelatedJob[] = [
      ended('job_a', 'FINISHED', [anAttempt({ error: tooBig, decision }), anAttempt({ number: 2 })]),
      ended('job_b', 'FINISHED', [anAttempt({ error: tooBig }), anAttempt({ number: 2, host: 'node-2' })]),
      ended('job_c', 'FINISHED', [anAttempt({ error: tooBig }), anAttempt({ number: 2, site: 'SOUTH' })]),
      ended('job_d', 'FINISHED', [anAttempt({ error: tooBig }), anAttempt({ number: 2 })]),
    ];
    const { helped } = diagnose(failed(tooBig), { similar });
    expect(helped.map(({ change, finishedCount }) => [change, finishedCount])).toEqual([
      ['MORE_MEMORY', 1],
      ['OTHER_HOST', 1],
      ['OTHER_SITE', 1],
      ['NONE', 1],
    ]);
  });

  it('takes another host as the change only without others, and leaves out copies that were cancelled', () => {
    const elsewhere = [anAttempt({ host: 'node-2' })];
    const more = { requirements: requirements(4096), metrics: { peakMemoryMiB: 2000, isPartial: false } };
    const similar = [withCopy('job_a', 'job_b'), withCopy('job_c', 'job_d')];
    const copies = new Map([
      ['job_b', ended('job_b', 'FINISHED', elsewhere, more)] as const,
      ['job_d', ended('job_d', 'CANCELLED', elsewhere, more)] as const,
    ]);
    expect(diagnose(failed(tooBig), { similar, copies }).helped).toMatchObject([
      { change: 'MORE_MEMORY', triedCount: 1, finishedCount: 1 },
    ]);
  });

  it('does not compare payloads that different signals ended', () => {
    const attempts = [anAttempt({ error: exited, signal: 'SIGKILL' }), anAttempt({ number: 2 })];
    const similar = [ended('job_a', 'FINISHED', attempts)];
    const helpedBy = (signal: string) => diagnose(failed(exited, { signal }), { similar }).helped.length;
    expect([helpedBy('SIGSEGV'), helpedBy('SIGKILL')]).toEqual([0, 1]);
  });

  it('leaves out jobs with another exit code, the job itself, and those that have not ended', () => {
    const attempts = [anAttempt({ error: exited, exitCode: 2 }), anAttempt({ number: 2 })];
    const similar = [
      ended('job_a', 'FINISHED', attempts),
      ended('job_1', 'FINISHED', [anAttempt({ error: exited, exitCode: 1 }), anAttempt({ number: 2 })]),
      ended('job_b', 'RUNNING', [anAttempt({ error: exited, exitCode: 1 }), anAttempt({ number: 2 })]),
    ];
    expect(diagnose(failed(exited, { exitCode: 1 }), { similar }).helped).toEqual([]);
  });

  it('proposes an equal retry if others finished without a change', () => {
    const attempts = [anAttempt({ error: exited, exitCode: 7 }), anAttempt({ number: 2 })];
    const found = diagnose(failed(exited, { exitCode: 7 }), {
      similar: [ended('job_a', 'FINISHED', attempts)],
    });
    expect(found.actions.map(({ title }) => title)).toEqual(['Correct the program', 'Retry the job']);
  });
});

describe('the diagnosis of another job', () => {
  const pending = (over: Partial<PendingFacts>): PendingFacts => ({
    ...{ kind: 'CAPACITY', summary: 'Waits.', constraints: [], mostFailed: null, queuesConsidered: 1 },
    ...{ workersConsidered: 4, devicesConsidered: 0, workersThatFit: 4, workersFreeNow: 0 },
    ...{ relaxations: [], preferences: [], position: 0, isPositionEstimated: false, isShareBorrowing: false },
    wait: {
      ...{
        kind: 'UNKNOWN',
        seconds: null,
        lowSeconds: null,
        highSeconds: null,
        basedOnGrants: 0,
        reason: '',
      },
    },
    ...over,
  });
  const waiting = (over: Partial<JobDocument> = {}) =>
    aJob('job_1', { document: { state: 'ACTIVATED', ...over } });

  it('shows the strictest constraint of a job that no worker can run, and a change that helps', () => {
    const relaxations = [
      {
        constraint: 'cores >= 64',
        change: 'cores >= 32',
        queuesGained: 1,
        workersGained: 3,
        devicesGained: 0,
      },
    ];
    const constraint = {
      ...{ constraint: 'cores >= 64', queuesThatPass: 0, workersThatPass: 0, devicesThatPass: 0 },
      ...{ queuesTogether: 0, workersTogether: 0, devicesTogether: 0, workersThatFailFirst: 4 },
      reasons: ['32 cores'],
    };
    const facts = pending({ kind: 'NO_MATCH', constraints: [constraint], relaxations, workersThatFit: 0 });
    const found = diagnose(waiting(), { pending: facts });
    expect(found.causes[0]?.evidence.map(({ text }) => text)).toEqual([
      '0 of 4 workers meet "cores >= 64": 32 cores.',
      '3 more workers could run it with cores >= 32.',
    ]);
    expect(found.actions.map(({ operation = null }) => operation)).toEqual([null, 'cancelJobs']);
  });

  it('names who holds a job, and proposes its release', () => {
    const hold = { by: 'system:policy', reason: 'too many failures', at: ago(30) };
    const found = diagnose(waiting({ hold }), { pending: pending({ kind: 'HELD', summary: 'Held.' }) });
    expect(found.causes[0]).toMatchObject({ kind: 'HELD', evidence: [{ since: ago(30) }] });
    expect(found.actions).toMatchObject([{ operation: 'releaseJobs', isUndoable: true }]);
  });

  it('names the states of the parents of a job', () => {
    const parents: RelatedJob[] = [ended('job_p', 'RUNNING', [], { name: 'simulate' })];
    const found = diagnose(waiting({ state: 'PENDING', waitingFor: ['job_p'] }), {
      ...{ parents, pending: pending({ kind: 'PARENTS' }) },
    });
    expect(found.causes[0]?.evidence).toMatchObject([{ text: 'simulate is RUNNING.', kind: 'JOB' }]);
  });

  it('names the downtime of the queue, and why its hosts are not tested', () => {
    const downtimes = [{ startsAt: ago(60), endsAt: new Date(now.getTime() + 3_600_000), reason: 'cooling' }];
    const queue = {
      name: 'main',
      state: 'ONLINE',
      stateChangedAt: ago(999),
      downtimes,
      hostProblem: 'no share',
    };
    const found = diagnose(waiting(), { pending: pending({ kind: 'NO_WORKERS' }), queue });
    expect(found.causes.map(({ kind }) => kind)).toEqual(['NO_WORKERS', 'DOWNTIME', 'HOST']);
    expect(found.causes[1]?.statement).toContain('cooling');
    expect(found.causes[2]?.statement).toContain('no share');
  });

  it.each([
    ['TEST', ['NO_WORKERS']],
    ['OFFLINE', ['NO_WORKERS', 'DOWNTIME']],
  ])('knows whether a queue in state %s takes the jobs that name it', (state, kinds) => {
    const queue = { name: 'main', state, stateChangedAt: ago(999), downtimes: [] };
    const found = diagnose(waiting(), { pending: pending({ kind: 'NO_WORKERS' }), queue });
    expect(found.causes.map(({ kind }) => kind)).toEqual(kinds);
  });

  it('names the earlier failure of a job between two attempts, too', () => {
    const found = diagnose(waiting({ attempts: [anAttempt({ error: tooBig })], attempt: 1 }), {
      pending: pending({ kind: 'BACKOFF' }),
    });
    expect(found.summary).toContain('Attempt 1 failed with MEMORY_EXCEEDED.');
    expect(found.causes.map(({ kind }) => kind)).toEqual(['BACKOFF', 'MEMORY']);
  });

  it.each([
    [
      'whose progress is too slow',
      { progress: { attempt: 1, fraction: 0.2, at: ago(5), first: { fraction: 0.1, at: ago(55) } } },
      'WALLTIME',
    ],
    ['that reports no progress', { progress: { attempt: 1, step: 4, at: ago(61) } }, 'PROGRESS'],
  ])('names a payload %s', (_, facts, kind) => {
    const { endedAt: _end, ...open } = anAttempt({ startedAt: ago(50), sentAt: ago(65) });
    const job = ended('job_1', 'RUNNING', [open], { workerId: 'worker_1' });
    const found = diagnose(job, facts);
    expect(found.causes.map((cause) => cause.kind)).toEqual([kind]);
  });

  it('has no cause for a job that runs as it should', () => {
    const { endedAt: _end, ...open } = anAttempt({ startedAt: ago(5), sentAt: ago(6) });
    const job = ended('job_1', 'RUNNING', [open], { workerId: 'worker_1', queue: 'main' });
    expect(diagnose(job)).toMatchObject({
      ...{ summary: 'Attempt 1 is RUNNING on worker worker_1 of queue main.', causes: [], actions: [] },
    });
  });

  it.each([
    ['CANCELLED', 'The job was cancelled by ada@lab: wrong input.'],
    ['CLOSED', 'The job was closed by ada@lab: wrong input.'],
  ] as const)('names the principal that ended a job as %s, and proposes a retry', (state, summary) => {
    const last = { from: 'RUNNING', to: state, at: ago(3), actor: 'ada@lab', reason: 'wrong input' } as const;
    const job = ended('job_1', state, [], { transitions: [{ ...last, revision: 4, attempt: 1 }] });
    const found = diagnose(job);
    expect(found.summary).toBe(summary);
    expect(found.causes[0]?.kind).toBe(state);
    expect(found.actions).toMatchObject([{ operation: 'retryJobs' }]);
  });

  it('proposes to retry the failed parent of a job that was closed, with its dependents', () => {
    const job = ended('job_1', 'CLOSED', [], { transitions: [] });
    const parents: RelatedJob[] = [ended('job_p', 'FAILED', [anAttempt({ error: exited })])];
    expect(diagnose(job, { parents }).actions).toMatchObject([
      { variables: { input: { selection: { ids: ['job_p'] }, isWithDependents: true } } },
    ]);
    const retriedParents: RelatedJob[] = [ended('job_p', 'FAILED', [], { retriedBy: 'job_q' })];
    expect(diagnose(job, { parents: retriedParents }).actions).toEqual([]);
  });

  it('proposes no new job for a canary, or for the node of a workflow', () => {
    const canary = failed(tooBig, {}, { owner: 'system:canaries' });
    expect(diagnose(canary).actions).toEqual([]);
    const node = failed(tooBig, {}, { workflow: { id: 'workflow_1', node: 0, run: 1 } });
    expect(diagnose(node).actions).toMatchObject([{ title: 'Retry the node of the workflow' }]);
    expect(diagnose(node).actions[0]?.operation).toBeUndefined();
  });

  it('has no causes for a job that finished', () => {
    const found = diagnose(ended('job_1', 'FINISHED', [anAttempt()]));
    expect(found).toMatchObject({ summary: 'The job finished.', causes: [], helped: [], actions: [] });
  });
});
