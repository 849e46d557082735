/** Records of requirement classes, made from the event stream, against the documents of jobs. */
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection, ensureCollections } from '@rhizome/mongo';
import { leftovers, type TestDatabase, waitFor } from '@rhizome/testkit';
import type { EventsService } from '../../src/events/events.service.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { requirementClassesCollection } from '../../src/jobs/model/requirement-class.document.js';
import { classIdOf } from '../../src/jobs/model/requirement-class-id.js';
import { ClassesRepository } from '../../src/jobs/model/requirement-classes.repository.js';
import { consumersCollection } from '../../src/jobs/transitions/consumer.document.js';
import { ConsumersRepository } from '../../src/jobs/transitions/consumers.repository.js';
import { RequirementClasses } from '../../src/scheduler/requirements/requirement-classes.js';
import { RequirementClassesRepository } from '../../src/scheduler/requirements/requirement-classes.repository.js';
import { classRecordsCollection } from '../../src/workers/measured/class-record.document.js';
import { ClassRecordWork } from '../../src/workers/measured/class-record-work.js';
import { ClassRecordsRepository } from '../../src/workers/measured/class-records.repository.js';
import { eventsDatabase, startEvents, TestJobs } from '../support/events.fixture.js';
import { failing } from '../support/failures.fixture.js';
import { someRequirements } from '../support/scheduler.fixture.js';

const preferences = [{ expression: 'measured.successRate > 0.5', weight: 1 }];
const requirements = someRequirements({ preferences, measuredIn: 'alpha' });
const classId = classIdOf(requirements);

let db: TestDatabase;
let jobs: TestJobs;
let records: ClassRecordsRepository;

beforeEach(async () => {
  db = await eventsDatabase();
  await ensureCollections(db, [classRecordsCollection]);
  await ensureCollections(db, [requirementClassesCollection]);
  jobs = new TestJobs(db);
  records = new ClassRecordsRepository(collection(db, classRecordsCollection));
});

afterEach(() => jobs.close());

/** Measures in a process that leads until `stop`; nothing is stored on the way out, as in a crash. */
function measure(events: EventsService): { stop(): Promise<void> } {
  const term = new AbortController();
  const work = new ClassRecordWork({
    stream: events,
    records,
    consumers: new ConsumersRepository(collection(db, consumersCollection)),
    leader: {
      onGained: (listener) => {
        listener(term.signal);
        return () => undefined;
      },
    },
    clock: systemClock,
    log: silentLogger(),
    ...{ saveMs: 20, retryMs: 20 },
  });
  work.start();
  const stop = (): Promise<void> => {
    term.abort();
    return work.stop();
  };
  leftovers.defer('measuring of classes', stop);
  return { stop };
}

/** Waits until measuring has begun: attempts that ended before it do not count. */
async function untilBegun(): Promise<void> {
  const position = { _id: 'class-records' };
  await waitFor('a position', () => collection(db, consumersCollection).findOne(position), {
    deadlineMs: 60_000,
  });
}

/** Two jobs finish, one is repeated after a failure and finishes, and one exceeds a limit. */
async function runSome(queue: string): Promise<void> {
  const ids = await jobs.submit(4, { requirements, classId });
  const plain = await jobs.submit(1);
  await jobs.run(plain, queue);
  await jobs.move(ids, 'ACTIVATED', 'SENT', {}, queue);
  await jobs.move(ids, 'SENT', 'RUNNING');
  await jobs.move(ids.slice(0, 2), 'RUNNING', 'FINISHED');
  await jobs.move(ids.slice(2, 3), 'RUNNING', 'ACTIVATED', failing('EXIT_CODE', { retryable: true }));
  await jobs.move(ids.slice(3), 'RUNNING', 'FAILED', failing('MEMORY_EXCEEDED', { family: 'LIMIT' }));
  await jobs.run(ids.slice(2, 3), queue);
}

/** Attempts by queue, as the documents of jobs list them. */
async function listed(): Promise<
  Readonly<Record<string, { finished: number; failed: number; seconds: number }>>
> {
  const found: Record<string, { finished: number; failed: number; seconds: number }> = {};
  for (const job of await collection(db, jobsCollection).find({ classId }).toArray())
    for (const { outcome, error, queueId, startedAt, endedAt } of job.attempts) {
      if (outcome === undefined || error?.family === 'LIMIT' || !startedAt || !endedAt) continue;
      const queue = queueId.replace('queue_', '');
      const own = (found[queue] ??= { finished: 0, failed: 0, seconds: 0 });
      if (error) own.failed += 1;
      else own.finished += 1;
      if (!error) own.seconds += endedAt.getTime() - startedAt.getTime();
    }
  return found;
}

