// Roles that a person takes for a short time, by the command line: at a real issuer, with real processes.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { logInAsPerson } from '@rhizome/testkit/oidc';
import { apiOf, mutationText } from '../system/api.js';
import { type CommandLine, type CommandResult, commandLineOf } from '../system/cli.js';
import { testAudit } from '../system/test-audit.js';
import { experiment, type LoginSystem, startLoginSystem } from './login-system.js';

const patienceMs = 120_000;
const reason = 'the queue of the night is stuck';

let system: LoginSystem;
let cli: CommandLine;
let person: string;
/** A job of somebody else. */
let jobId: string;

interface Viewer {
  readonly subject: string;
  readonly grants: readonly { readonly roles: readonly string[] }[];
  readonly elevation: { readonly id: string; readonly roles: readonly string[] } | null;
}

const run = (...args: readonly string[]): Promise<CommandResult> => cli.run(args);
const whoami = async (): Promise<Viewer> => (await run('--json', 'whoami')).json<Viewer>();
const start = (...flags: readonly string[]): Promise<CommandResult> =>
  run('--json', 'elevation', 'start', experiment, '--role', 'PRODUCTION', ...flags);

beforeAll(async () => {
  const { audit } = await testAudit({ waitMs: 60_000 });
  system = await startLoginSystem({ gateway: { audit }, roles: ['USER', 'PRODUCTION'] });
  cli = commandLineOf({ data: join(system.data, 'data') });
  const login = cli.start(['--url', system.url, 'login', 'institute', '--device']);
  const [, address = '', userCode = ''] = await login.line(/Open (\S+) and enter the code (\S+)/, patienceMs);
  await logInAsPerson(address, { login: 'ann', userCode });
  expect(await login.exited).toMatchObject({ code: 0 });
  person = (await whoami()).subject;
  const { jobs } = await system.api.change<{ jobs: readonly { id: string }[] }>(
    'submitJobs',
    {
      ...{ experiment, idempotencyKey: 'one' },
      jobs: [{ name: 'x', payload: { command: 'true' }, requirements: { cores: 4096 } }],
    },
    'jobs { id }',
  );
  jobId = jobs[0]?.id ?? '';
});

describe('rhizome elevation', () => {
  it('takes no role that no membership has among its elevatable roles', async () => {
    const refused = await start('--reason', reason);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('[NOT_ELEVATABLE]') });
    expect((await whoami()).elevation).toBeNull();
  });

  it('is refused to a token that the person passes on', async () => {
    const { token } = (await run('--json', 'token', '--lifetime', '600')).json<{ token: string }>();
    const input = { experiment, roles: ['PRODUCTION'], reason };
    const { errors } = await apiOf(system.url, token).post(mutationText('startElevation'), { input });
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  it('gives the roles to later commands, with a reason that is recorded', async () => {
    const membership = { principalId: person, experiment, roles: [], elevatableRoles: ['PRODUCTION'] };
    await system.api.change('setMembership', membership);
    expect(await run('cancel', jobId)).toMatchObject({ exitCode: 1 });
    expect(await start('--reason', 'because')).toMatchObject({ exitCode: 1 });
    const { exitCode, stderr, json } = await start('--reason', reason, '--minutes', '30');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { id } = json<{ id: string }>();
    expect(await whoami()).toMatchObject({
      subject: person,
      grants: [{ roles: ['PRODUCTION', 'USER'] }],
      elevation: { id, roles: ['PRODUCTION'] },
    });
    expect((await run('whoami')).stdout).toMatch(/Elevated +alpha: PRODUCTION until /);
    expect(await run('cancel', jobId)).toMatchObject({ exitCode: 0 });
    const { auditEntries } = await system.api.data<{ auditEntries: { nodes: readonly object[] } }>(
      '{ auditEntries(filter: { action: "Mutation.startElevation" }) { nodes { experimentName actor { subject } targets { reason } } } }',
    );
    expect(auditEntries.nodes).toContainEqual({
      ...{ experimentName: experiment, actor: { subject: person }, targets: { reason } },
    });
    expect((await run('elevation', 'list')).stdout).toContain(reason);
  });

  it('ends with its token, and leaves the login as it was', async () => {
    const before = await whoami();
    const { token } = (await run('--json', 'token')).json<{ token: string }>();
    expect(await run('elevation', 'end')).toMatchObject({ exitCode: 0 });
    const isRefused = async (): Promise<boolean> => {
      const { errors } = await apiOf(system.url, token).post('{ viewer { subject } }');
      return errors?.[0]?.extensions.code === 'TOKEN_REVOKED';
    };
    await waitFor('the refusal of the token', isRefused, { deadlineMs: patienceMs });
    expect(await whoami()).toMatchObject({
      subject: before.subject,
      grants: [{ roles: ['USER'] }],
      elevation: null,
    });
  });

  it('continues with the login when an administrator ends it', async () => {
    const { id } = (await start('--reason', reason)).json<{ id: string }>();
    await system.api.change('endElevation', { id });
    expect(await run('whoami')).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('Your elevation has ended'),
    });
    expect(await whoami()).toMatchObject({ subject: person, elevation: null });
  });
});
