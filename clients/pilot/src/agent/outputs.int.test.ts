/** Payloads that want the pilot to store files of its host as their outputs. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { link, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FailReport, FinishReport } from '../protocol/core-protocol.js';
import { withoutIsolation } from '../testing/pilot-options.js';
import { pilotSetup } from '../testing/pilot-setup.js';
import { SignedStorage } from '../testing/signed-storage.js';

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

describe('a failed attempt', () => {
  const declared = { outputs: ['hist.txt', 'logs/'], keepOnFailure: ['logs/'] };
  const failed = async (shell: string, job: object = {}): Promise<FailReport> => {
    setup.core.add({
      jobId: 'job_a',
      shell: `mkdir -p "$RHIZOME_OUTPUTS/logs"; cd "$RHIZOME_OUTPUTS"; echo fit > logs/fit.log; ${shell}`,
      payload: declared,
      ...job,
    });
    setup.start({ isolation: withoutIsolation });
    await setup.core.until('job_a ends', setup.ended('job_a'));
    return setup.detailOf<FailReport>('failed', 'job_a');
  };

  it.each([
    ['its payload fails', 'echo half > hist.txt; exit 3', {}, 'EXIT_CODE'],
    ['its payload is killed at its walltime', 'exec sleep 30', { walltimeSeconds: 1 }, 'WALLTIME_EXCEEDED'],
    ['an output is missing', 'true', {}, 'OUTPUT_MISSING'],
    ['an output cannot be stored', 'ln -s /etc/passwd hist.txt', {}, 'OUTPUT_MISSING'],
  ])('keeps the outputs that its job wants to be kept if %s', async (_, shell, job, code) => {
    const { error, outputs } = await failed(shell, job);
    expect(error.code).toBe(code);
    expect(outputs).toMatchObject([
      { name: 'logs/fit.log', location: expect.stringMatching(/^job_a\/.*\/logs\/fit.log$/), sizeBytes: 4 },
    ]);
    expect(await storedTexts()).toEqual(['fit\n']);
  });

  it('leaves out what cannot be stored, and is reported', async () => {
    const { error, outputs } = await failed('ln -s /etc/passwd logs/link; mkfifo logs/fifo; exit 3');
    expect(error.code).toBe('EXIT_CODE');
    expect(outputs).toMatchObject([{ name: 'logs/fit.log' }]);
    expect(await storedTexts()).toEqual(['fit\n']);
  });

  it('keeps some files of a folder that has too many, or that it cannot search further', async () => {
    const { outputs } = await failed(
      'mkdir -p logs/z; chmod 0 logs/z; seq 1100 | (cd logs; xargs touch); exit 3',
    );
    expect(outputs).toHaveLength(100);
    expect(new Set(outputs?.map(({ name }) => name.split('/')[0]))).toEqual(new Set(['logs']));
  });

  it('keeps nothing if its payload replaced the output folder', async () => {
    const { error, outputs } = await failed(
      'cd /; rm -r "$RHIZOME_OUTPUTS"; ln -s "$HOST" "$RHIZOME_OUTPUTS"; exit 3',
    );
    expect([error.code, outputs]).toEqual(['EXIT_CODE', []]);
    expect(await storedTexts()).toEqual([]);
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

describe('a pilot that uses storages', () => {
  const storage = new SignedStorage();
  const use = (): void => {
    setup.core.sign = async (_job, files) => storage.sign(files, new AbortController().signal);
  };
  const given = (payload: object = {}): void =>
    setup.core.add({
      ...{ jobId: 'job_a', shell: 'cat mine 2>/dev/null > "$RHIZOME_OUTPUTS/o"; true' },
      payload: { outputs: ['o'], ...payload },
    });
  const end = async (): Promise<void> => setup.core.until('job_a ends', setup.ended('job_a'));

  it('fetches inputs from them, stores outputs in them, and reports their locations', async () => {
    use();
    await storage.put('in/mine', Buffer.from('made elsewhere'));
    given({ inputs: [{ name: 'mine', location: 'rhizome://site/in/mine' }] });
    setup.start({ isolation: withoutIsolation, usesStorages: true });
    await end();
    const [output] = setup.detailOf<FinishReport>('FINISHED', 'job_a').outputs;
    expect(output).toMatchObject({ name: 'o', location: 'rhizome://site/out/o', sizeBytes: 14 });
    expect(String(await storage.read('out/o'))).toBe('made elsewhere');
    expect(await storedTexts()).toEqual([]);
  });

  it('stores outputs in its own store where core has no storage for them', async () => {
    given();
    setup.start({ isolation: withoutIsolation, usesStorages: true });
    await end();
    const [output] = setup.detailOf<FinishReport>('FINISHED', 'job_a').outputs;
    expect(output?.location).toMatch(/^job_a\/.*\/o$/);
  });

  it('waits with its outputs while core cannot be reached', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 1 };
    use();
    const go = join(setup.folder, 'go');
    const shell = `until test -e ${go}; do sleep 0.05; done; echo late > "$RHIZOME_OUTPUTS/o"`;
    setup.core.add({ jobId: 'job_a', shell, payload: { outputs: ['o'] }, continueSeconds: 600 });
    setup.start({ isolation: withoutIsolation, usesStorages: true });
    await setup.core.until('job_a runs', setup.isRunning('job_a'));
    setup.core.mood = 'away';
    const before = setup.core.calls.length;
    await writeFile(go, '');
    await setup.core.until('calls of core have failed', () => setup.core.calls.length > before + 3);
    expect(storage.requests).toEqual([]);
    setup.core.mood = 'here';
    await end();
    expect(setup.detailOf<FinishReport>('FINISHED', 'job_a').outputs).toMatchObject([
      { location: 'rhizome://site/out/o' },
    ]);
  });

  it('fails the attempt with the code of the storage', async () => {
    use();
    given({ inputs: [{ name: 'mine', location: 'rhizome://site/in/gone' }] });
    setup.start({ isolation: withoutIsolation, usesStorages: true });
    await end();
    expect(setup.detailOf<FailReport>('failed', 'job_a').error).toMatchObject({
      ...{ family: 'DATA', code: 'INPUT_GONE', retryable: false },
    });
  });
});
