import { describe, expect, it } from '@jest/globals';
import type { NodeRun, NodeStateDocument, WorkflowEnd } from '@rhizome/experiment';
import {
  blockersIn,
  changedIn,
  costOf,
  escalatedIn,
  failuresOf,
  longestIn,
  retryPreview,
  sitesOf,
} from './answers.js';
import {
  blockersOf,
  type Campaign,
  campaignOf,
  graphOf,
  positionsIn,
  statesOf,
  quantumRun,
  quantumState,
} from './campaign.js';
import { labelProgress, reportRows, reportText, wholeProgress } from './progress.js';

const now = new Date('2030-01-01T02:00:00Z');
const hoursAgo = (hours: number): Date => new Date(now.getTime() - hours * 3_600_000);

const run = (state: string, more: Partial<NodeRun> = {}): NodeRun => ({
  ...{ jobId: 'job_1', jobRevision: 1, state, isHeld: false, memoryMiB: 4000, cores: 1, attempts: 1 },
  ...{ coreSeconds: 3600, lostCoreSeconds: 0, startedAt: hoursAgo(1) },
  ...more,
});

/** A graph of one-letter quanta, `label:name<needs`, with the jobs of some. */
function campaign(
  texts: readonly string[],
  jobs: Readonly<Record<string, NodeRun>>,
  before: Readonly<Record<string, NodeRun>> = {},
  reports: Campaign['reports'] = new Map(),
  end?: WorkflowEnd,
): Campaign {
  const quanta = texts.map((text) => {
    const [, label = '', name = '', needs = ''] = /^(\w+):(\w+)<?(.*)$/.exec(text) ?? [];
    return { name, label, dataId: name, needs: needs === '' ? [] : needs.split(',') };
  });
  const graph = graphOf(quanta);
  const runs = new Map<number, NodeStateDocument>();
  quanta.forEach(({ name }, index) => {
    const job = jobs[name];
    const earlier = before[name];
    if (!job) return;
    runs.set(index, { run: job, ...(earlier ? { before: earlier } : {}) } as NodeStateDocument);
  });
  const workflow = {
    _id: 'w',
    memoryMiB: 4000,
    totalQuanta: quanta.length,
    ...(end ? { workflowEnd: end } : {}),
  };
  return { ...campaignOf({ workflow, graph, runs, reports }), now };
}

const texts = ['isr:a', 'isr:b', 'isr:c', 'cal:d<a', 'cal:e<b', 'cal:f<c', 'coadd:g<d,e,f', 'coadd:h<g'];
const failed = run('FAILED', { errorCode: 'EXIT_CODE', exitCode: 3, errorMessage: 'no flat', site: 'CC' });
const some = campaign(texts, {
  a: run('FINISHED', { site: 'POLE', wallSeconds: 10 }),
  b: failed,
  c: run('RUNNING'),
  d: run('ACTIVATED', { memoryMiB: 8000 }),
});

describe('the state of a quantum', () => {
  it('follows from its job and from what the quantum needs', () => {
    expect(some.states).toEqual([
      ...['SUCCEEDED', 'FAILED', 'RUNNING', 'READY', 'BLOCKED', 'WAITING', 'BLOCKED', 'BLOCKED'],
    ]);
  });

  it('shows a held job, and a cancelled one that blocks others', () => {
    const held = run('PENDING', { isHeld: true });
    const { states } = campaign(texts, { a: held, b: run('CLOSED'), c: run('FINISHED') });
    expect(states.slice(0, 6)).toEqual(['HELD', 'CANCELLED', 'SUCCEEDED', 'WAITING', 'BLOCKED', 'READY']);
  });

  it('is that of the job for the quanta of a cluster', () => {
    const quanta = [0, 0, 1].map((node, at) => ({
      ...{ name: `q${at}`, label: 'isr', dataId: '', node, needs: at === 2 ? ['q0', 'q1'] : [] },
    }));
    const graph = graphOf(quanta);
    expect(graph.nodeNeeds).toEqual([[], [0]]);
    const runs = new Map([[0, { run: run('FINISHED') } as NodeStateDocument]]);
    expect(statesOf(graph, runs)).toEqual(['SUCCEEDED', 'READY']);
  });
});

