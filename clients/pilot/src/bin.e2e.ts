import { describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { FailReport, FinishReport, Registration } from './protocol/core-protocol.js';
import { carriersOf, pilotProcesses } from './testing/pilot-processes.js';

const setup = pilotProcesses();

const ended = (jobId: string) => (): boolean =>
  setup.core.about(jobId).some((what) => what === 'FINISHED' || what === 'failed');
const detailOf = <T>(what: string, jobId?: string): T =>
  setup.core.said.find((one) => one.what === what && one.jobId === jobId)?.detail as T;

/** Contents of the reports that pilots keep on disk. */
function reportsOnDisk(): readonly string[] {
  const scratch = join(setup.folder, 'scratch');
  return readdirSync(scratch, { recursive: true })
    .map(String)
    .filter((path) => /^spool-.*\/\d+\.json$/.test(path))
    .map((path) => readFileSync(join(scratch, path), 'utf8'));
}

describe('rhizome-pilot', () => {
  it("registers with the host's facts, and runs a job over the real schema", async () => {
    setup.core.add({
      jobId: 'job_a',
      shell: 'env; echo "$RHIZOME_ATTEMPT" > "$RHIZOME_OUTPUTS/out"',
      payload: { outputs: ['out'] },
    });
    setup.start(
      '--label',
      'site=A',
      '--label',
      'rack=7=x',
      '--memory-mib',
      '2048',
      '--network',
      'false',
      '--name',
      'p1',
      '--lifetime-seconds',
      '3600',
      '--batch-job-id',
      '815',
    );
    await setup.core.until('job_a ends', ended('job_a'));
    const registration = detailOf<Registration & { hardware: object; host: string }>('registered');
    expect(registration).toMatchObject({
      queue: 'q',
      name: 'p1',
      host: hostname(),
      batchJobId: '815',
      labels: [
        { key: 'site', value: 'A' },
        { key: 'rack', value: '7=x' },
      ],
      hardware: { architecture: expect.any(String), cores: 3, memoryMiB: 2048, hasNetwork: false },
    });
    expect(Date.parse(String(registration.endsAt)) - Date.now()).toBeGreaterThan(3_500_000);
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED']);
    const { outputs, exitCode, usage } = detailOf<FinishReport>('FINISHED', 'job_a');
    expect({ exitCode, outputs }).toMatchObject({ exitCode: 0, outputs: [{ name: 'out', sizeBytes: 2 }] });
    expect(usage.wallSeconds).toBeGreaterThan(0);
    expect(setup.core.logOf('job_a')).not.toMatch(/SECRET_OF_THE_PILOT|RHIZOME_PILOT/);
  });

  it('reports a failure, and receives KILL over the command stream', async () => {
    setup.core.lease = { heartbeatSeconds: 600, leaseSeconds: 1200 };
    setup.core.add({ jobId: 'job_f', shell: 'exit 3' });
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 600 & sleep 600' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    await setup.core.until('job_f ends', ended('job_f'));
    expect(detailOf<FailReport>('failed', 'job_f')).toMatchObject({
      exitCode: 3,
      error: { family: 'PAYLOAD', code: 'EXIT_CODE' },
    });
    // The next heartbeat is 600 s away: only the stream can bring the command.
    setup.core.withdraw('job_a');
    await setup.core.until('nothing of it runs', () => carriersOf('job_a').length === 0);
  });

  it('drains on SIGTERM: its job ends, and it exits with 0', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.7; echo down' });
    const { child } = setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(setup.core.about('job_a').at(-1)).toBe('FINISHED');
    expect(setup.core.said.at(-1)?.what).toBe('ended');
  });

  it('ends at once on SIGINT: the payload is killed, and core knows that the worker has ended', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'trap "" TERM INT; echo up; while :; do sleep 0.05; done' });
    const { child } = setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(carriersOf('job_a')).toEqual([]);
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(setup.core.said.at(-1)?.what).toBe('ended');
  });

  it('sends the results that a killed pilot of its name could not send', async () => {
    const go = join(setup.folder, 'go');
    const options = ['--name', 'p1', '--readable-folder', setup.folder];
    setup.core.lease = { heartbeatSeconds: 1, leaseSeconds: 2 };
    const shell = `echo up; until test -e ${go}; do sleep 0.05; done; echo down > $RHIZOME_OUTPUTS/o; echo down`;
    setup.core.add({ jobId: 'job_a', shell, payload: { outputs: ['o'] } });
    setup.core.add({ jobId: 'job_b', shell: 'echo up; sleep 600' });
    const killed = setup.start(...options);
    for (const jobId of ['job_a', 'job_b'])
      await setup.core.until(`${jobId} is up`, () => setup.core.logOf(jobId) === 'up\n');
    setup.core.mood = 'away';
    await writeFile(go, '');
    await setup.core.until('the end of job_a is on disk', () =>
      reportsOnDisk().some((text) => text.includes('FINISHED')),
    );
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    setup.core.mood = 'here';
    setup.start(...options);
    await setup.core.until('job_a ends', ended('job_a'));
    expect(setup.core.about('job_a')).toEqual([
      'sent',
      'RUNNING',
      'adopted',
      'HOLDING',
      'TRANSFERRING',
      'FINISHED',
    ]);
    expect(detailOf<FinishReport>('FINISHED', 'job_a')).toMatchObject({
      exitCode: 0,
      outputs: [{ name: 'o' }],
    });
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
    const [, second] = setup.core.said.filter(({ what }) => what === 'registered');
    expect((second?.detail as Registration).jobs.map(({ jobId }) => jobId).sort()).toEqual([
      'job_a',
      'job_b',
    ]);
  });
});

