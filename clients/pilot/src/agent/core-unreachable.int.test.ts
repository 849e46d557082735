import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync } from 'node:fs';
import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { FailReport, FinishReport, Registration } from '../protocol/core-protocol.js';
import { withoutIsolation } from '../testing/pilot-options.js';
import { payloadsOfThisProcess, pilotSetup } from '../testing/pilot-setup.js';

const setup = pilotSetup();

/** A wait for payloads. */
function gate(): { readonly wait: string; readonly open: () => Promise<void> } {
  const go = join(setup.folder, 'go');
  return { wait: `until test -e ${go}; do sleep 0.05; done`, open: async () => writeFile(go, '') };
}

const isUp = async (...jobIds: readonly string[]): Promise<void> => {
  for (const jobId of jobIds)
    await setup.core.until(`${jobId} is up`, () => setup.core.logOf(jobId) === 'up\n');
};

/** Waits until the lease is over; the pilot is in this process, so that its timer fires first. */
const silence = async (): Promise<void> => pause(setup.core.lease.leaseSeconds * 2000);

const scratch = (): string => join(setup.folder, 'scratch');
const reportFile = /^spool-.*\/\d+\.json$/;

/** Number of reports on disk. */
const spooledNow = (): number =>
  readdirSync(scratch(), { recursive: true }).filter((path) => reportFile.test(String(path))).length;

async function spooled(): Promise<number> {
  const end = performance.now() + 60_000;
  while (spooledNow() < 3 && performance.now() < end) await pause(20);
  return spooledNow();
}

/** Makes the spool look like that of a process that has ended: both pilots of a test are in this process. */
async function endOfProcess(): Promise<void> {
  for (const name of await readdir(scratch()))
    if (name.startsWith('spool-')) await rename(join(scratch(), name), join(scratch(), 'spool-4194305-1'));
}