describe('a node that runs again', () => {
  const chain = ['isr:a', 'cal:b<a', 'coadd:c<b'];
  const at = (time: number, state: string): NodeRun => run(state, { jobId: `job_01J000000${time}X` });

  it('takes with it all that need it, until they have new jobs', () => {
    const again = campaign(chain, { a: at(4, 'RUNNING'), b: at(2, 'FINISHED'), c: at(3, 'FINISHED') });
    expect(again.states).toEqual(['RUNNING', 'WAITING', 'WAITING']);
    expect(quantumRun(again, 1)).toEqual({ before: at(2, 'FINISHED') });
    expect(labelProgress(again)[1]).toMatchObject({ pending: 0, counts: { WAITING: 1 } });
    const next = campaign(chain, { a: at(4, 'FINISHED'), b: at(5, 'FINISHED'), c: at(3, 'FINISHED') });
    expect(next.states).toEqual(['SUCCEEDED', 'SUCCEEDED', 'READY']);
  });

  it('blocks them if it fails', () => {
    const again = campaign(chain, { a: at(4, 'FAILED'), b: at(2, 'FINISHED'), c: at(3, 'FINISHED') });
    expect(again.states).toEqual(['FAILED', 'BLOCKED', 'BLOCKED']);
    expect(blockersIn(again, 10)).toEqual([{ index: 0, blockedQuanta: 2 }]);
    expect(retryPreview(again)).toMatchObject({ failed: 1, blocked: 2 });
  });
});

describe('a workflow that has ended in core', () => {
  const ends = (end: WorkflowEnd) => campaign(texts, { a: run('FINISHED'), b: failed }, {}, new Map(), end);

  it('has cancelled what had no job, or blocked it before', () => {
    const cancelled = ends('CANCELLED');
    expect(cancelled.states).toEqual([
      ...['SUCCEEDED', 'FAILED', 'CANCELLED', 'CANCELLED', 'BLOCKED', 'CANCELLED', 'BLOCKED', 'BLOCKED'],
    ]);
    expect(wholeProgress(cancelled).estimatedEndAt).toBeNull();
    expect(reportRows(cancelled)[0]).toMatchObject({ ready: 0, unready: 0, deleted: 1 });
    expect(retryPreview(cancelled)).toMatchObject({ failed: 4, blocked: 3 });
  });

  it('has ended by hand what had no job, if it was not cancelled', () => {
    expect(ends('FAILED').states.slice(2, 6)).toEqual(['CANCELLED', 'CANCELLED', 'BLOCKED', 'BLOCKED']);
    const done = campaign(['isr:a', 'cal:b<a'], { a: run('FINISHED') }, {}, new Map(), 'SUCCEEDED');
    expect(done.states).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  });
});

it('names what blocks also if that is in a cluster, or needs only what a failed cluster has done', () => {
  const clustered = [
    ...[0, 0].map((node, at) => ({ name: `a${at}`, label: 'isr', dataId: '', node, needs: [] })),
    ...[1, 1].map((node, at) => ({
      name: `c${at}`,
      label: 'cal',
      dataId: '',
      node,
      needs: at ? [] : ['a0'],
    })),
  ];
  const graph = graphOf(clustered);
  const read = campaignOf({
    ...{ graph, workflow: { _id: 'w', memoryMiB: 4000, totalQuanta: 4 } },
    runs: new Map([[0, { run: failed } as NodeStateDocument]]),
    reports: new Map([
      [0, { exitCode: 0 }],
      [1, { exitCode: 7 }],
    ]),
  });
  const of = { ...read, now };
  expect([0, 1, 2, 3].map((index) => quantumState(of, index))).toEqual([
    ...['SUCCEEDED', 'FAILED', 'BLOCKED', 'BLOCKED'],
  ]);
  expect(blockersIn(of, 10)).toEqual([{ index: 1, blockedQuanta: 2 }]);
  expect([2, 3].map((index) => blockersOf(of, index, 10))).toEqual([[1], [1]]);
});

it('takes a quantum as done that its program reports so, though the job of its cluster failed', () => {
  const reports = new Map([
    [0, { exitCode: 0 }],
    [1, { exitCode: 7 }],
  ]);
  const halfDone = campaign(texts, { a: failed, b: failed, c: failed }, {}, reports);
  expect(labelProgress(halfDone)[0]).toMatchObject({ counts: { SUCCEEDED: 1, FAILED: 2 } });
  expect(failuresOf(halfDone).map(({ exitCode, samples }) => [exitCode, samples])).toEqual([
    [7, [1]],
    [3, [2]],
  ]);
});

