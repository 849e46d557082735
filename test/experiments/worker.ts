/** For tests: a worker that speaks core's protocol for workers, and decides itself how payloads end. */
import type { System } from './test-system.js';

/** A job that the worker was given. */
export interface Given {
  readonly id: string;
  readonly name: string;
  readonly fence: number;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly outputs: readonly string[];
}

export interface TestWorker {
  /** Acquires at most this number of jobs; none if there is nothing after a second. */
  acquireSome(count: number): Promise<readonly Given[]>;
  /** Acquires this number of jobs, and waits for them. */
  acquire(count: number): Promise<readonly Given[]>;
  /** Starts jobs. */
  start(jobs: readonly Given[]): Promise<void>;
  /** Starts and finishes jobs, with their outputs. */
  finish(jobs: readonly Given[]): Promise<void>;
  /** Starts jobs and reports that they failed for good, with `WALLTIME_EXCEEDED` unless said otherwise. */
  fail(jobs: readonly Given[], code?: string): Promise<void>;
  /** Starts jobs and appends lines to the standard output of each. */
  print(jobs: readonly Given[], lines: readonly string[]): Promise<void>;
  /** Takes and finishes jobs until none is left that can run. @returns all that was run, in order */
  runAll(): Promise<readonly Given[]>;
}

const capacity = { cores: 64, memoryMiB: 1_000_000, diskMiB: 1_000_000 };

/** Registers a worker of the queue `north`. */
export async function startWorker(
  system: System,
  name = 'one',
  labels: Readonly<Record<string, string>> = {},
): Promise<TestWorker> {
  const token = await system.tokens.pilot('north');
  const call = async (field: string, type: string, selection: string, input: object) => {
    const { data, errors } = await system.ask(
      `mutation ($input: ${type}!) { ${field}(input: $input) { ${selection} } }`,
      { input },
      token,
    );
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    const answer = data[field];
    if (answer.userErrors.length > 0) throw new Error(JSON.stringify(answer.userErrors));
    return answer;
  };
  const { worker } = await call(
    'registerWorker',
    'RegisterWorkerInput',
    'worker { id } userErrors { message }',
    {
      queue: 'north',
      host: 'host-1',
      name,
      version: '1',
      idempotencyKey: name,
      hardware: { architecture: 'x86_64', ...capacity },
      labels: Object.entries(labels).map(([key, value]) => ({ key, value })),
    },
  );
  const workerId: string = worker.id;
  const reports = (jobs: readonly Given[]) => jobs.map(({ id, fence }) => ({ id, fence }));
  const start = (jobs: readonly Given[]) =>
    call('startJobs', 'StartJobsInput', 'userErrors { message }', {
      workerId,
      jobs: reports(jobs).map((job) => ({ ...job, phase: 'RUNNING' })),
    });
  const self: TestWorker = {
    start: async (jobs) => void (await start(jobs)),
    async acquire(count) {
      const all: Given[] = [];
      while (all.length < count) all.push(...(await self.acquireSome(count - all.length)));
      return all;
    },
    async acquireSome(count) {
      const selection =
        'assignments { fence job { id name payload { command arguments outputs } } } userErrors { message }';
      await call('heartbeat', 'HeartbeatInput', 'userErrors { message }', { workerId });
      const input = { workerId, count, free: capacity, waitSeconds: 1 };
      const { assignments } = await call('acquireJobs', 'AcquireJobsInput', selection, input);
      return assignments.map(
        ({
          fence,
          job,
        }: {
          fence: number;
          job: { id: string; name: string; payload: Omit<Given, 'id' | 'name' | 'fence'> };
        }): Given => ({
          id: job.id,
          name: job.name,
          fence,
          ...job.payload,
        }),
      );
    },
    async finish(jobs) {
      await start(jobs);
      const outputs = ({ outputs: names, id }: Given) =>
        names.map((file) => ({
          name: file,
          location: `/store/${id}/${file}`,
          sizeBytes: 1,
          sha256: 'a'.repeat(64),
        }));
      await call('finishJobs', 'FinishJobsInput', 'userErrors { message }', {
        workerId,
        jobs: jobs.map((job) => ({ id: job.id, fence: job.fence, phase: 'FINISHED', outputs: outputs(job) })),
      });
    },
    async fail(jobs, code = 'WALLTIME_EXCEEDED') {
      await start(jobs);
      const error = { family: 'LIMIT', code, message: 'too much', isRetryable: false };
      await call('failJobs', 'FailJobsInput', 'userErrors { message }', {
        workerId,
        jobs: reports(jobs).map((job) => ({ ...job, error })),
      });
    },
    async print(jobs, lines) {
      await start(jobs);
      const chunk = {
        sequence: 0,
        stream: 'STDOUT',
        text: `${lines.join('\n')}\n`,
        at: new Date().toISOString(),
      };
      for (const { id, fence } of jobs)
        await call('appendJobLog', 'AppendJobLogInput', 'userErrors { message }', {
          ...{ workerId, jobId: id, fence, chunks: [chunk] },
        });
    },
    async runAll() {
      const run: Given[] = [];
      // Events of new jobs, and of jobs whose parents have just finished, may arrive later.
      for (;;) {
        const jobs = await self.acquireSome(100);
        if (jobs.length === 0 && !(await areJobsLeft(system))) return run;
        if (jobs.length > 0) await self.finish(jobs);
        run.push(...jobs);
      }
    },
  };
  return self;
}

async function areJobsLeft(system: System): Promise<boolean> {
  const { data } = await system.ask(
    '{ jobs(first: 1, filter: { states: [PENDING, ACTIVATED, THROTTLED] }) { nodes { id } } }',
  );
  return data.jobs.nodes.length > 0;
}
