// Folders of users: uploaded, run in, and results fetched.
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { experiment } from '../system/jobs.js';
import { cli, submitArgs, system } from './stage.js';

const flags = ['-e', experiment, '--memory', '64', '--attempts', '1'];
const place = (...path: readonly string[]): string => join(dirname(system.data), 'analysis', ...path);

describe('rhizome run and fetch', () => {
  let job = '';
  beforeAll(async () => {
    await mkdir(place('lib'), { recursive: true });
    const program = '. lib/words.sh; echo "$word $1"; echo trouble >&2; cat data > "$RHIZOME_OUTPUTS/hist"';
    await writeFile(place('fit.sh'), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
    await writeFile(place('lib', 'words.sh'), 'word=fitted\n');
    await writeFile(place('data'), 'x'.repeat(100_000));
    await writeFile(place('scratch.tmp'), 'not needed');
    await writeFile(place('.rhizomeignore'), '*.tmp\n');
    await symlink('lib/words.sh', place('link'));
  });

  it('uploads a folder, runs a command in it, and follows log and states to the end', async () => {
    const ended = await cli.run(['run', 'analysis', ...flags, '-o', 'hist', '--', './fit.sh', 'peak']);
    expect(ended.stdout).toBe('fitted peak');
    expect(ended.stderr).toMatch(/^analysis: 3 files, 97\.\d KiB, 2 left out\n.* sent\n/);
    expect(ended.stderr).toContain('trouble');
    expect(ended.stderr).toMatch(/→ FINISHED {2}attempt 1 {2}exit code 0$/);
    expect(ended.exitCode).toBe(0);
    job = /job_\w+/.exec(ended.stderr)?.[0] ?? '';
  });

  it('sends nothing twice, and ends with 1 if the job fails', async () => {
    const ended = await cli.run(['run', 'analysis', ...flags, '--', 'sh', '-c', 'ls; readlink link; exit 3']);
    expect(ended.stderr).toContain('nothing to send: all is there');
    expect(ended.stdout).toBe('data\nfit.sh\nlib\nlink\nlib/words.sh');
    expect(ended.stderr).toMatch(/→ FAILED {2}attempt 1 {2}exit code 3/);
    expect(ended.exitCode).toBe(1);
  });

  it('refuses secrets and links that lead out, and submits nothing', async () => {
    await writeFile(place('.netrc'), 'machine x');
    await symlink('/etc/passwd', place('outside'));
    const before = (await cli.run(['uploads', 'list', '--json'])).stdout;
    const ended = await cli.run(['run', 'analysis', ...flags, '--', 'true']);
    expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
    expect(ended.stderr).toContain('".netrc" looks like passwords for hosts; leave it out in .rhizomeignore');
    expect(ended.stderr).toContain('"outside" → "/etc/passwd" leads to an absolute path');
    expect((await cli.run(['uploads', 'list', '--json'])).stdout).toBe(before);
  });

  it('fetches outputs, and never replaces a file silently', async () => {
    expect(await cli.run(['fetch', job, '--to', 'results'])).toMatchObject({
      ...{ exitCode: 0, stdout: '1 fetched, 0 there already, 0 failed' },
    });
    const file = join(dirname(system.data), 'results', 'hist');
    expect(await readFile(file, 'utf8')).toBe('x'.repeat(100_000));
    expect((await cli.run(['fetch', job, '--to', 'results'])).stdout).toContain('1 there already');
    await writeFile(file, 'of the user');
    const refused = await cli.run(['fetch', job, 'h*', '--to', 'results']);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain('hist: not written: another file with this name exists; --force');
    expect(await readFile(file, 'utf8')).toBe('of the user');
    expect((await cli.run(['fetch', job, '--to', 'results', '--force'])).exitCode).toBe(0);
    expect(await readFile(file, 'utf8')).toBe('x'.repeat(100_000));
    const none = await cli.run(['fetch', job, '*.root']);
    expect(none).toMatchObject({ exitCode: 3, stdout: '' });
    expect(none.stderr).toContain('matches "*.root"; there are hist');
  });

  it('fetches the outputs of the jobs of a task that match a pattern', async () => {
    const write = 'cd "$RHIZOME_OUTPUTS" && echo {{index}} > part && echo other > rest';
    const made = await cli.run(submitArgs(write, '--count', '2', '-o', 'part', '-o', 'rest'));
    const task = /task_\w+/.exec(made.stdout)?.[0] ?? '';
    expect(await cli.run(['watch', task])).toMatchObject({ exitCode: 0 });
    expect(await cli.run(['fetch', task, 'part', '--to', 'parts'])).toMatchObject({
      ...{ exitCode: 0, stdout: '2 fetched, 0 there already, 0 failed' },
    });
    for (const index of ['0', '1'])
      expect(await readFile(join(dirname(system.data), 'parts', index, 'part'), 'utf8')).toBe(`${index}\n`);
  });

  it('lists and removes uploads', async () => {
    type Upload = { readonly id: string; readonly state: string; readonly fileCount: number };
    const [upload] = (await cli.run(['uploads', 'list', '--json'])).json<Upload[]>();
    expect(upload).toMatchObject({ state: 'READY', fileCount: 3 });
    const removed = await cli.run(['uploads', 'remove', upload?.id ?? '']);
    expect(removed).toMatchObject({ exitCode: 0, stdout: `${upload?.id} removed` });
    expect((await cli.run(['uploads', 'list', '--json'])).json<Upload[]>()).toEqual([]);
  });
});
