import { describe, expect, it } from '@jest/globals';
import type { NodeRun, NodeStateDocument } from '@rhizome/experiment';
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
import { blockersOf, type Campaign, graphOf, positionsIn, statesOf } from './campaign.js';
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
  const workflow = { _id: 'w', memoryMiB: 4000, totalQuanta: quanta.length };
  return { workflow, graph, runs, states: statesOf(graph, runs), reports, now };
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
