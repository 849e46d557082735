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

/** Steps of a long payload, between its checkpoints, and after which its worker is killed in each attempt. */
const steps = { all: 30, perCheckpoint: 5, killedAfter: [12, 22] };

/**
 * Adds up the numbers of its steps, from its latest checkpoint on. It stands still after the steps at which
 * its worker is killed.
 */
const longPayload = [
  'step=0; sum=0',
  'if [ -n "${RHIZOME_CHECKPOINT_DIR:-}" ]; then step=$RHIZOME_CHECKPOINT_STEP; read -r sum < "$RHIZOME_CHECKPOINT_DIR/sum"; fi',
  `while [ $step -lt ${steps.all} ]; do`,
  '  step=$((step + 1)); sum=$((sum + step)); echo "step $step"',
  `  if [ $((step % ${steps.perCheckpoint})) = 0 ]; then`,
  '    echo $sum > sum',
  `    "$RHIZOME_TOOLS/rhizome-job" checkpoint --step $step --progress "$(printf '0.%02d' $((step * 99 / ${steps.all})))" sum || exit 9`,
  '  fi',
  `  case $RHIZOME_ATTEMPT-$step in ${steps.killedAfter.map((step, at) => `${at + 1}-${step}`).join('|')}) echo still; sleep 600;; esac`,
  'done',
  'echo "sum $sum"',
].join('\n');

let system: PlaygroundSystem;
let watch: JobWatch;
let queueMade: Promise<unknown> | undefined;

beforeAll(async () => {
  system = await startPlayground();
  watch = await watchJobs(system.client());
});

/** Makes a queue whose workers are lost after 3 s, once. */
async function shortLease(): Promise<string> {
  const queue = 'short-lease';
  queueMade ??= system.api().change('createQueue', {
    ...{ name: queue, site: 'STORY' },
    limits: { heartbeatSeconds: 1, leaseSeconds: 3 },
  });
  await queueMade;
  return queue;
}

interface Progressing {
  readonly progress: { readonly attempt: number; readonly step: number } | null;
  readonly checkpoints: readonly { readonly attempt: number; readonly step: number }[];
}

async function progressOf(id: string): Promise<Progressing> {
  const { job } = await system.api().data<{
    job: Progressing;
  }>('query ($id: ID!) { job(id: $id) { progress { attempt step } checkpoints { attempt step } } }', { id });
  return job;
}

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
    const queue = await shortLease();
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

  it('lets the next attempt continue from the latest checkpoint: less than 30 % is done twice', async () => {
    const queue = await shortLease();
    const requirements = { memoryMiB: 64, diskMiB: 8, queue };
    const [id = ''] = await submit(system.api(), [{ shell: longPayload, requirements, continuity }]);
    const logs: string[] = [];
    for (const [index, last] of steps.killedAfter.entries()) {
      // Another name is another host for the pilot: it has its own scratch space.
      const victim = await startPilot(system, { name: `victim-${index}`, queue });
      const isStill = async (): Promise<boolean> => {
        const isCurrent = (await jobOf(system.api(), id)).attempt === index + 1;
        return isCurrent && (await logOf(system.api(), id)).endsWith(`step ${last}\nstill\n`);
      };
      await waitFor(`step ${last} of attempt ${index + 1}`, isStill, { deadlineMs: 120_000 });
      logs.push(await logOf(system.api(), id));
      const { checkpoints } = await progressOf(id);
      const made = last - (last % steps.perCheckpoint);
      expect(checkpoints.map(({ step }) => step)).toEqual([made, made - steps.perCheckpoint]);
      const isProgressKnown = async (): Promise<boolean> => {
        const { progress } = await progressOf(id);
        return progress?.attempt === index + 1 && progress.step === made;
      };
      await waitFor('progress', isProgressKnown, { deadlineMs: 60_000 });
      await victim.kill('SIGKILL');
      await watch.until(
        `${id} is back`,
        (event) => event.jobId === id && event.state === 'ACTIVATED' && event.attempt === index + 1,
        120_000,
      );
    }
    const last = await startPilot(system, { name: 'survivor', queue });
    await watch.untilState(id, 'FINISHED', 120_000);
    logs.push(await logOf(system.api(), id));
    expect(logs.at(-1)).toMatch(new RegExp(`sum ${(steps.all * (steps.all + 1)) / 2}\n$`));
    const done = logs.join('').match(/^step \d+$/gm)?.length ?? 0;
    process.stderr.write(`measured: ${done} steps done for ${steps.all}, with two workers killed\n`);
    expect(done).toBeGreaterThan(steps.all);
    expect(done).toBeLessThan(1.3 * steps.all);
    expect(faultsOf(watch.of(id))).toEqual([]);
    expect((await progressOf(id)).checkpoints).toEqual([]);
    await last.kill('SIGTERM');
  });
});
