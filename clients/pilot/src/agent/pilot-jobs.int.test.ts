import { describe, expect, it } from '@jest/globals';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { FailReport, FinishReport } from '../protocol/core-protocol.js';
import { pilotSetup } from '../testing/pilot-setup.js';
import type { ScriptedJob } from '../testing/scripted-core.js';

const setup = pilotSetup();

describe('a job', () => {
  it('runs in its own environment and is reported with its log and usage', async () => {
    setup.core.add({
      jobId: 'job_a',
      attempt: 2,
      shell: 'env | sort; pwd; echo oops >&2',
      payload: { environment: [{ name: 'MINE', value: 'a b' }] },
    });
    setup.start();
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
    const log = setup.core.logOf('job_a');
    expect(log).toMatch(/^RHIZOME_JOB_ID=job_a$/m);
    expect(log).toMatch(/^RHIZOME_ATTEMPT=2$/m);
    expect(log).toMatch(/^RHIZOME_ATTEMPT_ID=att_job_a_2_/m);
    expect(log).toMatch(/^RHIZOME_OUTPUTS=\/.*\/outputs$/m);
    expect(log).toMatch(/^MINE=a b$/m);
    expect(log).toMatch(/^HOME=(.*\/work)$/m);
    expect(log).toContain('oops\n');
    expect(log).not.toMatch(/NODE_OPTIONS|JEST/);
    const { exitCode, usage } = setup.detailOf<FinishReport>('FINISHED', 'job_a');
    expect(exitCode).toBe(0);
    expect(usage.wallSeconds).toBeGreaterThan(0);
  });

  it('goes through HOLDING, TRANSFERRING and FINISHED with outputs, and its child reads them', async () => {
    setup.core.add({
      jobId: 'job_p',
      shell: 'echo content > "$RHIZOME_OUTPUTS/data.txt"',
      payload: { outputs: ['data.txt'] },
    });
    setup.start();
    await setup.core.until('job_p ends', setup.ended('job_p'));
    expect(setup.core.about('job_p')).toEqual(['sent', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED']);
    const { outputs } = setup.detailOf<FinishReport>('FINISHED', 'job_p');
    expect(outputs).toEqual([expect.objectContaining({ name: 'data.txt', sizeBytes: 8 })]);
    setup.core.add({
      jobId: 'job_c',
      shell: 'cat "$RHIZOME_INPUTS/job_p/data.txt" "$RHIZOME_INPUTS_MANIFEST"',
      parents: [{ jobId: 'job_p', outputs }],
    });
    await setup.core.until('job_c ends', setup.ended('job_c'));
    expect(setup.core.about('job_c')).toEqual(['sent', 'STARTING', 'RUNNING', 'FINISHED']);
    expect(setup.core.logOf('job_c')).toMatch(/^content\n\{/);
    expect(await readFile(join(setup.folder, 'store', outputs[0]?.location ?? ''), 'utf8')).toBe('content\n');
  });

  it('reads the files of other nodes of its workflow, of which core gives a page at a time', async () => {
    setup.core.add({
      jobId: 'job_p',
      shell: 'echo content > "$RHIZOME_OUTPUTS/data.txt"',
      payload: { outputs: ['data.txt'] },
    });
    setup.start();
    await setup.core.until('job_p ends', setup.ended('job_p'));
    const { outputs } = setup.detailOf<FinishReport>('FINISHED', 'job_p');
    const [output = null] = outputs;
    const files = Array.from({ length: 101 }, (_, at) => ({
      path: `fits/${at}`,
      ...{ node: `n${at}`, name: 'data.txt', isOptional: false, jobId: 'job_p', output },
    }));
    setup.core.filesOfNodes.set('job_c', files);
    setup.core.add({ jobId: 'job_c', shell: 'ls fits | wc -l; cat fits/100', payload: { readsNodes: true } });
    await setup.core.until('job_c ends', setup.ended('job_c'));
    expect(setup.core.about('job_c')).toEqual(['sent', 'STARTING', 'RUNNING', 'FINISHED']);
    expect(setup.core.logOf('job_c')).toMatch(/^\s*101\ncontent\n$/);
  });

  it.each<[string, Omit<ScriptedJob, 'jobId'>, object]>([
    [
      'its exit code',
      { shell: 'echo why; exit 3' },
      { exitCode: 3, signal: null, error: { family: 'PAYLOAD', code: 'EXIT_CODE' } },
    ],
    [
      'its signal',
      { shell: 'kill -9 $$' },
      { exitCode: null, signal: 'SIGKILL', error: { family: 'PAYLOAD', code: 'SIGNAL' } },
    ],
    [
      'its walltime',
      { shell: 'exec sleep 30', walltimeSeconds: 0.2 },
      { error: { family: 'LIMIT', code: 'WALLTIME_EXCEEDED', retryable: false } },
    ],
    [
      'a program that is not there',
      { payload: { command: 'nonesuch' } },
      { exitCode: null, error: { family: 'WORKER', code: 'START_FAILED' } },
    ],
    [
      'a missing output',
      { payload: { outputs: ['gone'] } },
      { exitCode: 0, error: { family: 'DATA', code: 'OUTPUT_MISSING' } },
    ],
    [
      'a missing input',
      { payload: { inputs: [{ name: 'x', location: 'no/x' }] } },
      { usage: null, error: { family: 'DATA', code: 'INPUT_UNAVAILABLE' } },
    ],
    [
      'an image',
      { payload: { image: '/no/image.sif' } },
      { usage: null, error: { family: 'WORKER', code: 'IMAGE_UNSUPPORTED' } },
    ],
    [
      'its scratch space',
      { shell: 'head -c 3000000 /dev/zero > data', diskMiB: 2 },
      {
        error: {
          family: 'LIMIT',
          code: 'DISK_EXCEEDED',
          message: 'The payload used 3 MiB of scratch space; the limit is 2 MiB',
          retryable: false,
        },
      },
    ],
  ])('is reported with %s when it fails', async (_, job, expected) => {
    setup.core.add({ jobId: 'job_f', ...job });
    setup.start();
    await setup.core.until('job_f ends', setup.ended('job_f'));
    expect(setup.detailOf<FailReport>('failed', 'job_f')).toMatchObject(expected);
    if (job.shell?.includes('why')) expect(setup.core.logOf('job_f')).toBe('why\n');
  });

  it('leaves nothing in the scratch space', async () => {
    setup.core.add({
      jobId: 'job_a',
      shell: 'mkdir -p deep/er; echo x > deep/er/file; chmod 000 deep/er; chmod 500 deep',
    });
    setup.start();
    await setup.core.until('job_a ends', setup.ended('job_a'));
    const [mine = ''] = await readdir(join(setup.folder, 'scratch'));
    const left = async (): Promise<string[]> =>
      (await readdir(join(setup.folder, 'scratch', mine))).filter((name) => name.startsWith('att_'));
    for (let i = 0; i < 100 && (await left()).length > 0; i += 1) await pause(10);
    expect(await left()).toEqual([]);
    setup.pilot?.drain('enough');
    await setup.running;
    expect(await readdir(join(setup.folder, 'scratch'))).toEqual([]);
  });
});

describe('Slots', () => {
  it('fills the host and never overfills it', async () => {
    for (let i = 0; i < 12; i += 1) setup.core.add({ jobId: `job_${i}`, shell: 'sleep 0.3' });
    let most = 0;
    const runningNow = (): number =>
      Array.from({ length: 12 }, (_, i) => `job_${i}`).filter(
        (id) => setup.core.about(id).includes('sent') && !setup.ended(id)(),
      ).length;
    setup.start({ cores: 4 });
    await setup.core.until('all jobs end', () => {
      most = Math.max(most, runningNow());
      return Array.from({ length: 12 }, (_, i) => setup.ended(`job_${i}`)()).every(Boolean);
    });
    expect(most).toBe(4);
  });

  it('waits for enough resources for a large job', async () => {
    setup.core.add({ jobId: 'job_small', shell: 'sleep 0.3', cores: 1 });
    setup.core.add({ jobId: 'job_big', cores: 2 });
    setup.start({ cores: 2 });
    await setup.core.until('both end', () => setup.ended('job_small')() && setup.ended('job_big')());
    expect(
      setup.core.said
        .map(({ what, jobId }) => `${jobId} ${what}`)
        .filter((text) => /small FINISHED|big sent/.test(text)),
    ).toEqual(['job_small FINISHED', 'job_big sent']);
  });

  it('gets a new job when it is idle', async () => {
    setup.start();
    await setup.core.until('the pilot waits for work', () => setup.core.calls.includes('heartbeat'));
    setup.core.add({ jobId: 'job_a' });
    await setup.core.until('job_a runs', setup.isRunning('job_a'));
  });
});
