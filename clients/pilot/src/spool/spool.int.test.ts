import { describe, expect, it } from '@jest/globals';
import { mkdir, readdir, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { takeOverReports } from '../agent/left-reports.js';
import { chunk, finished, reportsSetup } from '../testing/reports-setup.js';
import { readDurable, writeDurably } from './durable-file.js';

const setup = reportsSetup();

/** Makes the spool of this process look like that of one that has ended. */
async function endPilot(): Promise<string> {
  const name = (await readdir(setup.folder)).find((one) => one.startsWith('spool-')) ?? '';
  const ended = join(setup.folder, 'spool-4194305-1');
  await rename(join(setup.folder, name), ended);
  return ended;
}

/** A spool with one attempt whose end could not be sent, and one whose payload still ran. */
async function leftBehind(name?: string): Promise<string> {
  const spool = await setup.openSpool(undefined, name);
  const [ended, running] = [setup.reportsOf(spool, 'job_a'), setup.reportsOf(spool, 'job_b')];
  await ended.appendLog([chunk('one\n')]);
  void ended.deliver(finished()).catch(() => undefined);
  await running.appendLog([chunk('up\n')]);
  await setup.core.until('its end is on disk', () => ended.isEndSpooled);
  ended.leave(new Error('the pilot died'));
  running.leave(new Error('the pilot died'));
  await Promise.all([ended.close(), running.close()]);
  await spool.close();
  return endPilot();
}

describe('takeOverReports', () => {
  it('sends what a dead pilot of the same name left, and forgets payloads that died with it', async () => {
    const folder = await leftBehind();
    const spool = await setup.openSpool();
    const left = await takeOverReports(await spool.takeOver(), setup.services);
    expect(left.map(({ held }) => held)).toEqual([{ jobId: 'job_a', fence: 1 }]);
    setup.openContact();
    await Promise.all(left.map(async ({ done }) => done));
    expect(setup.core.about('job_a')).toEqual(['FINISHED']);
    expect(setup.core.logOf('job_a')).toBe('one\n');
    expect(setup.core.about('job_b')).toEqual([]);
    await spool.close();
    expect(await readdir(setup.folder)).toEqual([]);
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });

  it('leaves the reports of a pilot with another name alone, until they are old', async () => {
    const folder = await leftBehind('another');
    const spool = await setup.openSpool();
    expect(await takeOverReports(await spool.takeOver(), setup.services)).toEqual([]);
    expect(await readdir(folder)).toContain('att_job_a');
    const longAgo = new Date(Date.now() - 8 * 86_400_000);
    await utimes(folder, longAgo, longAgo);
    await takeOverReports(await spool.takeOver(), setup.services);
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });

  it('forgets an attempt whose end is damaged', async () => {
    const folder = await leftBehind();
    await writeFile(join(folder, 'att_job_a', '00000001.json'), 'ffffffff {}');
    expect(await takeOverReports(await (await setup.openSpool()).takeOver(), setup.services)).toEqual([]);
  });

  it('sends the end of an attempt whose log is damaged, with a mark', async () => {
    const folder = await leftBehind();
    await writeFile(join(folder, 'att_job_a', '00000000.json'), 'ffffffff {}');
    const left = await takeOverReports(await (await setup.openSpool()).takeOver(), setup.services);
    setup.openContact();
    await Promise.all(left.map(async ({ done }) => done));
    expect(setup.core.about('job_a')).toEqual(['FINISHED']);
    expect(setup.core.logOf('job_a')).toMatch(/^\n\[rhizome: a part is missing here.*\]\n$/);
  });

  it('takes each attempt once while other pilots clean the same scratch space', async () => {
    for (let number = 1; number <= 20; number += 1) {
      const folder = join(setup.folder, `spool-4194305-${number}`);
      await mkdir(join(folder, `att_${number}`), { recursive: true });
      const owner = { queue: 'q', name: 'pilot', host: 'host' };
      await writeDurably(join(folder, 'owner.json'), JSON.stringify(owner));
      await mkdir(join(setup.folder, `spool-4194306-${number}`));
    }
    const spool = await setup.openSpool();
    const taken = await Promise.all([1, 2, 3, 4].map(async () => spool.takeOver()));
    expect(taken.flat()).toHaveLength(20);
    expect((await readdir(setup.folder)).filter((name) => /^spool-419430/.test(name))).toEqual([]);
  });

  it('leaves a spool alone that is still in use', async () => {
    const spool = await setup.openSpool();
    const reports = setup.reportsOf(spool, 'job_a');
    void reports.deliver(finished()).catch(() => undefined);
    await setup.core.until('its end is on disk', () => reports.isEndSpooled);
    expect(await takeOverReports(await spool.takeOver(), setup.services)).toEqual([]);
    reports.discard(new Error('the test is over'));
    await reports.close();
  });
});

describe('a durable file', () => {
  it('has its former content or the new one, and is refused if it is damaged', async () => {
    const path = join(setup.folder, 'file.json');
    await writeDurably(path, '{"a":1}');
    await mkdir(`${path}.new`);
    await expect(writeDurably(path, '{"a":2}')).rejects.toThrow('EISDIR');
    expect(await readDurable(path)).toEqual({ a: 1 });
    await writeFile(path, '00000000 {"a":3}');
    await expect(readDurable(path)).rejects.toThrow('is damaged');
  });
});