/** The record of the class, in the same form. */
async function measured(): ReturnType<typeof listed> {
  const { queues = [] } = (await records.find([classId])).get(classId) ?? {};
  return Object.fromEntries(
    queues.map(({ queue, finished, failed, seconds }) => [
      queue,
      { finished, failed, seconds: Math.round(seconds * 1000) },
    ]),
  );
}

async function untilMeasured(): Promise<void> {
  const wanted = JSON.stringify(Object.entries(await listed()).sort());
  await waitFor(
    'the attempts',
    async () => JSON.stringify(Object.entries(await measured()).sort()) === wanted,
    {
      deadlineMs: 60_000,
    },
  );
}

it('counts each ended attempt of a class once, though processes crash and two believe that they lead', async () => {
  const { events } = await startEvents(db);
  let measuring = measure(events);
  await untilBegun();
  await runSome('north');
  await untilMeasured();
  for (const queue of ['south', 'north']) {
    const former = measuring;
    measuring = measure(events);
    await runSome(queue);
    if (queue === 'south') await former.stop();
    await untilMeasured();
    await former.stop();
  }
  expect(await measured()).toMatchObject({
    north: { finished: 6, failed: 2 },
    south: { finished: 3, failed: 1 },
  });
  const all = await collection(db, classRecordsCollection).find().toArray();
  expect(all.map(({ _id }) => _id)).toEqual([classId]);
  await measuring.stop();
});

it('counts an attempt to its class though its end changes it, and only the time of the payload', async () => {
  const { events } = await startEvents(db);
  const measuring = measure(events);
  await untilBegun();
  const larger = { ...requirements, memoryMiB: 2 * requirements.memoryMiB };
  const ids = await jobs.submit(2, { requirements, classId });
  await jobs.move(ids, 'ACTIVATED', 'SENT');
  await jobs.move(ids, 'SENT', 'RUNNING');
  const { change } = failing('EXIT_CODE', { retryable: true });
  const changes = {
    change: { ...change, requirements: { requirements: larger, classId: classIdOf(larger) } },
  };
  await jobs.move(ids.slice(0, 1), 'RUNNING', 'ACTIVATED', changes);
  // The report of the payload says that it took a day, which no transfer of this test does.
  const attemptEnd = { exitCode: 0, metrics: { wallSeconds: 86_400, isPartial: false } };
  await jobs.move(ids.slice(1), 'RUNNING', 'TRANSFERRING');
  await jobs.move(ids.slice(1), 'TRANSFERRING', 'FINISHED', { change: { attemptEnd } });
  const wanted = { north: { finished: 1, failed: 1, seconds: 86_400_000 } };
  await waitFor('both attempts', async () => isDeepStrictEqual(await measured(), wanted), {
    deadlineMs: 60_000,
  });
  expect((await records.find([classIdOf(larger)])).size).toBe(0);
  await measuring.stop();
});

it('reads only the records that have changed', async () => {
  const run = { classId, queue: 'north', site: 'N', host: 'h', hasFinished: true, seconds: 1 };
  await records.add([{ ...run, token: 'a' }], new Date('2026-01-01'));
  await records.add([{ ...run, token: 'b', classId: 'class_other' }], new Date('2026-01-02'));
  const found = await records.findChanged([classId, 'class_other'], new Date('2026-01-02'));
  expect([...found.records.keys()]).toEqual(['class_other']);
  expect(found.latest).toEqual(new Date('2026-01-02'));
});

it('gives the classes in memory what was measured for them, and news when they are read again', async () => {
  const repository = new RequirementClassesRepository(collection(db, requirementClassesCollection));
  const stored = new Map([[classId, requirements]]);
  await new ClassesRepository(collection(db, requirementClassesCollection)).ensure(stored, systemClock.now());
  const run = { classId, queue: 'north', site: 'N', host: 'h', hasFinished: true, seconds: 1 };
  await records.add([{ ...run, token: 'a' }], systemClock.now());
  const classes = new RequirementClasses(repository, records);
  await classes.load([classId]);
  const read = () => classes.get(classId)?.preferences?.record?.queues;
  expect(read()).toMatchObject([{ queue: 'north', finished: 1 }]);
  await records.add([{ ...run, token: 'b' }], systemClock.now());
  await classes.readRecords();
  expect(read()).toMatchObject([{ queue: 'north', finished: 2 }]);
});
