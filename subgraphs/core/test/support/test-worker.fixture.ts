/** For tests: workers that acquire jobs and report, as agents do, and who they are. */
import { createIds } from '@rhizome/clock';
import { recordAnswer, testPrincipal } from '@rhizome/testkit';
import type { Capacity, Grant } from '../../src/scheduler/scheduler.types.js';
import type { FailSpec } from '../../src/workers/reports/report-input.js';
import type { DeviceInput } from '../../src/workers/registration/device-input.js';
import type { TestFleet } from './fleet.fixture.js';

const ids = createIds();

/** A principal with all permissions. */
export const admin = testPrincipal();

/** A pilot of a queue. */
export function pilotOf(queue: string) {
  return testPrincipal({ kind: 'PILOT', subject: `pilot:${queue}`, grants: 'PILOT' });
}

/** A device in a worker's report. */
export function aDeviceSpec(id: string, change: Partial<DeviceInput> = {}): DeviceInput {
  return { id, vendor: 'NVIDIA', model: 'A100', health: 'HEALTHY', ...change };
}

/** A registered worker that acquires jobs and reports, as an agent does. */
export class TestWorker {
  private constructor(
    readonly fleet: TestFleet,
    readonly id: string,
    readonly cores: number,
    readonly memoryMiB: number,
  ) {}

  static async register(
    fleet: TestFleet,
    change: {
      readonly name?: string;
      readonly queue?: string;
      readonly cores?: number;
      readonly memoryMiB?: number;
      readonly key?: string;
      readonly host?: string;
      readonly batchJobId?: string;
      /** Devices, or ids of healthy ones. */
      readonly devices?: readonly (string | DeviceInput)[];
    } = {},
  ): Promise<TestWorker> {
    const {
      name = ids.next('agent'),
      queue = 'main',
      cores = 8,
      memoryMiB = 1_000_000,
      key = ids.next('key'),
      host = 'host-1',
      batchJobId,
      devices = [],
    } = change;
    const { worker, userErrors } = await fleet.services.workers.register(pilotOf(queue), {
      queue,
      name,
      host,
      version: '1.0',
      hardware: { architecture: 'x86_64', cores, memoryMiB, diskMiB: 1_000_000 },
      devices: devices.map((one) => (typeof one === 'string' ? aDeviceSpec(one) : one)),
      batchJobId,
      idempotencyKey: key,
    });
    if (!worker) throw new Error(JSON.stringify(userErrors));
    return new TestWorker(fleet, worker._id, cores, memoryMiB);
  }

  /** Returns the same worker as a client of another process. */
  at(fleet: TestFleet): TestWorker {
    return new TestWorker(fleet, this.id, this.cores, this.memoryMiB);
  }

  async acquire(
    count: number,
    change: {
      readonly waitSeconds?: number;
      readonly freeDeviceIds?: readonly string[];
      readonly signal?: AbortSignal;
      readonly free?: Capacity;
    } = {},
  ): Promise<readonly Grant[]> {
    const { signal, ...spec } = change;
    const free = { cores: this.cores, memoryMiB: this.memoryMiB, diskMiB: 1_000_000 };
    const { assignments, userErrors } = await this.fleet.services.acquire.acquire(
      { workerId: this.id, count, free, ...spec },
      { principal: pilotOf('main'), requestId: 'test', signal, isForwarded: false },
    );
    if (userErrors.length > 0) throw new Error(JSON.stringify(userErrors));
    for (const { jobId, fence } of assignments)
      recordAnswer(this.fleet.db, { kind: 'GRANT', workerId: this.id, jobId, fence });
    return assignments;
  }

  /**
   * Acquires until it has this number of jobs: the events of jobs submitted one after another may arrive
   * separately.
   */
  async acquireInAll(
    count: number,
    change: { readonly freeDeviceIds?: readonly string[] } = {},
  ): Promise<readonly Grant[]> {
    const all: Grant[] = [];
    for (let tries = 0; all.length < count && tries < 2 * count; tries += 1) {
      all.push(...(await this.acquire(count - all.length, { waitSeconds: 60, ...change })));
    }
    return all;
  }

  async start(grants: readonly Grant[], phase: 'STARTING' | 'RUNNING' = 'RUNNING') {
    const answer = await this.fleet.services.reports.start(
      pilotOf('main'),
      this.id,
      grants.map(({ jobId, fence }) => ({ id: jobId, fence, phase })),
    );
    return this.#recorded(answer, grants, phase);
  }

  /** Reports the jobs running (a job that already runs accepts this, too), and then finished. */
  async finish(grants: readonly Grant[]) {
    await this.start(grants);
    return this.reportFinished(grants);
  }

  /** Reports the jobs finished, and nothing before that. */
  async reportFinished(grants: readonly Grant[]) {
    const answer = await this.fleet.services.reports.finish(
      pilotOf('main'),
      this.id,
      grants.map(({ jobId, fence }) => ({ id: jobId, fence })),
    );
    return this.#recorded(answer, grants, 'FINISHED');
  }

  async fail(grants: readonly Grant[], retryable = true, change: Partial<FailSpec['error']> = {}) {
    const error = {
      family: 'PAYLOAD' as const,
      code: 'EXIT_CODE',
      message: 'exit code 3',
      isRetryable: retryable,
      ...change,
    };
    const answer = await this.fleet.services.reports.fail(
      pilotOf('main'),
      this.id,
      grants.map(({ jobId, fence }) => ({ id: jobId, fence, exit: { code: 3 }, error })),
    );
    return this.#recorded(answer, grants, 'FAILED');
  }

  /** Reports one checkpoint of each job. @param noticed true if its payload had received notice of its end */
  async checkpoint(
    grants: readonly Grant[],
    noticed: boolean,
    { attempt, at = new Date('2030-01-01T00:00:00.000Z') }: { attempt?: number; at?: Date } = {},
  ) {
    const file = { name: 'state', location: 'k', sizeBytes: 1, sha256: 'a'.repeat(64) };
    const made = { step: 7, madeAt: at, ...(noticed ? { noticedAt: at } : {}), files: [file] };
    return this.fleet.services.reports.checkpoint(
      pilotOf('main'),
      this.id,
      grants.map(({ jobId, fence, attempt: own }) => ({
        ...{ id: jobId, fence },
        checkpoints: [{ attempt: attempt ?? own, ...made }],
      })),
    );
  }

  async heartbeat(grants: readonly Grant[] = [], devices?: readonly DeviceInput[]) {
    const answer = await this.fleet.services.workers.heartbeat(pilotOf('main'), {
      workerId: this.id,
      ...(devices ? { devices } : {}),
      jobs: grants.map(({ jobId, fence }) => ({ id: jobId, fence })),
    });
    for (const { kind, jobId, fence } of answer.commands)
      if (kind === 'DROP' && jobId !== undefined && fence !== undefined)
        recordAnswer(this.fleet.db, { kind: 'DROP', workerId: this.id, jobId, fence });
    return answer;
  }

  /** Records the accepted reports for the check of the history. */
  #recorded<T extends { readonly acceptedIds: readonly string[] }>(
    answer: T,
    grants: readonly Grant[],
    phase: 'STARTING' | 'RUNNING' | 'FINISHED' | 'FAILED',
  ): T {
    const fences = new Map(grants.map(({ jobId, fence }) => [jobId, fence]));
    for (const jobId of answer.acceptedIds)
      recordAnswer(this.fleet.db, { kind: 'REPORT', jobId, fence: fences.get(jobId) ?? 0, phase });
    return answer;
  }
}