describe('a pilot that cannot reach core', () => {
  it('continues the job during the lease, and reports its end once core is back', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 5 };
    const go = join(setup.folder, 'go');
    setup.core.add({ jobId: 'job_a', shell: `echo up; until test -e ${go}; do sleep 0.05; done; echo down` });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.mood = 'away';
    await writeFile(go, '');
    await pause(1500);
    setup.core.mood = 'here';
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
  });

  it('repeats reports whose responses were lost, and they count once', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 5 };
    const go = join(setup.folder, 'go');
    setup.core.add({ jobId: 'job_a', shell: `echo up; until test -e ${go}; do sleep 0.05; done; echo down` });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.mood = 'mute';
    await writeFile(go, '');
    await setup.core.until(
      'the log was sent twice',
      () => setup.core.calls.filter((call) => call === 'appendJobLog').length >= 4,
    );
    setup.core.mood = 'here';
    await setup.core.until(
      'the pilot has nothing left to say',
      () => payloadsOfThisProcess().length === 0 && setup.ended('job_a')(),
    );
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  it('runs payloads on beyond the lease, keeps their reports, and takes no new job', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 0.6 };
    const { wait, open } = gate();
    setup.core.add({
      jobId: 'job_a',
      shell: `echo up; ${wait}; echo down > $RHIZOME_OUTPUTS/o; echo out`,
      payload: { outputs: ['o'] },
    });
    setup.core.add({ jobId: 'job_b', shell: `echo up; ${wait}; exit 7` });
    setup.start();
    await isUp('job_a', 'job_b');
    setup.core.mood = 'away';
    setup.core.add({ jobId: 'job_c' });
    await silence();
    const before = setup.core.calls.length;
    await open();
    await setup.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(await spooled()).toBeGreaterThanOrEqual(3);
    expect(setup.core.calls.slice(before)).not.toContain('acquireJobs');
    setup.core.mood = 'here';
    await setup.core.until('all have ended', () =>
      ['job_a', 'job_b', 'job_c'].every((id) => setup.ended(id)()),
    );
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED']);
    expect(setup.core.logOf('job_a')).toBe('up\nout\n');
    expect(setup.detailOf<FinishReport>('FINISHED', 'job_a').outputs).toMatchObject([
      { name: 'o', sizeBytes: 5 },
    ]);
    expect(setup.detailOf<FailReport>('failed', 'job_b')).toMatchObject({ exitCode: 7 });
    expect(setup.core.said.filter(({ what }) => what === 'registered')).toHaveLength(1);
    await setup.core.until('the disk is free again', () => spooledNow() === 0);
  });

  it('does not let a payload wait for core when it writes much output', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 0.6 };
    const { wait, open } = gate();
    const shell = `echo up; ${wait}; yes 0123456789 | head -c 1100000; sleep 0.1; echo end`;
    setup.core.add({ jobId: 'job_a', shell });
    setup.start({ captureLimits: { head: 4 << 20, tail: 1 << 12, buffer: 1 << 16 } });
    await isUp('job_a');
    setup.core.mood = 'away';
    await silence();
    await open();
    await setup.core.until('it has ended', () => payloadsOfThisProcess().length === 0);
    expect(setup.core.mood).toBe('away');
    setup.core.mood = 'here';
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.core.logOf('job_a')).toHaveLength('up\n'.length + 1_100_000 + 'end\n'.length);
    expect(setup.core.logOf('job_a')).toMatch(/end\n$/);
  });

  it('starts no payload whose start core has not accepted', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 0.6 };
    setup.core.leavesAfterGrant = true;
    const started = join(setup.folder, 'started');
    setup.core.add({ jobId: 'job_a', shell: `touch ${started}` });
    setup.start({ isolation: withoutIsolation });
    await setup.core.until('job_a was sent', () => setup.core.about('job_a').includes('sent'));
    await silence();
    setup.core.leavesAfterGrant = false;
    setup.core.withdraw('job_a', 'DROP', false);
    setup.core.mood = 'here';
    setup.core.add({ jobId: 'job_b' });
    await setup.core.until('job_b ends', setup.ended('job_b'));
    expect(setup.core.about('job_a')).toEqual(['sent']);
    expect(existsSync(started)).toBe(false);
  });

  it('stops a payload when its time without core is over, and reports that', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 0.6 };
    const shell = 'trap "" TERM; echo up; while :; do sleep 0.05; done';
    setup.core.add({ jobId: 'job_a', shell, continueSeconds: 0 });
    setup.core.add({ jobId: 'job_b', shell, continueSeconds: 2 });
    const { wait, open } = gate();
    setup.core.add({ jobId: 'job_c', shell: `echo up; ${wait}` });
    setup.start();
    await isUp('job_a', 'job_b', 'job_c');
    setup.core.mood = 'away';
    await setup.core.until('two of three have ended', () => payloadsOfThisProcess().length === 1);
    setup.core.mood = 'here';
    await open();
    await setup.core.until('all have ended', () =>
      ['job_a', 'job_b', 'job_c'].every((id) => setup.ended(id)()),
    );
    for (const [jobId, time] of [
      ['job_a', '0.6'],
      ['job_b', '2'],
    ] as const)
      expect(setup.detailOf<FailReport>('failed', jobId).error).toEqual({
        family: 'WORKER',
        code: 'CONTACT_LOST',
        message: `Core did not answer for ${time} s`,
        retryable: true,
      });
    expect(setup.core.about('job_c')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  it('continues a job that was given away and not started there, under the new fence', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 0.6 };
    const { wait, open } = gate();
    for (const jobId of ['job_a', 'job_b']) setup.core.add({ jobId, shell: `echo up; ${wait}; echo down` });
    setup.start();
    await isUp('job_a', 'job_b');
    setup.core.mood = 'away';
    await silence();
    setup.core.reassign('job_a');
    setup.core.withdraw('job_b', 'DROP', false);
    setup.core.mood = 'here';
    await setup.core.until('the other payload was stopped', () => payloadsOfThisProcess().length === 1);
    await open();
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'adopted', 'FINISHED']);
    expect(setup.detailOf<FinishReport>('FINISHED', 'job_a').fence).toBe(3);
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
    expect(setup.core.about('job_b')).toEqual(['sent', 'RUNNING']);
  });

  it('registers again with its jobs when core has given it up', async () => {
    const { wait, open } = gate();
    setup.core.add({ jobId: 'job_a', shell: `echo up; ${wait}; echo down` });
    setup.core.add({ jobId: 'job_b', shell: `echo up; ${wait}; echo down` });
    setup.start();
    await isUp('job_a', 'job_b');
    setup.core.withdraw('job_b', 'DROP', false);
    setup.core.loseWorker();
    await setup.core.until('it has registered again', () => setup.core.about('job_a').includes('adopted'));
    await setup.core.until('the other payload was stopped', () => payloadsOfThisProcess().length === 1);
    await open();
    await setup.core.until('job_a ends', setup.ended('job_a'));
    const [, again] = setup.core.said.filter(({ what }) => what === 'registered');
    expect((again?.detail as Registration).jobs).toEqual([
      { jobId: 'job_a', fence: 1 },
      { jobId: 'job_b', fence: 1 },
    ]);
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'adopted', 'FINISHED']);
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
  });

  it('keeps jobs and their reports when its credential is refused and another worker gets one', async () => {
    setup.core.lease = { heartbeatSeconds: 600, leaseSeconds: 1200 };
    const { wait, open } = gate();
    setup.core.add({ jobId: 'job_a', shell: `echo up; ${wait}; echo down; exit 3` });
    setup.core.add({ jobId: 'job_b', shell: `echo up; ${wait}; sleep 1; echo down` });
    setup.start();
    await isUp('job_a', 'job_b');
    setup.core.refuseCredential();
    await open();
    await setup.core.until('both have ended', () => ['job_a', 'job_b'].every((id) => setup.ended(id)()));
    expect(setup.core.said.filter(({ what }) => what === 'registered')).toHaveLength(2);
    expect(setup.detailOf<FailReport>('failed', 'job_a')).toMatchObject({ exitCode: 3 });
    expect(setup.core.about('job_b')).toEqual(['sent', 'RUNNING', 'adopted', 'FINISHED']);
    for (const jobId of ['job_a', 'job_b']) expect(setup.core.logOf(jobId)).toBe('up\ndown\n');
  });

  it('keeps a result that it cannot send when it is stopped, for the next pilot of its name', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 0.6 };
    const { wait, open } = gate();
    setup.core.add({ jobId: 'job_a', shell: `echo up; ${wait}; exit 3` });
    setup.core.add({ jobId: 'job_b', shell: 'echo up; sleep 600' });
    const first = setup.start();
    await isUp('job_a', 'job_b');
    setup.core.mood = 'away';
    await open();
    await setup.core.until(
      'the end is on disk',
      () => spooledNow() > 0 && payloadsOfThisProcess().length === 1,
    );
    await silence();
    first.stop('the host restarts');
    await setup.running;
    await endOfProcess();
    setup.core.mood = 'here';
    setup.core.add({ jobId: 'job_c' });
    setup.start();
    await setup.core.until('job_a has ended', setup.ended('job_a'));
    await setup.core.until('job_c ends', setup.ended('job_c'));
    expect(setup.detailOf<FailReport>('failed', 'job_a')).toMatchObject({ exitCode: 3, fence: 3 });
    expect(setup.core.about('job_b')).toEqual(['sent', 'RUNNING']);
    const [, again] = setup.core.said.filter(({ what }) => what === 'registered');
    expect((again?.detail as Registration).jobs).toEqual([{ jobId: 'job_a', fence: 1 }]);
  });

  it('does not report a job again after core refused its fence', async () => {
    const go = join(setup.folder, 'go');
    setup.core.add({ jobId: 'job_a', shell: `echo up; until [ -e ${go} ]; do sleep 0.02; done` });
    setup.core.lease = { heartbeatSeconds: 30, leaseSeconds: 60 };
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.withdraw('job_a', 'DROP', false);
    await writeFile(go, '');
    await setup.core.until('its word was refused', () => setup.core.about('job_a').includes('refused'));
    setup.core.add({ jobId: 'job_b' });
    await setup.core.until('job_b ends', setup.ended('job_b'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'refused']);
  });
});
