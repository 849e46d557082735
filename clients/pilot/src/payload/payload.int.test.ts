import { describe, expect, it } from '@jest/globals';
import { payloadSetup, readAll } from '../testing/payload-setup.js';
import { readProcessTable } from '../processes/process-table.js';
import { Payload } from './payload.js';

const setup = payloadSetup();
const { start, run } = setup;

describe('the end of a payload', () => {
  it('has its real exit code', async () => {
    expect(await run('exit 3')).toMatchObject({ exitCode: 3, signal: null, exceeded: null });
  });

  it('distinguishes exit codes from signals', async () => {
    expect(await run('exit 137')).toMatchObject({ exitCode: 137, signal: null });
    expect(await run('kill -SEGV $$')).toMatchObject({ exitCode: null, signal: 'SIGSEGV' });
  });

  it('has the reason if the program does not exist, and leaves nothing behind', async () => {
    const spec = {
      command: 'no-such-program',
      arguments: [],
      environment: { PATH: '/usr/bin:/bin' },
      folder: setup.folder,
      scratch: setup.folder,
    };
    const limits = { walltimeSeconds: 1, memoryMiB: 1, diskMiB: 1, graceSeconds: 1 };
    await expect(Payload.start('att_none', spec, limits, setup.services)).rejects.toMatchObject({
      code: 'ENOENT',
    });
    await setup.services.watchdogs.close();
    expect([...readProcessTable().values()].filter(({ parent }) => parent === process.pid)).toEqual([]);
  });

  it('kills what it leaves behind, also in a session of its own', async () => {
    const { out } = await run(
      'setsid sh -c "trap \\"\\" TERM HUP; while :; do sleep 0.05; done" & sleep 0.2; echo done',
    );
    expect(out).toBe('done\n');
  });
});

describe('a payload', () => {
  it('sees only its own environment and folder', async () => {
    const { out } = await run('env | sort; pwd');
    const names = out.split('\n').flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
    expect(names.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)).sort()).toEqual([
      'GREETING',
      'PATH',
      'RHIZOME_ATTEMPT_ID',
    ]);
    expect(out).toContain(`${setup.folder}\n`);
  });

  it('leads a session and a group of its own', async () => {
    const { payload, capture } = await start('exec sleep 30');
    const entry = readProcessTable().get(payload.leader.pid);
    expect(entry).toMatchObject({ group: payload.leader.pid, session: payload.leader.pid });
    payload.terminate();
    expect(await payload.result).toMatchObject({ signal: 'SIGTERM', exceeded: null });
    await readAll(capture);
  });

  it('can open /dev/stdout and /dev/stderr, as shell scripts do', async () => {
    expect(await run('echo one > /dev/stdout; echo two > /dev/stderr')).toMatchObject({
      exitCode: 0,
      out: 'one\n',
      err: 'two\n',
    });
  });
});
