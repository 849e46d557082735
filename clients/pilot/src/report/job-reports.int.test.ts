import { describe, expect, it } from '@jest/globals';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chunk, finished, reportsSetup } from '../testing/reports-setup.js';
import { JobReports } from './job-reports.js';

const setup = reportsSetup();

/** Files of reports below the spools. */
async function files(): Promise<readonly string[]> {
  const found = await readdir(setup.folder, { recursive: true });
  return found.filter((path) => /\/\d+\.json$/.test(path)).sort();
}

describe('JobReports', () => {
  it('leaves nothing on disk while core answers', async () => {
    const reports = setup.reportsOf(await setup.openSpool(), 'job_a');
    setup.openContact();
    await reports.appendLog([chunk('one '), chunk('two')]);
    expect(await reports.deliver(finished())).toEqual({ accepted: true });
    expect(await files()).toEqual([]);
    expect(setup.core.logOf('job_a')).toBe('one two');
  });

  it('keeps reports on disk without contact, and sends them in order with the fence of the return', async () => {
    const reports = setup.reportsOf(await setup.openSpool(), 'job_a');
    await reports.appendLog([chunk('one ')]);
    expect(await reports.submit(finished('HOLDING'))).toEqual({ accepted: true });
    await reports.appendLog([chunk('two')]);
    const end = reports.deliver(finished());
    await setup.core.until('its end is on disk', () => reports.isEndSpooled);
    expect(await files()).toHaveLength(4);
    expect(setup.core.calls).toEqual(['registerWorker']);
    setup.core.withdraw('job_a', 'DROP', false);
    reports.adopt(2);
    setup.openContact();
    expect(await end).toEqual({ accepted: true });
    await reports.close();
    expect(setup.core.about('job_a')).toEqual(['HOLDING', 'FINISHED']);
    expect(setup.core.logOf('job_a')).toBe('one two');
    expect(await readdir(setup.folder, { recursive: true })).toHaveLength(2);
  });

  it('writes a report to disk that core does not answer', async () => {
    const reports = setup.reportsOf(await setup.openSpool(), 'job_a');
    setup.openContact();
    setup.core.mood = 'away';
    expect(await reports.submit(finished('HOLDING'))).toEqual({ accepted: true });
    expect(await files()).toHaveLength(1);
    setup.core.mood = 'here';
    await reports.delivered();
    await reports.close();
    expect(await files()).toEqual([]);
  });

  it('leaves out the oldest part of the longest log when the space is full, with a mark', async () => {
    const spool = await setup.openSpool(8000);
    const [long, short] = [setup.reportsOf(spool, 'job_a'), setup.reportsOf(spool, 'job_b')];
    await short.appendLog([chunk('short\n')]);
    for (const letter of 'abcdefgh') await long.appendLog([chunk(`${letter.repeat(2000)}\n`), chunk('.')]);
    expect(spool.space.usedBytes).toBeLessThanOrEqual(8000);
    const ends = [long, short].map(async (reports) => reports.deliver(finished()));
    await setup.core.until('the ends are on disk', () => long.isEndSpooled && short.isEndSpooled);
    setup.openContact();
    await Promise.all(ends);
    expect(setup.core.logOf('job_b')).toBe('short\n');
    const [mark = '', ...rest] = setup.core.logOf('job_a').split('\n').slice(1);
    const leftOut = Number(/^\[rhizome: (\d+) bytes left out here/.exec(mark)?.[1]);
    // Whole lines of 2,002 bytes are missing from the beginning, and no others.
    expect(leftOut % 2002).toBe(0);
    const kept = 8 - leftOut / 2002;
    expect(kept).toBeGreaterThan(0);
    expect(rest.join('')).toBe(
      [...'abcdefgh']
        .slice(-kept)
        .map((letter) => `${letter.repeat(2000)}.`)
        .join(''),
    );
    expect(setup.core.about('job_a')).toEqual(['FINISHED']);
  });

  it('keeps states and exit codes beyond the space', async () => {
    const spool = await setup.openSpool(100);
    const reports = setup.reportsOf(spool, 'job_a');
    await reports.appendLog([chunk('x'.repeat(1000))]);
    await reports.submit(finished('HOLDING'));
    const end = reports.deliver(finished());
    await setup.core.until('its end is on disk', () => reports.isEndSpooled);
    setup.openContact();
    await end;
    expect(setup.core.about('job_a')).toEqual(['HOLDING', 'FINISHED']);
    expect(setup.core.logOf('job_a')).toContain('[rhizome: 1000 bytes left out here');
  });

  it('never changes a part of the log that core may have', async () => {
    const spool = await setup.openSpool(4000);
    const reports = setup.reportsOf(spool, 'job_a');
    setup.openContact();
    setup.core.mood = 'mute';
    await reports.appendLog([chunk('first\n')]);
    setup.contact.close('core is silent');
    for (const letter of 'abcd') await reports.appendLog([chunk(`${letter.repeat(1500)}\n`)]);
    setup.core.mood = 'here';
    const end = reports.deliver(finished());
    setup.openContact();
    await end;
    expect(setup.core.logOf('job_a')).toMatch(/^first\n\n\[rhizome: \d+ bytes left out.*\]\n.*d{1500}\n$/s);
    expect(setup.core.logOf('job_a').match(/first/g)).toHaveLength(1);
  });

  it('sends a report again under the fence that core gives when it calls the old one outdated', async () => {
    const reports = setup.reportsOf(await setup.openSpool(), 'job_a');
    setup.core.withdraw('job_a', 'DROP', false);
    setup.openContact(() => reports.adopt(2));
    expect(await reports.deliver(finished())).toEqual({ accepted: true });
    expect(setup.core.about('job_a')).toEqual(['refused', 'FINISHED']);
  });

  it('keeps a job with an outdated fence until core has said what becomes of it', async () => {
    const reports = setup.reportsOf(await setup.openSpool(), 'job_a');
    setup.core.withdraw('job_a', 'DROP', false);
    let heartbeats = 0;
    setup.openContact(async () => {
      heartbeats += 1;
      // The first one is not answered.
      if (heartbeats === 1) return new Promise(() => undefined);
      reports.adopt(2);
    });
    expect(await reports.deliver(finished())).toEqual({ accepted: true });
    expect(setup.core.about('job_a')).toEqual(['refused', 'refused', 'FINISHED']);
  });

  it('removes all of a job that is no longer its own', async () => {
    const reports = setup.reportsOf(await setup.openSpool(), 'job_a');
    await reports.submit(finished('HOLDING'));
    const end = reports.deliver(finished());
    reports.discard(new Error('dropped'));
    await expect(end).rejects.toThrow('dropped');
    await reports.close();
    expect(await files()).toEqual([]);
  });

  it('knows how much of the log an earlier pilot has written, also if it was left out', async () => {
    const spool = await setup.openSpool(4000);
    const reports = setup.reportsOf(spool, 'job_a');
    await reports.appendLog([chunk('one\n')], 100);
    for (const offset of [200, 300, 400]) await reports.appendLog([chunk('x'.repeat(3000))], offset);
    reports.leave(new Error('the pilot ends'));
    await reports.close();
    const left = spool.attempt('att_job_a');
    const state = { jobId: 'job_a', fence: 1, attemptId: 'att_job_a', nextSequence: 0 };
    await left.make(state);
    const resumed = await JobReports.resume(state, left, setup.services);
    expect(resumed.leftOffset).toBe(400);
    resumed.discard(new Error('the test is over'));
    await resumed.close();
  });

  it('knows how much of the log core has, if the progress of the attempt was not recorded', async () => {
    const spool = await setup.openSpool();
    const reports = setup.reportsOf(spool, 'job_a');
    await reports.appendLog([chunk('one\n')], 100);
    setup.openContact();
    await reports.appendLog([chunk('two\n')], 200);
    await reports.delivered();
    reports.leave(new Error('the pilot ends'));
    await reports.close();
    const left = spool.attempt('att_job_a');
    const state = await left.readState();
    await left.make(state);
    const resumed = await JobReports.resume({ ...state, nextSequence: 0 }, left, setup.services);
    expect([resumed.leftOffset, resumed.nextSequence]).toEqual([200, 2]);
    resumed.discard(new Error('the test is over'));
    await resumed.close();
  });

  it('marks a part of the log whose file is damaged', async () => {
    const reports = setup.reportsOf(await setup.openSpool(), 'job_a');
    await reports.appendLog([chunk('one')]);
    await reports.appendLog([chunk('two')]);
    const [first = ''] = await files();
    await writeFile(join(setup.folder, first), '00000000 {"kind":"LOG"}');
    setup.openContact();
    await reports.deliver(finished());
    expect(setup.core.logOf('job_a')).toMatch(/^\n\[rhizome: a part is missing here.*\]\ntwo$/s);
  });
});
