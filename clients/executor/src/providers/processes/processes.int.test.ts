import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { CommandRunner } from '../run-command.js';
import type { BatchJob, PilotBatch } from '../provider.types.js';
import { parseProcesses, ProcessProvider } from './processes.js';

it('reads the list of a host, and takes one without its end for none', () => {
  const text =
    'pilot_A.0|RUNNING|\npilot_A.1|ENDED|0\npilot_A.2|ENDED|143\npilot_A.3|ENDED|killed\nother|RUNNING|\n';
  expect(parseProcesses(`${text}complete\n`)).toEqual([
    { batch: 'pilot_A', number: 0, batchJobId: 'pilot_A.0', state: 'RUNNING' },
    { batch: 'pilot_A', number: 1, batchJobId: 'pilot_A.1', state: 'ENDED' },
    { batch: 'pilot_A', number: 2, batchJobId: 'pilot_A.2', state: 'ENDED', reason: 'exit code 143' },
    { batch: 'pilot_A', number: 3, batchJobId: 'pilot_A.3', state: 'ENDED', reason: 'killed' },
  ]);
  expect(parseProcesses(text)).toBeUndefined();
  expect(parseProcesses('')).toBeUndefined();
  expect(parseProcesses('complete\n')).toEqual([]);
});

describe('a process of this host', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'rhizome-processes-'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const resources = {
    shape: 'x',
    cores: 1,
    memoryMiB: 1,
    gpus: 0,
    gpuType: undefined,
    walltimeSeconds: 1,
    arguments: [],
  };
  const batchOf = (batch: string): PilotBatch => ({
    ...{ batch, resources },
    pilots: [{ id: `${batch}-0`, number: 0, code: 'c' }],
  });
  const providerOf = (program: string, folder = join(root, 'pilots')): ProcessProvider =>
    new ProcessProvider({
      runner: new CommandRunner(30, process.env),
      script: () => `${program}\n`,
      ...{ folder, shell: ['sh', '-s'] },
    });
  const untilState = (provider: ProcessProvider, batch: string, state: string): Promise<BatchJob> =>
    waitFor(
      `${batch} ${state}`,
      async () => {
        const listing = await provider.list();
        return listing.isComplete && listing.jobs.find((job) => job.batch === batch && job.state === state);
      },
      { deadlineMs: 60_000 },
    );

  it('starts once for repeated submissions, ends by a signal, and is found by another provider', async () => {
    const count = join(root, 'count');
    const provider = providerOf(`echo started >>'${count}'; sleep 600 & trap 'kill $!' TERM; wait`);
    expect(await provider.list()).toEqual({ isComplete: true, jobs: [] });
    expect(await provider.submit(batchOf('pilot_A'))).toEqual({
      kind: 'ACCEPTED',
      batchJobIds: new Map([['pilot_A-0', 'pilot_A.0']]),
    });
    expect(await provider.submit(batchOf('pilot_A'))).toMatchObject({ kind: 'ACCEPTED' });
    await untilState(providerOf(''), 'pilot_A', 'RUNNING');
    await waitFor('the program', async () => (await readFile(count, 'utf8').catch(() => '')) !== '', {
      deadlineMs: 60_000,
    });
    await providerOf('').cancel(['pilot_A.0', 'pilot_B.0'], 'ANY');
    await untilState(provider, 'pilot_A', 'ENDED');
    expect(await readFile(count, 'utf8')).toBe('started\n');
  });

  it('shows the exit code of a pilot that failed', async () => {
    const provider = providerOf('exit 3');
    await provider.submit(batchOf('pilot_C'));
    expect(await untilState(provider, 'pilot_C', 'ENDED')).toMatchObject({ reason: 'exit code 3' });
  });

  it('keeps the folder of a pilot that was killed, or has not started, for a day', async () => {
    const folder = join(root, 'left');
    const long = new Date(Date.now() - 25 * 3_600_000);
    for (const name of ['pilot_F.0', 'pilot_G.0']) await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, 'pilot_F.0', 'process'), '1 unknown\n');
    await utimes(join(folder, 'pilot_G.0'), long, long);
    const provider = providerOf('', folder);
    const killed = { batch: 'pilot_F', number: 0, batchJobId: 'pilot_F.0', state: 'ENDED', reason: 'killed' };
    const notStarted = { ...killed, batch: 'pilot_G', batchJobId: 'pilot_G.0', reason: 'not started' };
    expect(await provider.list()).toEqual({ isComplete: true, jobs: [killed, notStarted] });
    expect(await provider.list()).toEqual({ isComplete: true, jobs: [killed] });
    await utimes(join(folder, 'pilot_F.0', 'exit'), long, long);
    expect(await provider.list()).toEqual({ isComplete: true, jobs: [killed] });
    expect(await readdir(folder)).toEqual([]);
  });

  it('does not see the environment of the executor', async () => {
    const variables = join(root, 'variables');
    const runner = new CommandRunner(30, { ...process.env, SOME_TOKEN: 'x' });
    const folder = join(root, 'environment');
    const script = () => `env >'${variables}'\n`;
    const provider = new ProcessProvider({ runner, script, folder, shell: ['sh', '-s'] });
    await provider.submit(batchOf('pilot_E'));
    await untilState(provider, 'pilot_E', 'ENDED');
    const names = (await readFile(variables, 'utf8')).split('\n').map((line) => line.split('=')[0]);
    expect(names).toEqual(expect.arrayContaining(['PATH', 'HOME', 'TMPDIR']));
    expect(names).not.toContain('SOME_TOKEN');
  });

  it('is refused where the folder cannot be made, and not listed where the shell fails', async () => {
    const provider = providerOf('true', '/dev/null/pilots');
    expect(await provider.submit(batchOf('pilot_D'))).toMatchObject({ kind: 'REFUSED' });
    const broken = new ProcessProvider({
      runner: new CommandRunner(30, process.env),
      script: () => '',
      ...{ folder: root, shell: ['sh', '-c', 'exit 255'] },
    });
    expect(await broken.list()).toMatchObject({ isComplete: false });
    // A connection that breaks may have started pilots.
    expect(await broken.submit(batchOf('pilot_D'))).toMatchObject({ kind: 'UNKNOWN' });
  });
});