describe('rhizome-pilot without a name', () => {
  it('takes the first free number of its host and queue, also that of a pilot that was killed', async () => {
    setup.core.lease = { heartbeatSeconds: 600, leaseSeconds: 1200 };
    const queue = `q-${process.pid}`;
    const startNext = async (scratch: string): Promise<{ child: ChildProcess; name: string }> => {
      const pilot = setup.start('--queue', queue, '--scratch', join(setup.folder, scratch));
      await setup.core.until('it registers', () => pilot.log.includes('"msg":"worker registered"'));
      const { detail } = setup.core.said.findLast(({ what }) => what === 'registered') ?? {};
      return { child: pilot.child, name: (detail as Registration).name };
    };
    const [first, second] = [await startNext('one'), await startNext('two')];
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const third = await startNext('three');
    expect([first, second, third].map(({ name }) => name)).toEqual(
      [1, 2, 1].map((number) => `${hostname()}-${number}`),
    );
  });
});

describe('the token of rhizome-pilot', () => {
  it('is read again for each request', async () => {
    setup.start();
    await setup.core.until('it lives', () => setup.core.calls.includes('heartbeat'));
    setup.token = 'secret-token-2';
    await setup.core.until('it is refused with the old token', () => setup.gateway.refusals > 0);
    await writeFile(join(setup.folder, 'token'), setup.token);
    setup.core.add({ jobId: 'job_a' });
    await setup.core.until('job_a ends', ended('job_a'));
    expect(setup.core.said.filter(({ what }) => what === 'registered')).toHaveLength(1);
  });

  it('ends the program with exit code 2 and the reason if it is invalid', async () => {
    await writeFile(join(setup.folder, 'token'), 'secret-token-wrong');
    const { child } = setup.start();
    const [code] = await once(child, 'exit');
    expect(code).toBe(2);
    expect(setup.pilots[0]?.log).toContain('UNAUTHENTICATED');
  });

  it('is never on the command line', async () => {
    const { child } = setup.start('--token', 'secret');
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    expect(setup.pilots[0]?.log).toContain("unknown option '--token'");
  });
});

describe('rhizome-pilot with a wrong configuration', () => {
  it('exits with 2 and the reason for a queue that does not exist', async () => {
    const { child } = setup.start('--queue', 'nowhere');
    const [code] = await once(child, 'exit');
    expect(code).toBe(2);
    expect(setup.pilots[0]?.log).toContain('Queue \\"nowhere\\" not found');
  });

  it('lists all errors at once, by option or variable', async () => {
    const { child } = setup.start(
      '--cores',
      'many',
      '--label',
      'nonsense',
      '--url',
      'ftp://x',
      '--token-file',
      '',
    );
    const [code] = await once(child, 'exit');
    expect(code).toBe(64);
    for (const text of [
      '--cores is "many"',
      '--label (0) is "nonsense"; expected KEY=VALUE',
      '--url is "ftp://x"',
      '--token-file',
    ]) {
      expect(setup.pilots[0]?.log).toContain(text);
    }
  });

  it('names a simulated fleet that is invalid, and presents a valid one over the real schema', async () => {
    const fleet = join(setup.folder, 'fleet.json');
    const t4 = { vendor: 'NVIDIA', model: 'Tesla T4', id: 'GPU-1', memoryMiB: 15360, utilisation: 0.5 };
    await writeFile(fleet, JSON.stringify({ devices: [t4] }));
    setup.start('--gpu-simulate', fleet);
    await setup.core.until('it registers', () => setup.core.said.some(({ what }) => what === 'registered'));
    const { devices } = detailOf<Registration>('registered');
    expect(devices).toMatchObject([{ ...t4, health: 'HEALTHY' }]);
    expect(devices[0]?.sources).toContainEqual({ fact: 'model', source: 'simulated by fleet.json' });

    await writeFile(fleet, '{}');
    const { child } = setup.start('--gpu-simulate', fleet);
    const [code] = await once(child, 'exit');
    expect(code).toBe(64);
    expect(setup.pilots[1]?.log).toContain(`Simulated fleet ${fleet} is invalid`);
  });

  it('names a token file that does not exist', async () => {
    const { child } = setup.start('--token-file', join(setup.folder, 'none'));
    const [code] = await once(child, 'exit');
    expect(code).toBe(64);
    expect(setup.pilots[0]?.log).toContain(`Token file ${join(setup.folder, 'none')} cannot be read`);
  });
});
