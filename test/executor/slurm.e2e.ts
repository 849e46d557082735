// An executor that starts real pilots as jobs of a real Slurm.
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { TestProcess } from '@rhizome/testkit';
import {
  type ExecutorSystem,
  queueSettings,
  shape,
  startExecutor,
  startExecutorSystem,
  submit,
  untilJobs,
  untilPilots,
} from './executors.js';
import { type SlurmCluster, startSlurm } from './slurm-cluster.js';

let system: ExecutorSystem;
let slurm: SlurmCluster;
let executor: TestProcess;

const provider = { kind: 'slurm', partition: 'batch', commandSeconds: 5 };
/** True if nothing of the pilot is left: one that was requested by a killed executor may not be submitted. */
const ended = ({ state }: { readonly state: string }): boolean => state === 'ENDED' || state === 'REFUSED';

beforeAll(async () => {
  [system, slurm] = await Promise.all([startExecutorSystem('slurm'), startSlurm()]);
  await system.admin.change('updateQueue', { name: 'north', executor: 'SLURM' });
});

describe('an executor on Slurm', () => {
  it('starts pilots as array jobs, which learn from Slurm when they end, run jobs, and end', async () => {
    // Slurm gives less time than the shape says.
    const shapes = [{ ...shape, arguments: ['--time=5'] }];
    const jobs = await submit(system, 'first', 4);
    executor = await startExecutor(system, queueSettings(provider, { shapes }), 'first', slurm.environment);
    const [running] = await untilPilots(system, 'a pilot with a worker', (all) =>
      all.some(({ worker }) => worker),
    );
    expect(running?.batchJobId).toMatch(/^\d+_\d+$/);
    await untilJobs(system, jobs, 'FINISHED');
    const pilots = await untilPilots(system, 'ended pilots', (all) => all.every(ended));
    for (const { worker } of pilots) {
      if (!worker) continue;
      const seconds = (Date.parse(worker.endsAt) - Date.parse(worker.registeredAt)) / 1000;
      // 300 s, without the time to drain and the margin.
      expect(seconds).toBeLessThanOrEqual(230);
    }
  });

  it('starts nothing while the controller is gone, and goes on when it is back', async () => {
    const before = await untilPilots(system, 'the pilots so far', () => true);
    const restart = await slurm.killController();
    const jobs = await submit(system, 'second', 2);
    await executor.line(/"msg":"batch jobs not listed"/, 60_000);
    expect(await untilPilots(system, 'the pilots so far', () => true)).toHaveLength(before.length);
    await restart();
    await untilJobs(system, jobs, 'FINISHED');
  });

  it('finds the pilots of an executor that was killed, and cancels those that nobody needs', async () => {
    await executor.kill('SIGKILL');
    // More than the node has, so that Slurm keeps most of them waiting.
    const jobs = await submit(system, 'third', 4, { command: 'sleep', arguments: ['600'] });
    const settings = queueSettings(provider, { shapes: [{ ...shape, memoryMiB: 1800 }] });
    executor = await startExecutor(system, settings, 'second', slurm.environment);
    const all = await untilPilots(system, 'waiting pilots', (found) =>
      found.some(({ state }) => state === 'PENDING'),
    );
    const open = all.filter((pilot) => !ended(pilot)).map(({ id }) => id);
    await executor.kill('SIGKILL');
    await system.admin.change('cancelJobs', { selection: { ids: jobs } });
    executor = await startExecutor(system, { ...settings, isDraining: true }, 'second', slurm.environment);
    const after = await untilPilots(system, 'an empty batch system', (found) => found.every(ended));
    expect(after.map(({ id }) => id)).toEqual(expect.arrayContaining(open));
    expect(await slurm.command('squeue', '-h', '-t', 'pending,running')).toBe('');
    expect(await executor.kill('SIGTERM')).toMatchObject({ code: 0 });
  });
});
