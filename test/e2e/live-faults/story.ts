/**
 * The fault story of live state: many clients watch while jobs run, and the gateway, core and the store's
 * primary are killed. The test runs a small version, `npm run bench -- live-faults` the full one.
 */
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { createClient, type ApiClient } from '@rhizome/client';
import { leftovers, waitFor } from '@rhizome/testkit';
import type { Api } from '../system/api.js';
import { startServices, type ServiceSystem } from '../system/service-system.js';
import { spokenCredential } from '../system/worker-credentials.js';
import { expectedOf, faultsOf, hasReceivedAll, type StoredJob, storedJobs } from './checker.js';
import { openStalledClient, type StalledClient } from './stalled-client.js';
import { countText, openStore, primaryPort, scannedCounts, type StoreAccess } from './store.js';
import { prepareStory, startPilots, storyQueue, submitSingles, submitTasks } from './submits.js';
import {
  Received,
  watch,
  watchDocument,
  type WatchedEvent,
  type Watcher,
  type WatchPlan,
} from './watchers.js';
import { work, type WorkerScript } from './workers.js';

/** Size of the story. */
export interface StorySize {
  readonly tasks: number;
  readonly jobsOfTask: number;
  /** Clients that watch each task. */
  readonly watchersOfTask: number;
  /** Jobs outside tasks, each watched by one client. */
  readonly singleJobs: number;
  /** The same, run by two real pilots. */
  readonly pilotJobs: number;
}

/** One figure of the story. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** Result of the story. */
export interface StoryOutcome {
  readonly figures: readonly Figure[];
  /** Errors in what clients received. */
  readonly faults: readonly string[];
  /** Other errors. */
  readonly failures: readonly string[];
}

/** Runs the story; what it starts ends with `leftovers`. */
export async function runStory(size: StorySize, report: (text: string) => void): Promise<StoryOutcome> {
  const system = await startServices({ members: 3, experiments: [] });
  const store = await openStore(system.mongo.uri);
  leftovers.defer('the connection of the checker', () => store.close());
  return new Story(system, store, size, report).run();
}

/** Spoken workers, and jobs that each has in its hands at most. */
const workers = 4;
const batch = 25;
/** Clients that watch everything. */
const watchersOfAll = 10;

class Story {
  readonly #system: ServiceSystem;
  readonly #store: StoreAccess;
  readonly #size: StorySize;
  readonly #report: (text: string) => void;
  readonly #api: Api;
  readonly #figures: Figure[] = [];
  readonly #failures: string[] = [];
  readonly #watchers: Watcher[] = [];
  readonly #working = new AbortController();
  readonly #allJobs: number;
  #finished = 0;
  /** Factor by which this story is larger than the one of the tests. */
  readonly #scale: number;

