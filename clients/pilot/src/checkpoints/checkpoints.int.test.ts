/** Payloads that report progress and store checkpoints, with and without a sandbox. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointReport, ProgressReport } from '../protocol/core-protocol.js';
import { testIsolation, withoutIsolation } from '../testing/pilot-options.js';
import { pilotSetup } from '../testing/pilot-setup.js';
import type { Checkpoint } from './checkpoint.types.js';

const setup = pilotSetup();
const store = (): string => join(setup.folder, 'store');

async function run(shell: string, more: { readonly keptCheckpoints?: number } = {}): Promise<string> {
  setup.core.add({ jobId: 'job_a', shell, payload: more });
  await setup.core.until('job_a ends', setup.ended('job_a'));
  return setup.core.logOf('job_a');
}

/** Checkpoints of a job, as its worker has reported them last. */
function reported(jobId = 'job_a'): readonly Checkpoint[] {
  const all = setup.core.said.filter(({ what, jobId: id }) => what === 'checkpoints' && id === jobId);
  return (all.at(-1)?.detail as CheckpointReport | undefined)?.checkpoints ?? [];
}

async function storedFiles(): Promise<readonly string[]> {
  const entries = await readdir(store(), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

describe.each([
  ['a sandbox', testIsolation],
  ['no sandbox', withoutIsolation],
])('a payload in %s', (_, isolation) => {
  it('stores a checkpoint, from which the next attempt continues', async () => {
    setup.start({ isolation });
    const log = await run(
      'echo seven > state; mkdir sub; echo more > sub/more; cd sub; ' +
        '"$RHIZOME_TOOLS/rhizome-job" checkpoint --step 7 --progress 0.4 ../state more; echo code $?; exit 3',
    );
    expect(log).toBe('code 0\n');
    const [checkpoint] = reported();
    expect(checkpoint).toMatchObject({ attempt: 1, step: 7, fraction: 0.4 });
    expect(checkpoint?.files).toMatchObject([
      {
        name: 'state',
        sizeBytes: 6,
        location: expect.stringMatching(/^job_a\/att_.*\/checkpoint-1\/state$/),
      },
      { name: 'more', sizeBytes: 5 },
    ]);
    const next =
      'rhizome-job progress 0.5; cat "$RHIZOME_CHECKPOINT_DIR/state"; echo $RHIZOME_CHECKPOINT_STEP';
    setup.core.add({ jobId: 'job_b', shell: next, attempt: 2, checkpoints: reported() });
    await setup.core.until('job_b ends', setup.ended('job_b'));
    expect(setup.core.logOf('job_b')).toBe('seven\n7\n');
    // The job is FINISHED: its checkpoints go.
    await setup.pilot?.stop('the test is over');
    await setup.running;
    expect(await storedFiles()).toEqual([]);
  });

  it('reports progress with the next heartbeat', async () => {
    setup.start({ isolation });
    setup.core.add({ jobId: 'job_a', shell: 'rhizome-job progress 0.25 --step 3; echo $?; sleep 60' });
    await setup.core.until('progress is reported', () => setup.core.about('job_a').includes('progress'));
    const { at, ...progress } = setup.detailOf<ProgressReport>('progress', 'job_a');
    expect(progress).toEqual({ jobId: 'job_a', fence: 1, step: 3, fraction: 0.25 });
    expect(Math.abs(at.getTime() - Date.now())).toBeLessThan(120_000);
    // Each value once.
    const { length } = setup.core.calls.filter((call) => call === 'heartbeat');
    await setup.core.until('more heartbeats', () => {
      const calls = setup.core.calls.filter((call) => call === 'heartbeat');
      return calls.length >= length + 3;
    });
    expect(setup.core.about('job_a').filter((what) => what === 'progress')).toHaveLength(1);
  });
});

describe('a worker', () => {
  it('keeps the newest checkpoints, and removes the files of others', async () => {
    setup.start({ isolation: withoutIsolation });
    const log = await run(
      'for n in 1 2 3 4; do echo $n > s; rhizome-job checkpoint --step $n s || echo failed; done; exit 3',
      { keptCheckpoints: 2 },
    );
    expect(log).toBe('');
    expect(reported().map(({ step }) => step)).toEqual([4, 3]);
    const texts = await Promise.all((await storedFiles()).map(async (path) => readFile(path, 'utf8')));
    expect(texts.sort()).toEqual(['3\n', '4\n']);
  });

  it.each([
    ['has changed in the store', async (path: string) => writeFile(path, 'other')],
    ['is missing in the store', async (path: string) => rm(path)],
  ])('skips a checkpoint of which a file %s', async (_, damage) => {
    setup.start({ isolation: withoutIsolation });
    await run('for n in 1 2; do echo $n > s; rhizome-job checkpoint --step $n s; done; exit 3');
    const checkpoints = reported();
    await damage(join(store(), checkpoints[0]?.files[0]?.location ?? ''));
    const shell =
      'echo "${RHIZOME_CHECKPOINT_STEP-none}"; cat ${RHIZOME_CHECKPOINT_DIR:+"$RHIZOME_CHECKPOINT_DIR/s"}; exit 3';
    setup.core.add({ jobId: 'job_b', shell, attempt: 2, checkpoints });
    await setup.core.until('job_b ends', setup.ended('job_b'));
    expect(setup.core.logOf('job_b')).toBe('1\n1\n');
    // Without an intact one, the payload starts from its beginning.
    setup.core.add({ jobId: 'job_c', shell, attempt: 2, checkpoints: checkpoints.slice(0, 1) });
    await setup.core.until('job_c ends', setup.ended('job_c'));
    expect(setup.core.logOf('job_c')).toBe('none\n');
  });

  it('reports the last progress of a payload before its end', async () => {
    setup.core.lease = { heartbeatSeconds: 600, leaseSeconds: 6000 };
    setup.start({ isolation: withoutIsolation });
    await run('rhizome-job progress 0.5 --step 4; rhizome-job progress 1 --step 8');
    const about = setup.core.about('job_a');
    expect(about.slice(about.indexOf('RUNNING'))).toEqual(['RUNNING', 'progress', 'FINISHED']);
    expect(setup.detailOf<ProgressReport>('progress', 'job_a')).toMatchObject({ step: 8, fraction: 1 });
  });

  it('reports checkpoints after an outage of core, all of them together', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 1 };
    setup.start({ isolation: withoutIsolation });
    const shell =
      'echo up; until [ -e go ]; do sleep 0.1; done; ' +
      'for n in 1 2 3 4; do echo $n > s; rhizome-job checkpoint --step $n s || exit 9; done; touch made; exit 3';
    setup.core.add({ jobId: 'job_a', shell });
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.mood = 'away';
    const [work = ''] = (await readdir(setup.folder, { recursive: true })).filter((name) =>
      /\/work$/.test(name),
    );
    await writeFile(join(setup.folder, work, 'go'), '');
    const isMade = async (): Promise<boolean> =>
      readFile(join(setup.folder, work, 'made')).then(
        () => true,
        () => false,
      );
    const end = performance.now() + 60_000;
    while (!(await isMade()) && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(setup.core.about('job_a')).not.toContain('checkpoints');
    setup.core.mood = 'here';
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(reported().map(({ step }) => step)).toEqual([4, 3]);
    const reports = setup.core.about('job_a').filter((what) => what === 'checkpoints');
    expect(reports.length).toBeLessThanOrEqual(2);
    // Before the end of the attempt, after which they would not count.
    expect(setup.core.about('job_a').at(-1)).toBe('failed');
  });
});

describe('a request for a checkpoint', () => {
  let host: string;

  beforeEach(async () => {
    host = join(setup.folder, 'host');
    await mkdir(host);
    await writeFile(join(host, 'token'), 'host secret');
  });

  it.each([
    ['a link to a file of the host', 'ln -s "$HOST/token" token', 'token', 'it is a link'],
    ['a hard link to a file of the host', 'ln "$HOST/token" token', 'token', 'several hard links'],
    ['a file behind a link to a folder', 'ln -s "$HOST" d', 'd/token', 'a link or no folder'],
    ['a file outside of its folder', 'true', '"$HOST/token"', 'not in the folder of the job'],
    [
      'a file above its folder',
      'cp "$HOST/token" ../../token',
      '../../token',
      'not in the folder of the job',
    ],
    ['a FIFO', 'mkfifo token', 'token', 'not a regular file'],
    ['a folder', 'mkdir token', 'token', 'not a regular file'],
    ['two files of one name', 'mkdir d; touch token d/token', 'token d/token', 'two files are named "token"'],
    ['more files than 32', 'for n in $(seq 33); do touch f$n; done', 'f*', '33 files are given'],
    ['more than its scratch space', 'truncate -s 65M big', 'big', '65 MiB together; must be at most 64 MiB'],
  ])('is refused if its files must not be stored: %s', async (_, before, files, reason) => {
    setup.start({ isolation: withoutIsolation });
    const log = await run(`HOST=${host}; ${before}; rhizome-job checkpoint ${files}; echo code $?; exit 3`);
    expect(log).toContain(`rhizome-job: checkpoint refused: `);
    expect(log).toContain(reason);
    expect(log).toContain('code 65\n');
    expect(reported()).toEqual([]);
    expect(await storedFiles()).toEqual([]);
  });

  it('is not served from a folder that the payload has put in place of its own', async () => {
    setup.start({ isolation: withoutIsolation });
    const log = await run(
      `r=$RHIZOME_REQUESTS; mv "$r" "$r.old"; mkdir "$r"; touch s; rhizome-job checkpoint --timeout 3 s; echo code $?; exit 3`,
    );
    expect(log).toContain('no answer within 3 s');
    expect(log).toContain('code 75\n');
    expect(await storedFiles()).toEqual([]);
  });
});
