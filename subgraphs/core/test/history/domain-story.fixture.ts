/** A story of submits, dependencies, tasks, cancels and retries, with faults built into the repositories. */
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import type { JobStores } from '../../src/composition/job-stores.repository.js';
import type { BulkKind } from '../../src/jobs/bulk/bulk.types.js';
import type { TaskSpec } from '../../src/tasks/task-spec.types.js';
import {
  aSpec,
  deadline,
  idsOf,
  live,
  someone,
  testDomain,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';

/** Part of the story. */
export type Chapter = 'submit' | 'dependencies' | 'task' | 'cancel' | 'retry';

/** Faults of a story; it has none by default. */
export type StoreFaults = (stores: JobStores, db: TestDatabase) => Partial<JobStores>;

/** Runs chapters of the story. @returns its database */
export async function domainStory(
  chapters: readonly Chapter[],
  faults: StoreFaults = () => ({}),
): Promise<TestDatabase> {
  const shared = await testDomain('story');
  const process = await shared.process({ stores: (stores) => ({ ...stores, ...faults(stores, shared.db) }) });
  const story = new DomainStory(shared, process);
  for (const chapter of chapters) await story[chapter]();
  await process.stop();
  return shared.db;
}

class DomainStory {
  readonly #shared: TestDomain;
  readonly #process: TestProcess;

  constructor(shared: TestDomain, process: TestProcess) {
    this.#shared = shared;
    this.#process = process;
  }

  /** Two submits, each repeated with its key. */
  async submit(): Promise<void> {
    for (const key of ['first', 'first', 'second', 'second']) await this.#submit(key, [{}, {}]);
  }

  /** A child of two parents, and one of a parent that fails. */
  async dependencies(): Promise<void> {
    const [one = '', two = '', child = '', failed = '', closed = ''] = await this.#submit('parents', [
      ...[{}, {}, { dependsOn: ['#0', '#1'] }],
      ...[{}, { dependsOn: ['#3'] }],
    ]);
    await live(this.#process.writer, [one]);
    await live(this.#process.writer, [failed], 'FAILED');
    await this.#until(closed, ({ state }) => state === 'CLOSED');
    await this.#until(child, ({ waitingFor, state }) => waitingFor.length < 2 || state !== 'PENDING');
    await live(this.#process.writer, [two]);
    await this.#until(child, ({ state, waitingFor }) => state !== 'PENDING' || waitingFor.length > 2);
  }

  /** A task whose jobs run to their ends. */
  async task(): Promise<void> {
    await live(this.#process.writer, await this.#task('task'));
  }

  /** A cancel of two jobs. */
  async cancel(): Promise<void> {
    const ids = await this.#submit('unwanted', [{}, {}]);
    await this.#change('CANCEL', ids);
  }

  /** The failed jobs of a task are retried, twice with one key. */
  async retry(): Promise<void> {
    const ids = await this.#task('retried task');
    await live(this.#process.writer, ids, 'FAILED');
    await this.#change('RETRY', ids);
    await this.#change('RETRY', ids);
  }

  async #submit(key: string, specs: readonly Parameters<typeof aSpec>[0][]): Promise<string[]> {
    const input = { experiment: 'alpha', idempotencyKey: key, jobs: specs.map(aSpec) };
    const { jobs } = await this.#process.domain.submits.submit(someone, input);
    return idsOf(jobs);
  }

  /** @returns the jobs of a new task */
  async #task(key: string): Promise<string[]> {
    const template = { name: 'work', payload: { command: 'run' } };
    const spec: TaskSpec = {
      experiment: 'alpha',
      idempotencyKey: key,
      name: 'a task',
      template,
      count: 2,
    };
    const result = await this.#process.domain.tasks.submit(someone, spec);
    if ('refusals' in result) throw new Error(JSON.stringify(result.refusals));
    const { _id: taskId } = result.task;
    const { tasks } = this.#process.stores;
    await waitFor(
      'the jobs of the task',
      async () => (await tasks.find([taskId])).some(({ createdJobs }) => createdJobs === 2),
      deadline,
    );
    const jobs = await this.#shared.db
      .collection<{ _id: string; taskId?: string }>('jobs')
      .find({ taskId })
      .toArray();
    return jobs.map(({ _id }) => _id);
  }

  async #change(kind: BulkKind, ids: readonly string[]): Promise<void> {
    const input = { selection: { ids }, parameters: {}, idempotencyKey: `the ${kind}` };
    const result = await this.#process.domain.bulk.change(someone, kind, input);
    if ('userErrors' in result) throw new Error(JSON.stringify(result.userErrors));
  }

  #until(id: string, test: (job: Awaited<ReturnType<TestDomain['read']>>) => boolean): Promise<unknown> {
    return waitFor(`job ${id} to go on`, async () => test(await this.#shared.read(id)), deadline);
  }
}