  constructor(system: ServiceSystem, store: StoreAccess, size: StorySize, report: (text: string) => void) {
    this.#system = system;
    this.#store = store;
    this.#size = size;
    this.#report = report;
    this.#api = system.api();
    const { tasks, jobsOfTask, singleJobs, pilotJobs } = size;
    this.#allJobs = tasks * jobsOfTask + singleJobs + pilotJobs;
    this.#scale = Math.max(1, this.#allJobs / 5000);
    setMaxListeners(0, this.#working.signal);
    leftovers.defer('the workers', () => this.#working.abort());
  }

  async run(): Promise<StoryOutcome> {
    const began = performance.now();
    await prepareStory(this.#api);
    const start = await this.#cursorNow();
    await this.#watchAndSubmit(start);
    const running = this.#work();
    // A worker that fails for good is reported at the end, and by the jobs that it leaves.
    running.catch((error: unknown) => this.#failures.push(`a worker failed: ${String(error)}`));
    await this.#until(0.1);
    await this.#kill('gateway');
    const stalled = await this.#stall(start);
    await this.#until(0.4);
    await this.#kill('core');
    await this.#until(0.65);
    await this.#killPrimary();
    const jobs = await this.#untilAllEnded();
    this.#working.abort();
    await running.catch(() => undefined);
    await this.#untilAllReceived(jobs);
    await this.#endStalled(stalled, jobs);
    await this.#compareCounts();
    this.#figure('the whole story', (performance.now() - began) / 1000, 's');
    return { figures: this.#figures, faults: this.#faults(jobs), failures: this.#failures };
  }

  /** The place before anything happens, from the opening message. */
  async #cursorNow(): Promise<string> {
    const { jobStateChanged } = await firstMessage(this.#system);
    return jobStateChanged.cursor;
  }

  async #watchAndSubmit(start: string): Promise<void> {
    const { tasks, jobsOfTask, watchersOfTask, singleJobs, pilotJobs } = this.#size;
    const all = { filter: {}, covers: () => true };
    for (let at = 0; at < watchersOfAll; at++) this.#watch({ name: `everything ${at}`, ...all }, start);
    this.#watch({ name: 'latest of everything', ...all, mode: 'LATEST' }, start);
    for (const taskId of await submitTasks(this.#api, tasks, jobsOfTask)) {
      const ofTask = {
        filter: { taskIds: [taskId] },
        covers: (job: { taskId?: string | undefined }) => job.taskId === taskId,
      };
      for (let at = 0; at < watchersOfTask; at++) this.#watch({ name: `${taskId} ${at}`, ...ofTask }, start);
    }
    const ids = await submitSingles(this.#api, singleJobs, pilotJobs);
    for (const id of ids)
      this.#watch({ name: id, filter: { ids: [id] }, covers: (job) => job.id === id }, start);
    this.#report(`${this.#watchers.length} clients watch, ${this.#allJobs} jobs were submitted`);
    this.#figure('clients that watch', this.#watchers.length, '');
    this.#figure('jobs', this.#allJobs, '');
  }

  #watch(plan: WatchPlan, after: string): void {
    this.#watchers.push(watch(this.#client(), plan, after));
  }

  /** A client with a socket of its own. */
  #client(): ApiClient {
    const { url, wsUrl, token } = this.#system;
    const reconnect = { initialDelayMs: 100, maxDelayMs: 2000 };
    return leftovers.use(
      createClient({ url, wsUrl, token, reconnect, connections: 1 }),
      'a client that watches',
    );
  }

  async #work(): Promise<void> {
    await startPilots(this.#system);
    const script = {
      queue: storyQueue,
      batch,
      fails: ({ id }: { readonly id: string }, attempt: number) => attempt === 1 && id.endsWith('7'),
      finished: () => void (this.#finished += 1),
      failed: (error: unknown) => this.#report(`a worker starts again: ${String(error)}`),
    };
    await Promise.all(
      Array.from({ length: workers }, async (_, at) => {
        const name = `worker-${at}`;
        const own = await this.#credential(name);
        await work({ ...script, ...own, name }, this.#working.signal);
      }),
    );
  }

  /** A client with the credential of a worker of its own. */
  async #credential(name: string): Promise<Pick<WorkerScript, 'client' | 'startWorker'>> {
    const credential = await spokenCredential(this.#system, { name, queue: storyQueue });
    const token = (expired: boolean) => credential.token(expired);
    const options = { url: this.#system.url, token, proofKey: credential.key, connections: 2 };
    const client = leftovers.use(createClient(options), `the client of ${name}`);
    return { startWorker: () => credential.startWorker(), client };
  }

  /** Waits until a part of the jobs has finished. */
  async #until(part: number): Promise<void> {
    await waitFor(`${part * 100} % of the jobs`, () => this.#finished >= part * this.#allJobs, {
      deadlineMs: 40_000 * this.#scale,
    });
    this.#report(`${this.#finished} jobs have finished, ${this.#received()} events were received`);
  }

  /**
   * Kills a service as a crash does, and starts it again; every client that watches everything must hear of
   * what comes then.
   */
  async #kill(name: 'gateway' | 'core'): Promise<void> {
    await this.#break(`kill -9 of ${name}`, async () => {
      this.#system.service(name).signal('SIGKILL');
      await this.#system.startAgain(name);
    });
  }

  async #killPrimary(): Promise<void> {
    await this.#break('kill -9 of the primary', async () => {
      const port = await primaryPort(this.#store);
      const member = this.#system.mongo.members.find((one) => one.port === port);
      if (!member) throw new Error(`no member has port ${port}`);
      await member.kill('SIGKILL');
    });
  }

