/** Notices of payloads before their pilot or their walltime ends. */
import { describe, expect, it } from '@jest/globals';
import type { AssignedNotice, CheckpointReport, FailReport } from '../protocol/core-protocol.js';
import { pilotSetup } from '../testing/pilot-setup.js';

const setup = pilotSetup();

const notice = (over: Partial<AssignedNotice> = {}): { readonly notice: AssignedNotice } => ({
  notice: { seconds: 100, signal: 'SIGUSR1', checkpointExitCode: 75, ...over },
});
const waits = 'echo ready; while :; do sleep 0.05; done';
const saves = `trap '. "$RHIZOME_DEADLINE_FILE"; echo "noticed: $reason"; exit 75' USR1; ${waits}`;

const ready = async (jobId: string): Promise<void> =>
  setup.core.until(`${jobId} is ready`, () => setup.core.logOf(jobId).includes('ready'));
const failure = async (jobId: string): Promise<FailReport> => {
  await setup.core.until(`${jobId} ends`, setup.ended(jobId));
  return setup.detailOf<FailReport>('failed', jobId);
};

describe('a payload that asks for notice', () => {
  it('receives it when its pilot drains with a time limit, and is reported as checkpointed', async () => {
    setup.core.add({ jobId: 'job_a', shell: saves, walltimeSeconds: 600, payload: notice() });
    const pilot = setup.start({ drainSeconds: 99 });
    await ready('job_a');
    pilot.drain('the test drains');
    expect(await failure('job_a')).toMatchObject({
      exitCode: 75,
      error: { family: 'PAYLOAD', code: 'CHECKPOINTED', retryable: true },
    });
    await setup.running;
    expect(setup.core.logOf('job_a')).toContain('noticed: DRAIN');
  });

  it('marks the checkpoints that it stores after it', async () => {
    const store = '"$RHIZOME_TOOLS/rhizome-job" checkpoint --step';
    const shell = `echo 1 > state; ${store} 1 state; echo ready; until test -e "$RHIZOME_DEADLINE_FILE"; do sleep 0.05; done; ${store} 2 state; exit 3`;
    setup.core.add({
      ...{ jobId: 'job_c', shell, walltimeSeconds: 600 },
      payload: notice({ signal: 'NONE', checkpointExitCode: null }),
    });
    const pilot = setup.start({ drainSeconds: 99 });
    await ready('job_c');
    pilot.drain('the test drains');
    await failure('job_c');
    const { checkpoints } = setup.core.said.findLast(({ what }) => what === 'checkpoints')
      ?.detail as CheckpointReport;
    expect(checkpoints.map(({ step, noticedAt }) => [step, noticedAt !== undefined])).toEqual([
      [2, true],
      [1, false],
    ]);
    await setup.running;
  });

  it('is reported if it ends when its pilot does', async () => {
    setup.core.add({
      jobId: 'job_e',
      shell: `trap '' USR1; ${waits}`,
      walltimeSeconds: 600,
      payload: notice(),
    });
    const pilot = setup.start({ drainSeconds: 1 });
    await ready('job_e');
    pilot.drain('the test drains');
    expect(await failure('job_e')).toMatchObject({ error: { family: 'WORKER', code: 'DRAINED' } });
    await setup.running;
  });

  it('receives it when it is preempted, once, and its pilot goes on', async () => {
    setup.core.add({ jobId: 'job_p', shell: saves, walltimeSeconds: 600, payload: notice() });
    setup.start();
    await ready('job_p');
    const reason = 'preempted for job job_x of priority 200';
    const command = { kind: 'PREEMPT', jobId: 'job_p', fence: null, newFence: null, reason } as const;
    setup.core.order(command);
    setup.core.order(command);
    expect((await failure('job_p')).exitCode).toBe(75);
    expect(setup.core.logOf('job_p').match(/noticed: .*/g)).toEqual(['noticed: PREEMPTION']);
    setup.core.add({ jobId: 'job_n', shell: 'true' });
    await setup.core.until('job_n ends', setup.ended('job_n'));
  });

  it('receives it before its walltime ends', async () => {
    setup.core.add({
      jobId: 'job_w',
      shell:
        'until test -e "$RHIZOME_DEADLINE_FILE"; do sleep 0.05; done; . "$RHIZOME_DEADLINE_FILE"; echo $reason; exit 9',
      walltimeSeconds: 100,
      payload: notice({ seconds: 99, signal: 'NONE', checkpointExitCode: 9 }),
    });
    setup.start();
    expect((await failure('job_w')).error.code).toBe('CHECKPOINTED');
    expect(setup.core.logOf('job_w')).toBe('WALLTIME\n');
  });

  it('receives it when it starts if the end of its pilot is near', async () => {
    const shell =
      'until test -e "$RHIZOME_DEADLINE_FILE"; do sleep 0.05; done; cat "$RHIZOME_DEADLINE_FILE"; exit 75';
    setup.core.add({ jobId: 'job_m', shell, walltimeSeconds: 600, payload: notice({ signal: 'NONE' }) });
    setup.start({ lifetimeSeconds: 60, drainSeconds: 30 });
    expect((await failure('job_m')).error.code).toBe('CHECKPOINTED');
    expect(setup.core.logOf('job_m')).toContain('reason=DRAIN');
  });

  it('receives it no earlier than the queue allows', async () => {
    setup.core.maxNoticeSeconds = 1;
    setup.core.add({
      jobId: 'job_q',
      shell: 'sleep 2; test -e "$RHIZOME_DEADLINE_FILE" && echo early; exit 0',
      payload: notice({ seconds: 59 }),
    });
    setup.start();
    await setup.core.until('job_q ends', setup.ended('job_q'));
    expect(setup.core.about('job_q')).toContain('FINISHED');
    expect(setup.core.logOf('job_q')).toBe('');
  });

  it('is killed at the end of the lifetime of its pilot, and reported as drained', async () => {
    setup.core.add({ jobId: 'job_k', shell: `trap '' USR1; ${waits}`, payload: notice({ seconds: 5 }) });
    setup.start({ lifetimeSeconds: 15 });
    expect(await failure('job_k')).toMatchObject({
      signal: 'SIGKILL',
      error: { family: 'WORKER', code: 'DRAINED', retryable: true },
    });
    await setup.running;
  });
});

describe('a payload that asks for no notice', () => {
  it('is asked to end when it is preempted, and its end is reported although it succeeds', async () => {
    setup.core.add({ jobId: 'job_s', shell: `trap 'exit 0' TERM; ${waits}`, walltimeSeconds: 600 });
    setup.start();
    await ready('job_s');
    const reason = 'preempted for job job_x of priority 200';
    setup.core.order({ kind: 'PREEMPT', jobId: 'job_s', fence: null, newFence: null, reason });
    expect(await failure('job_s')).toMatchObject({
      error: { family: 'WORKER', code: 'DRAINED', message: `The job was ${reason}` },
    });
  });
});
