/** Notices of real payloads, which run as children of this process. */
import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { payloadSetup, readAll, type StartedPayload, textOf } from '../testing/payload-setup.js';
import type { NoticeTerms } from './notice.js';
import type { PayloadLimits, PayloadResult } from './payload.js';

const setup = payloadSetup();

const terms = (over: Partial<NoticeTerms> = {}): NoticeTerms => ({
  seconds: 30,
  signal: 'SIGUSR1',
  file: join(setup.folder, 'deadline'),
  ...over,
});

interface Ended extends PayloadResult {
  readonly out: string;
}

const endOf = async ({ payload, capture }: StartedPayload): Promise<Ended> => {
  const [result, chunks] = await Promise.all([payload.result, readAll(capture)]);
  return { ...result, out: textOf(chunks, 'STDOUT') };
};

/** Starts a script that creates the file `ready` when its traps are set. */
async function ready(script: string, limits: Partial<PayloadLimits> = {}): Promise<StartedPayload> {
  const started = await setup.start(script, { notice: terms(), ...limits });
  while (!readdirSync(setup.folder).includes('ready')) await pause(20);
  return started;
}

const waits = 'touch ready; while :; do sleep 0.05; done';

describe('a notice', () => {
  it('brings the signal of the job, and a file with the end and the reason', async () => {
    const started = await ready(`trap '. ./deadline; echo $reason $end $end_epoch; exit 75' USR1; ${waits}`);
    const before = Date.now();
    await started.payload.notify('DRAIN', 600);
    const { exitCode, exceeded, notice, out } = await endOf(started);
    expect({ exitCode, exceeded }).toEqual({ exitCode: 75, exceeded: null });
    const [reason, end = '', epoch] = out.trim().split(' ');
    expect({ reason, endsAt: end }).toEqual(notice);
    expect(Date.parse(end)).toBeGreaterThanOrEqual(before + 600_000);
    expect(Number(epoch)).toBe(Math.floor(Date.parse(end) / 1000));
  });

  it('comes before the walltime ends, and is then the grace period', async () => {
    const script = `trap 'echo asked' TERM; until test -e deadline; do sleep 0.05; done; cat deadline; ${waits}`;
    const limits = { walltimeSeconds: 3, graceSeconds: 600, notice: terms({ seconds: 2, signal: null }) };
    const result = await endOf(await ready(script, limits));
    expect(result).toMatchObject({ signal: 'SIGKILL', exceeded: 'WALLTIME', notice: { reason: 'WALLTIME' } });
    expect(result.out).toMatch(/^end=.*Z\nend_epoch=\d+\nreason=WALLTIME\n$/);
  });

  it('names the end of a walltime that is shorter than the notice', async () => {
    const before = Date.now();
    const script = 'until test -e deadline; do sleep 0.05; done; . ./deadline; echo $end; exit 0';
    const notice = terms({ seconds: 3000, signal: null });
    const started = await setup.start(script, { walltimeSeconds: 600, notice });
    const end = Date.parse((await endOf(started)).out.trim());
    expect(end).toBeGreaterThanOrEqual(before + 600_000);
    expect(end).toBeLessThanOrEqual(Date.now() + 600_000);
  });

  it('kills a payload that does not end', async () => {
    const started = await ready(`trap "" USR1 TERM; ${waits}`, { graceSeconds: 600 });
    await started.payload.notify('DRAIN', 0.3);
    expect(await endOf(started)).toMatchObject({ signal: 'SIGKILL', exceeded: 'NOTICE' });
  });

  it('reaches only processes that handle the signal', async () => {
    const child = `${process.execPath} -e "setTimeout(() => console.log('whole'), 1500)"`;
    const started = await ready(`trap 'echo noticed' USR1; ${child} & touch ready; wait $!; wait; exit 0`);
    await started.payload.notify('DRAIN', 600);
    expect(await endOf(started)).toMatchObject({ exitCode: 0, out: 'noticed\nwhole\n' });
  });

  it('is replaced by one of an earlier end, and not by one of a later end', async () => {
    const started = await ready(`trap "" USR1; ${waits}`, { notice: terms({ signal: null }) });
    const deadline = (): string => readFileSync(terms().file, 'utf8');
    await started.payload.notify('DRAIN', 600);
    const first = deadline();
    await started.payload.notify('WALLTIME', 700);
    expect(deadline()).toBe(first);
    await started.payload.notify('DRAIN', 0.3);
    expect(deadline()).not.toBe(first);
    expect(await endOf(started)).toMatchObject({ exceeded: 'NOTICE' });
  });

  it('does not follow a link that the payload has put in the place of the file', async () => {
    const other = join(setup.folder, 'other');
    writeFileSync(other, 'kept');
    const started = await ready(`trap 'exit 0' USR1; ${waits}`);
    symlinkSync(other, terms().file);
    await started.payload.notify('DRAIN', 600);
    await endOf(started);
    expect(readFileSync(other, 'utf8')).toBe('kept');
    expect(readFileSync(terms().file, 'utf8')).toContain('reason=DRAIN');
  });

  it('is not given to a payload that asks for none', async () => {
    const started = await ready(`trap 'exit 3' USR1 TERM; ${waits}`, { notice: undefined });
    await started.payload.notify('DRAIN', 0.1);
    started.payload.terminate();
    expect(await endOf(started)).toMatchObject({ exitCode: 3, exceeded: null });
    expect(readdirSync(setup.folder)).not.toContain('deadline');
  });
});