  async #break(what: string, breaking: () => Promise<void>): Promise<void> {
    const began = performance.now();
    await breaking();
    const seconds = () => (performance.now() - began) / 1000;
    const restored = seconds();
    // What was in the workers' hands may have gone on without what was killed: more than that goes on only
    // with it.
    const inHands = this.#finished + workers * batch;
    await waitFor(`more finished jobs after ${what}`, () => this.#finished > inHands, { deadlineMs: 40_000 });
    const before = this.#watchers.slice(0, watchersOfAll).map(({ received }) => received.count);
    await waitFor(
      `news for all after ${what}`,
      () => before.every((count, at) => (this.#watchers[at]?.received.count ?? 0) > count),
      { deadlineMs: 40_000 },
    );
    this.#figure(`${what}: until jobs go on and all are received`, seconds(), 's');
    this.#report(
      `${what}: restored after ${restored.toFixed(1)} s, news for all after ${seconds().toFixed(1)} s`,
    );
  }

  /** A client that has read a little, and then reads no more. */
  async #stall(after: string): Promise<{ client: StalledClient; received: Received; gatewayMiB: number }> {
    const received = new Received();
    const client = await openStalledClient(this.#system, after, received);
    leftovers.defer('the stalled client', () => client.close());
    client.stall();
    return { client, received, gatewayMiB: this.#gatewayMiB() };
  }

  async #endStalled(
    { client, received, gatewayMiB }: { client: StalledClient; received: Received; gatewayMiB: number },
    jobs: readonly StoredJob[],
  ): Promise<void> {
    this.#figure('gateway, with a stalled client, before', gatewayMiB, 'MiB');
    this.#figure('gateway, with a stalled client, after', this.#gatewayMiB(), 'MiB');
    const { error, closeCode } = await waitFor('the end of the stalled client', client.readOn(), {
      deadlineMs: 20_000,
    });
    this.#report(
      `the stalled client had read ${received.count} events and was ended by ${error ?? closeCode}`,
    );
    this.#figure('events that the stalled client was given before it was ended', received.count, '');
    const all: WatchPlan = { name: 'stalled, then resumed', filter: {}, covers: () => true };
    const expected = expectedOf(all, jobs);
    if (received.count >= expected) this.#failures.push('the stalled client was not behind');
    const resumed = watch(this.#client(), all, received.cursor ?? '');
    await waitFor(
      'the rest for the stalled client',
      () => received.count + resumed.received.count >= expected,
      {
        deadlineMs: 30_000,
      },
    );
    await resumed.stop();
    for (const [id, steps] of resumed.received.byJob)
      received.byJob.set(id, [...(received.byJob.get(id) ?? []), ...steps]);
    this.#failures.push(...faultsOf(received, all, jobs).map((fault) => `stalled client: ${fault}`));
  }

  async #untilAllEnded(): Promise<readonly StoredJob[]> {
    const live = { state: { $nin: ['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED'] } };
    const jobs = this.#store.db.collection('jobs');
    await waitFor(
      'the end of all jobs',
      async () => (await jobs.countDocuments()) >= this.#allJobs && (await jobs.countDocuments(live)) === 0,
      { deadlineMs: 60_000 * this.#scale },
    ).catch(async (error: unknown) => {
      const some = await jobs
        .find(live, { projection: { state: 1, queue: 1, attempt: 1, last: 1 }, limit: 5 })
        .toArray();
      throw new Error(`${String(error)}; ${await jobs.countDocuments(live)} live: ${JSON.stringify(some)}`);
    });
    const stored = await storedJobs(this.#store);
    const lost = stored.filter(({ state }) => state !== 'FINISHED');
    this.#failures.push(...lost.slice(0, 10).map(({ id, state }) => `${id} is ${state}`));
    if (stored.length !== this.#allJobs)
      this.#failures.push(`${stored.length} jobs are stored of ${this.#allJobs}`);
    return stored;
  }

  async #untilAllReceived(jobs: readonly StoredJob[]): Promise<void> {
    const began = performance.now();
    const waiting = new Set(this.#watchers);
    await waitFor(
      'all events for all clients',
      () => {
        for (const watcher of waiting)
          if (hasReceivedAll(watcher.received, watcher.plan, jobs)) waiting.delete(watcher);
        return waiting.size === 0;
      },
      { deadlineMs: 20_000 },
    ).catch((error: unknown) => {
      this.#failures.push(`${String(error)}: ${waiting.size} clients lack events`);
    });
    this.#figure(
      'from the last job to the last event of the last client',
      (performance.now() - began) / 1000,
      's',
    );
    this.#figure('events received', this.#received(), '');
    this.#figure(
      'comebacks of clients',
      this.#watchers.reduce((sum, one) => sum + one.comebacks.length, 0),
      '',
    );
  }

  #faults(jobs: readonly StoredJob[]): readonly string[] {
    return this.#watchers.flatMap(({ received, plan }) =>
      faultsOf(received, plan, jobs).map((fault) => `${plan.name}: ${fault}`),
    );
  }

  /** Core's counts, after it was killed, compared with all jobs. */
  async #compareCounts(): Promise<void> {
    type Counts = { jobCounts: Parameters<typeof countText>[0][] };
    const expected = (await scannedCounts(this.#store)).join('\n');
    const counted = async (): Promise<string> => {
      const text =
        '{ jobCounts { experiment: experimentName queue: queueName gpuModel share: sharePath state count } }';
      const { jobCounts } = await this.#api.data<Counts>(text);
      return jobCounts.map(countText).sort().join('\n');
    };
    await waitFor('counts that equal a scan', async () => (await counted()) === expected, {
      deadlineMs: 5000,
    }).catch(async () => this.#failures.push(`counts are\n${await counted()}\nand should be\n${expected}`));
  }

  #received(): number {
    return this.#watchers.reduce((sum, { received }) => sum + received.count, 0);
  }

  #figure(name: string, value: number, unit: string): void {
    this.#figures.push({ name, value, unit });
  }

  #gatewayMiB(): number {
    const { pid } = this.#system.service('gateway');
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    return Math.round((pages * 4096) / 2 ** 20);
  }
}

async function firstMessage(system: ServiceSystem): Promise<WatchedEvent> {
  const stream = system.client().subscribe(watchDocument, {});
  const first = await stream.next();
  await stream.return?.();
  if (first.done) throw new Error('the stream ended before its first message');
  return first.value;
}
