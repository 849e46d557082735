import { beforeAll, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import {
  brokenPromises,
  type CheckName,
  type Finding,
  promises,
  recordedAnswers,
  type TestDatabase,
} from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { type Answer, seed, startCore } from '../support/core.fixture.js';
import { fleetDatabase, startFleet } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import type { Defect } from './defect.types.js';
import { domainDefects } from './domain-defects.fixture.js';
import { domainStory } from './domain-story.fixture.js';
import { fleetDefects, fleetStory, streamStory } from './fleet-defects.fixture.js';
import { writerDefects } from './writer-defects.fixture.js';
import { writerStory } from './writer-story.fixture.js';

const defects: readonly Defect[] = [...writerDefects, ...domainDefects, ...fleetDefects];

const stories = [
  ['transitions', () => writerStory()],
  [
    'submits, tasks and dependencies',
    () => domainStory(['submit', 'dependencies', 'task', 'cancel', 'retry']),
  ],
  ['workers', () => fleetStory()],
  ['streams', () => streamStory()],
] as const;

const linesOf = (findings: readonly Finding[]): readonly string[] =>
  findings.map(({ check, fact }) => `${check}: ${fact}`);

/** Findings by the name of the defect, or the error of its story. */
const results = new Map<string, readonly string[] | Error>();
/** Stories that run at a time: they wait for the store most of the time. */
const atATime = 4;

beforeAll(async () => {
  const open = defects.values();
  const work = async (): Promise<void> => {
    for (const { name, run } of open)
      results.set(
        name,
        await run()
          .then(brokenPromises)
          .then(linesOf)
          .catch((error: unknown) => error as Error),
      );
  };
  await Promise.all(Array.from({ length: atATime }, work));
});

describe('the checker of histories', () => {
  it.each(stories)('finds nothing wrong with a story of %s', async (_what, story) => {
    expect(linesOf(await brokenPromises(await story()))).toEqual([]);
  });

  it.each(defects)('notices a core that $name', ({ name, check }) => {
    expect(results.get(name)).toEqual(expect.arrayContaining([expect.stringMatching(`^${check}: `)]));
  });

  it('is tested with at least 20 defects of different names, and with one for each check', () => {
    expect(new Set(defects.map(({ name }) => name)).size).toBe(defects.length);
    expect(defects.length).toBeGreaterThanOrEqual(20);
    const checks = Object.values(promises).flatMap((ofPromise) => Object.keys(ofPromise) as CheckName[]);
    const seeded = new Set(defects.map(({ check }) => check));
    expect(checks.filter((check) => !seeded.has(check))).toEqual([]);
    expect(new Set(checks).size).toBe(checks.length);
  });
});

describe('a set-up of core', () => {
  const kindsOf = (db: TestDatabase) => new Set(recordedAnswers(db).map(({ kind }) => kind));
  const change = `mutation ($submit: SubmitJobsInput!) { submitJobs(input: $submit) { jobs { id } } }`;
  const cancel = `mutation ($ids: [ID!]!) {
    gone: cancelJobs(input: { selection: { ids: $ids } }) { result { changedIds } }
  }`;

  it('records answers of its services, of its writer, and of its schema', async () => {
    const domain = await domainStory(['submit', 'cancel']);
    expect(kindsOf(domain)).toEqual(new Set(['SUBMIT', 'CANCEL']));
    const db = await fleetDatabase();
    const { writer } = await startFleet(db);
    const [jobId = ''] = await submitJobs(db, 1);
    const end = { to: 'CANCELLED', by: 'principal', actor: 'ada@example' } as const;
    await writer.apply([{ jobId, from: 'ACTIVATED', ...end }]);
    expect(recordedAnswers(db)).toEqual([{ kind: 'CANCEL', jobId }]);
  });

  it('shows a core that loses a job, and one that forgets a cancel, by what its schema answered', async () => {
    const core = await startCore();
    await seed(core);
    const job = { name: 'a job', payload: { command: 'true' } };
    const submit = { experiment: 'alpha', idempotencyKey: 'one', jobs: [job, job] };
    const { submitJobs: submitted } = await core.ask(change, { submit });
    await core.ask(change, { submit });
    const jobsOf = submitted?.['jobs'] as unknown as readonly Answer[];
    const [lost, forgotten] = jobsOf.map(({ id }) => String(id));
    await core.ask(cancel, { ids: [forgotten] });
    expect(recordedAnswers(core.db).map(({ kind }) => kind)).toEqual(['SUBMIT', 'SUBMIT', 'CANCEL']);
    expect(linesOf(await brokenPromises(core.db))).toEqual([]);
    const jobs = collection(core.db, jobsCollection);
    await jobs.deleteOne({ _id: lost ?? '' });
    const gone = await jobs.findOne({ _id: forgotten ?? '' });
    if (!gone) throw new Error('no job was cancelled');
    const last = { ...gone.last, to: 'SENT', revision: gone.revision + 1 } as const;
    await jobs.updateOne({ _id: gone._id }, { $set: { last, state: 'SENT' } });
    const checks = (await brokenPromises(core.db)).map(({ check }) => check);
    expect(checks).toEqual(
      expect.arrayContaining([
        'keys-have-one-answer',
        'acknowledged-cancels-hold',
        'no-grant-after-a-cancel',
      ]),
    );
  });
});
