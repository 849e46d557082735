/** The program `rhizome-job`, in each shell of this host. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseRequest } from './payload-request.js';

const program = fileURLToPath(new URL('../../bin/rhizome-job', import.meta.url));
const shells = [['sh'], ['dash'], ['bash', '--posix'], ['busybox', 'sh']].filter(
  ([name = '', ...rest]) => spawnSync(name, [...rest, '-c', 'exit 0']).status === 0,
);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rhizome-job-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe.each(shells.map((shell) => [shell.join(' '), shell] as const))('rhizome-job in %s', (_, shell) => {
  const call = (...args: readonly string[]): { code: number | null; text: string } => {
    const [name = '', ...rest] = shell;
    const env = { PATH: '/usr/bin:/bin', RHIZOME_REQUESTS: folder };
    const { status, stderr } = spawnSync(name, [...rest, program, ...args], { cwd: folder, env });
    return { code: status, text: String(stderr) };
  };

  it.each([
    ['0', 0],
    ['1', 1],
    ['1.0', 1],
    ['.5', 0.5],
    ['0.333333333333333', 0.333333333333333],
  ])('reports the progress %s', async (given, fraction) => {
    expect(call('progress', given, '--step', '12')).toEqual({ code: 0, text: '' });
    const text = await readFile(join(folder, 'progress'), 'utf8');
    expect(parseRequest(text)).toEqual({ step: 12, fraction, files: [] });
  });

  it.each([
    [['progress', '1.1'], 'must be a decimal number from 0 to 1'],
    [['progress', '-0.1'], 'unknown option'],
    [['progress', '40%'], 'must be a decimal number from 0 to 1'],
    [['progress', '1e-2'], 'must be a decimal number from 0 to 1'],
    [['progress'], 'the completed part is missing'],
    [['checkpoint'], 'no files are given'],
    [['checkpoint', '--step', 'two', 'f'], 'must be a whole number'],
    [['checkpoint', '--step'], '--step needs a value'],
    [['checkpoint', '--force', 'f'], 'unknown option'],
    [['units', 'true'], '--pool is missing'],
    [['units', '--pool', 'p'], 'the command is missing'],
    [['units', '--pool='], 'must be the name or the id of a pool'],
    [['units', '--pool', 'p', '--max', '0', 'true'], 'must be a whole number from 1 to 1000'],
    [['units', '--idle=soon', 'true'], 'must be a number of seconds'],
    [['units', '--each', 'true'], 'unknown option'],
    [['restore'], 'Usage:'],
    [[], 'Usage:'],
  ])('refuses %j', async (args, reason) => {
    await writeFile(join(folder, 'f'), '');
    const { code, text } = call(...args);
    expect(code).toBe(64);
    expect(text).toContain(reason);
    expect(await readdir(folder)).toEqual(['f']);
  });

  it('refuses a file that does not exist, and says if it is not in a job', async () => {
    expect(call('checkpoint', 'missing')).toEqual({ code: 65, text: 'rhizome-job: "missing" not found\n' });
    await writeFile(join(folder, 'f'), '');
    const [name = '', ...rest] = shell;
    const { status } = spawnSync(name, [...rest, program, 'checkpoint', 'f'], { cwd: folder, env: {} });
    expect(status).toBe(69);
  });

  it('asks for a checkpoint of files with odd names, and waits no longer than it may', async () => {
    await writeFile(join(folder, '-x y'), '');
    const { code, text } = call('checkpoint', '--progress=0.4', '--timeout=0', '--', '-x y');
    expect(code).toBe(75);
    expect(text).toContain('no answer within 0 s');
    const [request = ''] = (await readdir(folder)).filter((one) => one.endsWith('.request'));
    expect(parseRequest(await readFile(join(folder, request), 'utf8'))).toEqual({
      step: null,
      fraction: 0.4,
      files: [`${folder}/-x y`],
    });
  });

  it('takes no answer to a program of the same process id in another container for its own', async () => {
    await writeFile(join(folder, 'f'), '');
    const script = 'printf "0\\nstored\\n" >"$RHIZOME_REQUESTS/$$-0.answer"; exec "$@"';
    const env = { PATH: '/usr/bin:/bin', RHIZOME_REQUESTS: folder };
    const command = [...shell, program, 'checkpoint', '--timeout=0', 'f'];
    const { status } = spawnSync('sh', ['-c', script, 'sh', ...command], { cwd: folder, env });
    expect(status).toBe(75);
  });
});
