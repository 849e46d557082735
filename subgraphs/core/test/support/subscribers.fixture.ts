/** For tests: subscribers of events, and a room where each test has a database, jobs and subscribers of its own. */
import { afterEach, beforeEach } from '@jest/globals';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { encodeCursor } from '../../src/events/feed/cursor.js';
import { eventsDatabase, TestJobs } from './events.fixture.js';
import type { EventsService } from '../../src/events/events.service.js';
import type { JobStateChange } from '../../src/events/hub/job-changes.js';

/** Who may see everything. */
export const admin = testPrincipal();

/** One subscriber: what it was told, in order. */
export class Told {
  readonly changes: JobStateChange[] = [];
  readonly #abort = new AbortController();
  #hasEnded = false;
  /** Resolves when it has ended, to what it ended with: an error, or undefined. */
  readonly ended: Promise<unknown>;

  constructor(
    events: EventsService,
    filter: Parameters<EventsService['jobStateChanged']>[0] = {},
    after?: string,
    principal = admin,
  ) {
    const stream = events.jobStateChanged(filter, after, principal, this.#abort.signal);
    this.ended = this.#read(stream)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .finally(() => (this.#hasEnded = true));
  }

  /** What was told of jobs, a line each. */
  get lines(): string[] {
    return this.changes.flatMap(({ event }) =>
      event ? [`${event.jobId} ${event.last.from} ${event.last.to}`] : [],
    );
  }

  /** The cursor of the last message. */
  get cursor(): string {
    return encodeCursor(this.changes.at(-1)?.token ?? '');
  }

  /** Waits until this number of events came after the opening message. @throws what the stream ended with before that */
  async until(count: number): Promise<void> {
    const isDone = (): boolean => this.lines.length >= count || this.#hasEnded;
    await waitFor(`${count} events`, isDone, { deadlineMs: 60_000 });
    if (this.lines.length >= count) return;
    throw (await this.ended) ?? new Error(`the stream ended after ${this.lines.length} of ${count} events`);
  }

  /** Waits for the first message. */
  async opened(): Promise<this> {
    await waitFor('the opening message', () => this.changes.length > 0, { deadlineMs: 60_000 });
    return this;
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }

  async #read(stream: AsyncIterable<JobStateChange>): Promise<void> {
    for await (const change of stream) this.changes.push(change);
  }
}

/** What the tests of a file work with; of the test that runs. */
export interface SubscriberSetup {
  readonly db: TestDatabase;
  readonly jobs: TestJobs;
  /** A subscriber that is closed at the end of the test. */
  tell(...parameters: ConstructorParameters<typeof Told>): Told;
}

/** Makes a room anew for each test of the file. */
export function subscriberSetup(): SubscriberSetup {
  let db: TestDatabase;
  let jobs: TestJobs;
  let told: Told[] = [];
  beforeEach(async () => {
    db = await eventsDatabase();
    jobs = new TestJobs(db);
    told = [];
  });
  afterEach(async () => {
    await Promise.all(told.map((subscriber) => subscriber.close()));
    await jobs.close();
  });
  return {
    get db() {
      return db;
    },
    get jobs() {
      return jobs;
    },
    tell(...parameters) {
      const subscriber = new Told(...parameters);
      told.push(subscriber);
      return subscriber;
    },
  };
}
