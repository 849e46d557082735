/** For tests: subscribers of events; each test has its own database, jobs and subscribers. */
import { afterEach, beforeEach } from '@jest/globals';
import { nextSubscriber, recordAnswer, type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { encodeCursor } from '../../src/events/feed/cursor.js';
import { eventsDatabase, TestJobs } from './events.fixture.js';
import type { EventsService } from '../../src/events/events.service.js';
import type { JobEvent } from '../../src/jobs/model/job-event.types.js';
import type { JobStateChange } from '../../src/events/hub/job-changes.js';

/** May see everything. */
export const admin = testPrincipal();

/** A subscriber that collects its events in order. */
export class TestSubscriber {
  readonly changes: JobStateChange[] = [];
  readonly #number = nextSubscriber();
  readonly #db: TestDatabase;
  /** True if it receives every event of its jobs. */
  readonly #isComplete: boolean;
  readonly #abort = new AbortController();
  #hasEnded = false;
  /** Resolves when the subscription has ended, to its error or undefined. */
  readonly ended: Promise<unknown>;

  constructor(
    db: TestDatabase,
    events: EventsService,
    filter: Parameters<EventsService['jobStateChanged']>[0] = {},
    after?: string,
    principal = admin,
  ) {
    this.#db = db;
    this.#isComplete = Object.keys(filter ?? {}).length === 0;
    const stream = events.jobStateChanged(filter, after, principal, this.#abort.signal);
    this.ended = this.#read(stream)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .finally(() => (this.#hasEnded = true));
  }

  /** Received events of jobs, one line each. */
  get lines(): string[] {
    return this.changes.flatMap(({ event }) =>
      event ? [`${event.jobId} ${event.last.from} ${event.last.to}`] : [],
    );
  }

  /** The cursor of the last message. */
  get cursor(): string {
    return encodeCursor(this.changes.at(-1)?.token ?? '');
  }

  /**
   * Waits for this number of events after the opening message.
   * @throws the error that ended the stream before
   */
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

  /** Closes the subscription. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }

  #record({ jobId, last }: JobEvent): void {
    const { revision } = last;
    const subscriber = this.#number;
    recordAnswer(this.#db, { kind: 'EVENT', subscriber, jobId, revision, isComplete: this.#isComplete });
  }

  async #read(stream: AsyncIterable<JobStateChange>): Promise<void> {
    for await (const change of stream) {
      this.changes.push(change);
      if (change.event) this.#record(change.event);
    }
  }
}

type WithoutFirst<T extends readonly unknown[]> = T extends readonly [unknown, ...infer R] ? R : never;
type SubscriberParameters = WithoutFirst<ConstructorParameters<typeof TestSubscriber>>;

/** Fixtures of the current test. */
export interface SubscriberSetup {
  readonly db: TestDatabase;
  readonly jobs: TestJobs;
  /** Opens a subscription that is closed at the end of the test. */
  subscribe(...parameters: SubscriberParameters): TestSubscriber;
}

/** Sets the fixtures up for each test of the file. */
export function subscriberSetup(): SubscriberSetup {
  let db: TestDatabase;
  let jobs: TestJobs;
  let subscribers: TestSubscriber[] = [];
  beforeEach(async () => {
    db = await eventsDatabase();
    jobs = new TestJobs(db);
    subscribers = [];
  });
  afterEach(async () => {
    await Promise.all(subscribers.map((subscriber) => subscriber.close()));
    await jobs.close();
  });
  return {
    get db() {
      return db;
    },
    get jobs() {
      return jobs;
    },
    subscribe(...parameters) {
      const subscriber = new TestSubscriber(db, ...parameters);
      subscribers.push(subscriber);
      return subscriber;
    },
  };
}
