/** Payloads in a sandbox: limits, signals, exit codes and accounts are as on the host. */
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { FailReport, FinishReport } from '../protocol/core-protocol.js';
import { processesWith } from '../testing/command-lines.js';
import { pilotSetup, type TestPilotOverrides } from '../testing/pilot-setup.js';
import { testIsolation } from '../testing/pilot-options.js';
import type { ScriptedJob } from '../testing/scripted-core.js';

const setup = pilotSetup();

interface Ended {
  readonly log: string;
  readonly finished: FinishReport | undefined;
  readonly failed: FailReport | undefined;
}

async function run(job: Omit<ScriptedJob, 'jobId'>, options: TestPilotOverrides = {}): Promise<Ended> {
  setup.core.add({ jobId: 'job_a', ...job });
  setup.start(options);
  await setup.core.until('job_a ends', setup.ended('job_a'));
  return {
    log: setup.core.logOf('job_a'),
    finished: setup.detailOf('FINISHED', 'job_a'),
    failed: setup.detailOf('failed', 'job_a'),
  };
}

describe('a sandboxed payload', () => {
  it('is in namespaces of its own, without capabilities', async () => {
    const { log } = await run({
      shell: 'grep -E "NSpid|CapEff|NoNewPrivs" /proc/self/status; ls /proc | grep -c "^[0-9]"; ls /',
    });
    expect(log).toMatch(/^CapEff:\t0{16}$/m);
    expect(log).toMatch(/^NoNewPrivs:\t1$/m);
    expect(Number(/^(\d+)$/m.exec(log)?.[1])).toBeLessThan(10);
    expect(log).not.toMatch(/^(home|root|srv|mnt|work)$/m);
  });

  it.each([
    ['exit 3', { exitCode: 3, signal: null, error: { code: 'EXIT_CODE' } }],
    ['exit 137', { exitCode: 137, signal: null, error: { code: 'EXIT_CODE' } }],
    ['exit 255', { exitCode: 255, signal: null, error: { code: 'EXIT_CODE' } }],
    ['kill -9 $$', { exitCode: null, signal: 'SIGKILL', error: { code: 'SIGNAL' } }],
    ['kill -SEGV $$', { exitCode: null, signal: 'SIGSEGV', error: { code: 'SIGNAL' } }],
    [
      'kill -9 2; sleep 60',
      { exitCode: null, signal: 'SIGKILL', error: { family: 'PAYLOAD', code: 'SIGNAL' } },
    ],
  ])('ends by %s as on the host', async (shell, expected) => {
    expect((await run({ shell })).failed).toMatchObject(expected);
  });

  it('gets its variables as they are, those of the loader too', async () => {
    const values = { LINES: "a\n'b'\n", LD_LIBRARY_PATH: "/x y'z", LD_PRELOAD: '', UID: '7', OPTIND: 'x' };
    const environment = Object.entries(values).map(([name, value]) => ({ name, value }));
    const script =
      'const { LINES, LD_LIBRARY_PATH, LD_PRELOAD, UID, OPTIND } = process.env; console.log(JSON.stringify({ LINES, LD_LIBRARY_PATH, LD_PRELOAD, UID, OPTIND }))';
    const { log } = await run({
      payload: { command: process.execPath, arguments: ['-e', script], environment },
    });
    expect(JSON.parse(log)).toEqual(values);
  });

  it('gets SIGTERM, and time to end', async () => {
    const shell = 'trap "echo asked; sleep 0.2; echo ended; exit 5" TERM; echo up; sleep 60 & wait';
    const { log, failed } = await run({ shell, walltimeSeconds: 1 }, { graceSeconds: 60 });
    expect(log).toBe('up\nasked\nended\n');
    expect(failed).toMatchObject({ exitCode: 5, error: { code: 'WALLTIME_EXCEEDED' } });
  });

  it.each([
    ['a new session without variables', 'env -i setsid sh -c "sleep 301 & exit 0"'],
    ['two forks', 'env -i setsid sh -c "setsid sh -c \\"sleep 301 &\\" &"'],
    ['ignored signals', 'trap "" TERM HUP; env -i setsid nohup sleep 301 > nohup.out 2>&1 &'],
  ])('leaves no process behind with %s', async (_, shell) => {
    const { finished } = await run({ shell });
    expect(finished).toMatchObject({ exitCode: 0 });
    expect(processesWith('301')).toEqual([]);
  });

  it('is accounted with all its processes, those that were never seen too', async () => {
    const busy = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done';
    const { finished } = await run({ shell: `${busy}; env -i setsid sh -c '${busy}'` }, { sampleMs: 60_000 });
    expect(finished?.usage.cpuSeconds).toBeGreaterThan(0.05);
  });

  it('is killed for memory in its own /dev/shm, which is limited as well', async () => {
    const { failed } = await run({
      shell: 'head -c 90000000 /dev/zero > /dev/shm/a; sleep 60',
      memoryMiB: 80,
    });
    expect(failed?.error.code).toMatch(/^(MEMORY_EXCEEDED|EXIT_CODE)$/);
  });

  it('has files in /dev/shm counted as memory', async () => {
    const { finished } = await run({
      shell: 'head -c 40000000 /dev/zero > /dev/shm/a; sleep 1',
      memoryMiB: 256,
    });
    expect(finished?.usage.peakMemoryMiB).toBeGreaterThan(38);
  });

  it('writes to folders that the pilot offers for this, and only reads others', async () => {
    const isolation = {
      ...testIsolation,
      readable: [setup.folder],
      writable: [join(setup.folder, 'shared')],
    };
    await mkdir(join(setup.folder, 'shared'));
    const { log } = await run(
      { shell: `cd ${setup.folder}; echo result > shared/a; echo no > b || echo refused; cat shared/a` },
      { isolation },
    );
    expect(log).toMatch(/refused[^]*^result$/m);
    expect(await readFile(join(setup.folder, 'shared', 'a'), 'utf8')).toBe('result\n');
  });

  it('does not get a folder that has become a link, or is not there', async () => {
    const [link, gone] = [join(setup.folder, 'link'), join(setup.folder, 'gone')];
    await mkdir(join(setup.folder, 'key'));
    await symlink(join(setup.folder, 'key'), link);
    const isolation = { ...testIsolation, writable: [link, gone] };
    const { log } = await run({ shell: `test -e ${link} || test -e ${gone} || echo neither` }, { isolation });
    expect(log).toMatch(/^neither$/m);
  });

  it('writes nowhere but in its scratch space, which /tmp is a part of', async () => {
    const { failed, log } = await run({
      shell:
        'for d in / /dev /etc /run /usr /var /sys /proc; do touch $d/x 2>/dev/null && echo "wrote $d"; done; ' +
        'head -c 5000000 /dev/zero > /tmp/big; sleep 60',
      diskMiB: 2,
    });
    expect(log).toBe('');
    expect(failed).toMatchObject({ error: { code: 'DISK_EXCEEDED' } });
  });

  it('writes to /dev/stdout and /dev/stderr', async () => {
    const { log } = await run({ shell: 'echo one > /dev/stdout; echo two > /dev/stderr' });
    expect(log).toContain('one\n');
    expect(log).toContain('two\n');
  });

  it('has at most its number of open files', async () => {
    const limits = { processes: 4096, openFiles: 100 };
    const { log } = await run(
      { shell: 'ulimit -n; ulimit -Hn' },
      { isolation: { ...testIsolation, limits } },
    );
    expect(log).toBe('100\n100\n');
  });

  it.each([
    ['no keys with the filter', true, '-1 1'],
    ['keys without the filter', false, '0 0'],
  ])(
    'has keys of the kernel only without the filter of system calls: %s',
    async (_, filtersSystemCalls, expected) => {
      // keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING) and getpid, with their numbers here.
      const [keyctl, getpid] = process.arch === 'arm64' ? [219, 172] : [250, 39];
      const calls = `$r = syscall(${keyctl}, 0, -3, 0); print $r < 0 ? -1 : 0, " ", $r < 0 ? $!+0 : 0, "\\n"`;
      const { log } = await run(
        {
          payload: {
            command: 'perl',
            arguments: ['-e', `${calls}; print "own\\n" if syscall(${getpid}) == $$`],
          },
        },
        { isolation: { ...testIsolation, filtersSystemCalls } },
      );
      expect(log).toBe(`${expected}\nown\n`);
    },
  );

  it('has no other host on its network unless it requires one', async () => {
    const isolation = { ...testIsolation, isolatesNetwork: true };
    const { log } = await run({ shell: 'cat /proc/net/dev | grep -c :' }, { isolation });
    expect(log).toBe('1\n');
  });
});
