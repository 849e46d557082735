// An executor that starts real pilots as processes of this host, for a real core behind a real gateway.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { TestProcess } from '@rhizome/testkit';
import {
  type ExecutorSystem,
  pilotsOf,
  queueSettings,
  startExecutor,
  startExecutorSystem,
  submit,
  untilJobs,
  untilPilots,
} from './executors.js';

let system: ExecutorSystem;
let settings: object;
let executor: TestProcess;

beforeAll(async () => {
  system = await startExecutorSystem('executor');
  settings = queueSettings({ kind: 'local', folder: join(system.data, 'pilots') });
});

describe('an executor', () => {
  it('starts pilots for waiting jobs, which enrol, run them and end when there are no more', async () => {
    const jobs = await submit(system, 'first', 3);
    executor = await startExecutor(system, settings);
    await untilJobs(system, jobs, 'FINISHED');
    const pilots = await untilPilots(system, 'ended pilots', (all) =>
      all.every(({ state }) => state === 'ENDED'),
    );
    expect(pilots.length).toBeGreaterThan(0);
    // On a busy host the first job may come after the idle time of a pilot, which is then replaced.
    const inVain = executor.lines.filter((line) => line.includes('pilot ended without work'));
    expect(pilots.length).toBeLessThanOrEqual(3 + inVain.length);
    expect(pilots.some(({ worker }) => worker?.state === 'ENDED')).toBe(true);
  });

  it('starts none for jobs that its pilots cannot run, and says why', async () => {
    const before = await pilotsOf(system);
    await submit(system, 'large', 1, { command: 'true' }, { cores: 8 });
    await executor.line(/small: cores >= 8: has 1/, 60_000);
    expect(await pilotsOf(system)).toHaveLength(before.length);
  });

  it('starts none in a queue whose pilots another system starts', async () => {
    const ofQueue = (name: string) => system.admin.change('updateQueue', { name: 'north', executor: name });
    await ofQueue('KUBERNETES');
    await executor.line(/queue north has the executor KUBERNETES; must be DIRECT/, 60_000);
    await ofQueue('DIRECT');
  });

  it('is the only one for a queue, and hands it over when it is stopped', async () => {
    const other = await startExecutor(system, settings, 'other');
    await other.line(/"msg":"another executor starts the pilots"/, 60_000);
    expect(await executor.kill('SIGTERM')).toMatchObject({ code: 0 });
    const before = await pilotsOf(system);
    const jobs = await submit(system, 'second', 1);
    await untilJobs(system, jobs, 'FINISHED');
    const started = (await pilotsOf(system)).slice(0, -before.length);
    expect(started.map((pilot) => pilot.executor)).toEqual(['other']);
    await other.kill('SIGTERM');
  });
});
