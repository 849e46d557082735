/** Payloads that want the pilot to store files of its host as their outputs. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { link, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FailReport, FinishReport } from '../protocol/core-protocol.js';
import { withoutIsolation } from '../testing/pilot-options.js';
import { pilotSetup } from '../testing/pilot-setup.js';

const setup = pilotSetup();
/** A folder of the host with a file that the job's owner must not see. */
let host: string;

beforeEach(async () => {
  host = join(setup.folder, 'host');
  await mkdir(join(host, 'below'), { recursive: true });
  await writeFile(join(host, 'token'), 'host secret');
  await writeFile(join(host, 'below', 'token'), 'host secret');
});

async function storedTexts(): Promise<readonly string[]> {
  const store = join(setup.folder, 'store');
  const names = await readdir(store, { recursive: true }).catch(() => []);
  const files = await Promise.all(
    names.map(async (name) => readFile(join(store, name), 'utf8').catch(() => '')),
  );
  return files.filter((text) => text !== '');
}

async function run(shell: string, outputs: readonly string[] = ['token']): Promise<FailReport> {
  setup.core.add({ jobId: 'job_a', shell: `HOST=${host}; ${shell}`, payload: { outputs } });
  setup.start({ isolation: withoutIsolation });
  await setup.core.until('job_a ends', setup.ended('job_a'));
  return setup.detailOf<FailReport>('failed', 'job_a');
}

describe('findOutputs', () => {
  it.each([
    [
      'its folder is a link to a folder of the host',
      'rm -rf "$RHIZOME_OUTPUTS"; ln -s "$HOST" "$RHIZOME_OUTPUTS"',
    ],
    ['its folder was replaced', 'rmdir "$RHIZOME_OUTPUTS"; mv "$HOST" "$RHIZOME_OUTPUTS"; mkdir "$HOST"'],
    [
      'a folder above it is a link',
      'r=$(dirname "$RHIZOME_OUTPUTS"); mv "$r" "$r.old"; mkdir -p "$HOST/root"; mv "$HOST" "$HOST.x"; ' +
        'mkdir -p "$HOST/root"; mv "$HOST.x" "$HOST/root/outputs"; ln -s "$HOST/root" "$r"',
    ],
    ['it is a link to a file of the host', 'ln -s "$HOST/token" "$RHIZOME_OUTPUTS/token"'],
    ['it is a hard link to a file of the host', 'ln "$HOST/token" "$RHIZOME_OUTPUTS/token"'],
    ['it is a FIFO', 'mkfifo "$RHIZOME_OUTPUTS/token"'],
    ['it is a folder', 'mkdir "$RHIZOME_OUTPUTS/token"'],
    ['it is a link to a device', 'ln -s /dev/zero "$RHIZOME_OUTPUTS/token"'],
  ])('refuses an output if %s', async (_, shell) => {
    expect(await run(shell)).toMatchObject({
      exitCode: 0,
      error: { family: 'DATA', code: 'OUTPUT_MISSING' },
    });
    expect(await storedTexts()).toEqual([]);
  });

  it('says why an output is refused', async () => {
    const { error } = await run('ln "$HOST/token" "$RHIZOME_OUTPUTS/token"', ['gone', 'token']);
    expect(error.message).toContain('"gone", "token" (it has several hard links)');
  });

  it('refuses all outputs of a folder that was replaced', async () => {
    const { error } = await run(
      'rm -r "$RHIZOME_OUTPUTS"; mkdir "$RHIZOME_OUTPUTS"; echo x > "$RHIZOME_OUTPUTS/token"',
    );
    expect(error.message).toContain('the payload replaced the output folder');
  });

  it('stores outputs of a folder that was moved and put back', async () => {
    setup.core.add({
      jobId: 'job_a',
      shell: 'mv "$RHIZOME_OUTPUTS" o; echo mine > o/token; mv o "$RHIZOME_OUTPUTS"',
      payload: { outputs: ['token'] },
    });
    setup.start({ isolation: withoutIsolation });
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.detailOf<FinishReport>('FINISHED', 'job_a')).toMatchObject({ outputs: [{ name: 'token' }] });
    expect(await storedTexts()).toEqual(['mine\n']);
  });
});

describe('removeFolder', () => {
  it('changes no folder of the host through a link', async () => {
    await link(join(host, 'token'), join(host, 'other'));
    const before = (await stat(join(host, 'below'))).mode;
    setup.core.add({
      jobId: 'job_a',
      shell: `r=$(dirname "$RHIZOME_OUTPUTS"); mv "$r" "$r.old"; ln -s ${host} "$r"; ln -s ${host} "$r.old/work/x"; chmod 000 "$r.old/work"`,
    });
    setup.start({ isolation: withoutIsolation });
    await setup.core.until('job_a ends', setup.ended('job_a'));
    setup.pilot?.drain('enough');
    await setup.running;
    expect((await stat(join(host, 'below'))).mode).toBe(before);
    expect((await readdir(host)).sort()).toEqual(['below', 'other', 'token']);
  });
});