describe('a campaign answers ten questions: it', () => {
  it('says how far each label is (1)', () => {
    const [isr, cal, coadd] = labelProgress(some);
    expect(isr).toMatchObject({ label: 'isr', expected: 3, counts: { SUCCEEDED: 1, FAILED: 1, RUNNING: 1 } });
    expect(cal).toMatchObject({ expected: 3, pending: 1, counts: { READY: 1, BLOCKED: 1, WAITING: 1 } });
    expect(coadd).toMatchObject({ expected: 2, counts: { BLOCKED: 2 }, estimatedEndAt: null });
  });

  it('says when it ends at the pace so far (2)', () => {
    // Two quanta have ended in an hour, and three can still run.
    expect(wholeProgress(some).estimatedEndAt).toEqual(hoursAgo(-1.5));
    expect(wholeProgress(campaign(texts, {})).estimatedEndAt).toBeNull();
    // Two more ended a week ago: what counts is the pace of the last day.
    const old = run('FINISHED', { startedAt: hoursAgo(170), endedAt: hoursAgo(169) });
    const retried = campaign(texts, {
      a: old,
      b: old,
      c: run('FINISHED', { endedAt: now }),
      d: run('RUNNING'),
    });
    expect(wholeProgress(retried).estimatedEndAt).toEqual(hoursAgo(-5));
    const idle = campaign(texts, { a: old, b: old });
    expect(wholeProgress(idle).estimatedEndAt).toEqual(hoursAgo(-510));
  });

  it('names what blocks, and what a blocked quantum waits for (3)', () => {
    expect(blockersIn(some, 10)).toEqual([{ index: 1, blockedQuanta: 3 }]);
    expect(blockersOf(some, 7, 10)).toEqual([1]);
  });

  it('groups the data ids that failed by error (4)', () => {
    const other = run('FAILED', { errorCode: 'MEMORY_EXCEEDED' });
    const groups = failuresOf(campaign(texts, { a: other, b: failed, c: failed }));
    expect(groups).toEqual([
      {
        ...{ code: 'EXIT_CODE', exitCode: 3, message: 'no flat', count: 2 },
        ...{ labels: ['isr'], sites: ['CC'], samples: [1, 2] },
      },
      {
        ...{ code: 'MEMORY_EXCEEDED', exitCode: null, message: null, count: 1 },
        ...{ labels: ['isr'], sites: [], samples: [0] },
      },
    ]);
  });

  it('counts what a retry would run (5)', () => {
    expect(retryPreview(some)).toEqual({
      failed: 1,
      blocked: 3,
      labels: [
        { label: 'isr', count: 1 },
        { label: 'cal', count: 1 },
        { label: 'coadd', count: 2 },
      ],
    });
  });

  it('adds up what it cost, and what was lost (6)', () => {
    const lost = run('FAILED', { coreSeconds: 7200, lostCoreSeconds: 7200 });
    expect(costOf(campaign(texts, { a: run('FINISHED'), b: lost }))).toEqual({
      coreHours: 3,
      lostCoreHours: 2,
    });
  });

  it('counts successes and failures by site (7)', () => {
    expect(sitesOf(some)).toEqual([
      { name: 'CC', succeeded: 0, failed: 1, coreHours: 1 },
      { name: 'POLE', succeeded: 1, failed: 0, coreHours: 1 },
    ]);
  });

  it('lists the quanta that took longest (8)', () => {
    const jobs = { a: run('FINISHED', { wallSeconds: 1 }), b: run('FINISHED', { wallSeconds: 5 }) };
    expect(longestIn(campaign(texts, jobs), 10)).toEqual([1, 0]);
    expect(longestIn(campaign(texts, jobs), 1)).toEqual([1]);
  });

  it('lists the quanta whose memory has grown (9)', () => {
    expect(escalatedIn(some, 10)).toEqual([3]);
    expect(labelProgress(some)[1]?.escalated).toBe(1);
  });

  it('lists the quanta that ended otherwise than before the retry (10)', () => {
    const again = campaign(
      texts,
      { a: run('FINISHED'), b: failed, c: run('FAILED') },
      { a: failed, b: failed, c: run('FINISHED') },
    );
    expect(changedIn(again, 10)).toEqual([0, 2]);
  });
});

describe('the report', () => {
  it('has the columns of BPS, with a row for all', () => {
    expect(reportText(reportRows(some)).split('\n')).toEqual([
      '       UNREADY  READY  PENDING  RUNNING  DELETED  HELD  SUCCEEDED  FAILED  PRUNED  EXPECTED',
      'TOTAL        1      0        1        1        0     0          1       1       3         8',
      'isr          0      0        0        1        0     0          1       1       0         3',
      'cal          1      0        1        0        0     0          0       0       1         3',
      'coadd        0      0        0        0        0     0          0       0       2         2',
      '',
    ]);
  });
});

it('finds quanta by label and state', () => {
  expect(positionsIn(some, { states: ['BLOCKED'] })).toEqual([4, 6, 7]);
  expect(positionsIn(some, { states: ['BLOCKED'], labels: ['cal'] })).toEqual([4]);
  expect(positionsIn(some, { labels: ['none'] })).toEqual([]);
});
