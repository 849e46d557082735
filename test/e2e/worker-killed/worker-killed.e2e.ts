// A pilot is killed with SIGKILL while its payload runs: its job comes back and ends elsewhere, and of the
// payload nothing is left.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { jobOf, logOf, submit } from '../system/jobs.js';
import { faultsOf, type JobWatch, watchJobs } from '../system/job-watch.js';
import { startPilot } from '../system/pilots.js';
import { type PlaygroundSystem, startPlayground } from '../system/playground-system.js';
import { processesWith, untilGone } from '../system/processes.js';

/**
 * A dead worker's jobs that stop with the lease are back within this time: the promise, with the lease that
 * queues have by default.
 */
const backWithinMs = 45_000;

const continuity = { onDisconnect: 'STOP' };

let system: PlaygroundSystem;
let watch: JobWatch;

beforeAll(async () => {
  system = await startPlayground();
  watch = await watchJobs(system.client());
});

describe('a worker that is killed while it runs a job', () => {
  it('loses its job to another worker after the default lease, and its own processes end', async () => {
    // On its first attempt it forks, leaves its session, ignores SIGTERM and runs without end; on its second
    // it ends well.
    const shell = [
      'echo "attempt $RHIZOME_ATTEMPT"',
      'if [ "$RHIZOME_ATTEMPT" = 2 ]; then exit 0; fi',
      "trap '' TERM",
      "(trap '' TERM; while :; do sleep 1; done) &",
      'setsid sh -c "trap \'\' TERM INT HUP; while :; do sleep 1; done" &',
      'while :; do sleep 1; done',
    ].join('\n');
    const victim = await startPilot(system, { name: 'victim', cores: 1 });
    const [id = ''] = await submit(system.api(), [{ name: 'hard to kill', shell, continuity }]);
    await watch.untilState(id, 'RUNNING', 20_000);
    const carriers = () => processesWith(`RHIZOME_JOB_ID=${id}`);
    await waitFor('a payload of three shells', () => carriers().length >= 3, { deadlineMs: 10_000 });
    const orphans = carriers();

    await victim.kill('SIGKILL');
    const killedAt = performance.now();
    const elsewhere = await startPilot(system, { name: 'elsewhere', cores: 1 });
    await untilGone(orphans, 5_000);

    const isBack = (event: { jobId: string; state: string; attempt: number }) =>
      event.jobId === id && event.state === 'ACTIVATED' && event.attempt === 1;
    const back = await watch.until(`${id} is back`, isBack, backWithinMs);
    const seconds = (performance.now() - killedAt) / 1000;
    process.stderr.write(`measured: SIGKILL of the pilot to the job's return ${seconds.toFixed(1)} s\n`);
    expect(back.reason).toMatch(/lease|not heard of/);
    await watch.untilState(id, 'FINISHED', 20_000);

    const job = await jobOf(system.api(), id);
    expect(job).toMatchObject({ state: 'FINISHED', attempt: 2, exitCode: 0, worker: { name: 'elsewhere' } });
    expect(job.attempts).toMatchObject([
      {
        number: 1,
        outcome: 'FAILED',
        error: { family: 'WORKER', code: 'LEASE_LOST' },
        worker: { name: 'victim' },
      },
      { number: 2, outcome: 'FINISHED', error: null, worker: { name: 'elsewhere' } },
    ]);
    expect(await logOf(system.api(), id)).toBe('attempt 2\n');
    expect(faultsOf(watch.of(id))).toEqual([]);
    const { workers } = await system
      .api()
      .data<{ workers: { nodes: { name: string; state: string }[] } }>(
        '{ workers(filter: { states: [READY, LOST] }) { nodes { name state } } }',
      );
    expect(workers.nodes.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      'elsewhere READY',
      'victim LOST',
    ]);
    await elsewhere.kill('SIGTERM');
  });

  it('fails a job without attempts left, with a reason', async () => {
    const queue = 'short-lease';
    const limits = { heartbeatSeconds: 1, leaseSeconds: 3 };
    await system.api().change('createQueue', { name: queue, site: 'STORY', limits });
    const victim = await startPilot(system, { name: 'victim', queue });
    const requirements = { memoryMiB: 64, diskMiB: 1, queue };
    const [id = ''] = await submit(system.api(), [
      { shell: 'sleep 600', requirements, continuity, retry: { maxAttempts: 1 } },
    ]);
    await watch.untilState(id, 'RUNNING', 20_000);
    await victim.kill('SIGKILL');
    await watch.untilState(id, 'FAILED', 10_000);
    const { attempts } = await jobOf(system.api(), id);
    expect(attempts).toMatchObject([{ outcome: 'FAILED', error: { family: 'WORKER', code: 'LEASE_LOST' } }]);
  });
});
