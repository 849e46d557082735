// Logins of people by the command line: at a real issuer, with real processes.
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { leftovers, type TestProcess, waitFor } from '@rhizome/testkit';
import { logInAsPerson } from '@rhizome/testkit/oidc';
import { apiOf } from '../system/api.js';
import { type CommandLine, commandLineOf } from '../system/cli.js';
import { experiment, type LoginSystem, startLoginSystem } from './login-system.js';

const patienceMs = 120_000;

let system: LoginSystem;
let cli: CommandLine;
let credentials: string;

beforeAll(async () => {
  system = await startLoginSystem();
  // The working directory of commands is the parent of `data`: one of its own keeps logins apart.
  cli = commandLineOf({ data: join(system.data, 'data') });
  credentials = join(system.data, 'config', 'rhizome', 'credentials.json');
});

/** Logs in by a code that the person enters elsewhere. */
async function logInByCode(login: string, ...flags: readonly string[]): Promise<TestProcess> {
  const process = cli.start(['--url', system.url, 'login', 'institute', '--device', ...flags]);
  const [, address = '', userCode = ''] = await process.line(
    /Open (\S+) and enter the code (\S+)/,
    patienceMs,
  );
  await logInAsPerson(address, { login, userCode });
  return process;
}

interface Viewer {
  readonly subject: string;
  readonly kind: string;
  readonly loggedInAt: string | null;
  readonly grants: readonly { readonly experimentName: string; readonly roles: readonly string[] }[];
}

async function whoami(env: Record<string, string> = {}): Promise<Viewer> {
  const { exitCode, stderr, json } = await cli.run(['--json', 'whoami'], { env });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return json<Viewer>();
}

async function storedToken(): Promise<{ readonly token: string; readonly refreshToken: string }> {
  const { logins } = JSON.parse(await readFile(credentials, 'utf8')) as {
    logins: readonly [{ token: string; refreshToken: string }];
  };
  return logins[0];
}

describe('rhizome login', () => {
  it('logs in by a device code, and stores the tokens for this user alone', async () => {
    const process = await logInByCode('ann');
    expect(await process.exited).toMatchObject({ code: 0 });
    expect((await stat(credentials)).mode & 0o777).toBe(0o600);
    expect(await whoami()).toMatchObject({
      subject: expect.stringMatching(/^usr_/),
      kind: 'HUMAN',
      loggedInAt: 'institute',
      grants: [{ experimentName: experiment, roles: ['USER'] }],
    });
  });

  it('logs in by a browser, which the issuer sends back to this machine', async () => {
    const process = cli.start(['--url', system.url, 'login', '--browser']);
    const [, address = ''] = await process.line(/^Open (\S+)$/, patienceMs);
    expect(new URL(address).searchParams.get('code_challenge_method')).toBe('S256');
    // An answer to another request is none.
    const redirect = new URL(new URL(address).searchParams.get('redirect_uri') ?? '');
    redirect.search = 'code=stolen&state=guessed';
    expect((await fetch(redirect)).status).toBe(404);
    expect(await logInAsPerson(address, { login: 'bob' })).toContain('You are logged in');
    expect(await process.exited).toMatchObject({ code: 0 });
  });

  it('lists the issuers if there is none of the name', async () => {
    const refused = await cli.run(['--url', system.url, 'login', 'elsewhere', '--device']);
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('one of: institute') });
  });

  it('prints a token with fewer rights, which cannot be used for more', async () => {
    const printed = await cli.run(['token', '--for', `${experiment}:READER`]);
    expect(printed).toMatchObject({ exitCode: 0, stderr: '' });
    const viewer = await whoami({ RHIZOME_TOKEN: printed.stdout.trim(), RHIZOME_URL: system.url });
    expect(viewer.grants).toMatchObject([{ experimentName: experiment, roles: ['READER'] }]);
    const refused = await cli.run(['token', '--for', `${experiment}:ADMIN`]);
    expect(refused).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('more than the subject token'),
    });
  });

  it('finds tokens that other tools left, in the order of the WLCG', async () => {
    const { token } = await storedToken();
    const outside = await system.institute.issue({ sub: 'cid', client_id: undefined });
    const file = join(system.data, 'bearer');
    await writeFile(file, `\n${token}\n`);
    const url = { RHIZOME_URL: system.url, XDG_CONFIG_HOME: join(system.data, 'none') };
    const own = (await whoami({ ...url, BEARER_TOKEN_FILE: file })).subject;
    // A token of a trusted issuer is exchanged.
    const guest = await whoami({ ...url, BEARER_TOKEN_FILE: file, BEARER_TOKEN: ` ${outside}\n` });
    expect(guest.subject).not.toBe(own);
    expect(guest.loggedInAt).toBe('institute');
    const left = join(system.data, `bt_u${process.getuid?.() ?? 0}`);
    await writeFile(left, token, { mode: 0o600 });
    expect((await whoami({ ...url, XDG_RUNTIME_DIR: system.data })).subject).toBe(own);
    await chmod(left, 0o644);
    const refused = await cli.run(['whoami'], { env: { ...url, XDG_RUNTIME_DIR: system.data } });
    expect(refused).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('others may read it') });
  });

  it('ends the login with all its tokens by logout', async () => {
    const { token, refreshToken } = await storedToken();
    expect(await cli.run(['logout'])).toMatchObject({ exitCode: 0 });
    await expect(stat(credentials)).rejects.toThrow('ENOENT');
    await waitFor(
      'the refusal of the access token',
      async () => (await apiOf(system.url, token).post('{ viewer { subject } }')).status === 401,
      { deadlineMs: 60_000 },
    );
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken };
    const renewed = await fetch(new URL('/oauth/token', system.url), {
      method: 'POST',
      body: new URLSearchParams(form),
    });
    expect(renewed.status).toBe(400);
  });
});

describe('rhizome login --link', () => {
  const submit = async (): Promise<readonly string[]> => {
    const job = { name: 'x', payload: { command: 'true' }, requirements: { cores: 4096 } };
    const api = apiOf(system.url, (await storedToken()).token);
    const { jobs } = await api.change<{ jobs: readonly { id: string }[] }>(
      'submitJobs',
      { experiment, idempotencyKey: 'linked', jobs: [job, job] },
      'jobs { id }',
    );
    return jobs.map(({ id }) => id);
  };
  const isLinkedTo = async (id: string): Promise<boolean> => {
    const { viewer } = await apiOf(system.url, (await storedToken()).token).data<{
      viewer: { linkedIdentities: readonly { subject: string }[] };
    }>('{ viewer { linkedIdentities { subject } } }');
    return viewer.linkedIdentities.some(({ subject }) => subject === id);
  };
  const hold = (id: string) => cli.run(['hold', id, '--reason', 'a closer look']);

  it('makes the jobs of one login those of the other, until the link ends', async () => {
    expect(await (await logInByCode('lea-2')).exited).toMatchObject({ code: 0 });
    const second = (await whoami()).subject;
    const [one = '', other = ''] = await submit();
    expect(await (await logInByCode('lea')).exited).toMatchObject({ code: 0 });
    const first = (await whoami()).subject;
    expect(await hold(one)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(second) });
    const linking = await logInByCode('lea-2', '--link');
    expect(await linking.exited).toMatchObject({ code: 0 });
    await waitFor('the link', () => isLinkedTo(second), { deadlineMs: 60_000 });
    // The login stays that of the first identity.
    expect(await whoami()).toMatchObject({ subject: first, linkedIdentities: [{ subject: second }] });
    expect(await hold(one)).toMatchObject({ exitCode: 0 });
    const listed = await cli.run(['identity', 'list']);
    expect(listed.stdout).toContain(`lea-2 at ${system.institute.issuer}`);
    const asAdmin = { env: { RHIZOME_TOKEN: system.admin, RHIZOME_URL: system.url } };
    expect((await cli.run(['identity', 'list', first], asAdmin)).stdout).toContain(second);
    expect(await cli.run(['identity', 'unlink', second], asAdmin)).toMatchObject({ exitCode: 0 });
    await waitFor('the end', async () => !(await isLinkedTo(second)), { deadlineMs: 60_000 });
    expect(await hold(other)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(second) });
  });
});

describe('rhizome login --oidc', () => {
  const audience = 'https://rhizome.test';

  beforeAll(async () => {
    const { issuer } = system.institute;
    const rule = {
      name: 'the repository',
      claims: [{ claim: 'repository_id', values: ['17'] }],
      grants: [{ experiment, roles: ['USER'] }],
    };
    await system.api.change('removeTokenIssuer', { name: 'institute' });
    const record = {
      name: 'ci',
      issuer,
      profile: 'GITHUB',
      audiences: [audience],
      experiments: [experiment],
    };
    await system.api.change('setTokenIssuer', { ...record, kinds: ['SERVICE'], rules: [rule] });
  });

  /** The service that gives tokens to the jobs of one run. */
  async function jobService(): Promise<{ readonly url: string; readonly asked: string[] }> {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.headers.authorization} ${request.url}`);
      const claims = { sub: 'repo:alpha/tools:ref:main', repository_id: '17', repository_owner_id: '3' };
      void system.institute.issue({ ...claims, client_id: undefined }).then((value) => {
        response.end(JSON.stringify({ value }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    leftovers.defer('the job service', () => void server.close());
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token?version=2`, asked };
  }

  it('exchanges the token of a CI job, and stores no secret that outlasts the job', async () => {
    const { url, asked } = await jobService();
    const env = { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'job-secret' };
    const done = await cli.run(['--url', system.url, 'login', '--oidc', 'github'], { env });
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    expect(asked).toEqual([`Bearer job-secret /token?version=2&audience=${encodeURIComponent(audience)}`]);
    expect((await storedToken()).refreshToken).toBeNull();
    expect(await readFile(credentials, 'utf8')).not.toContain('job-secret');
    expect(await whoami()).toMatchObject({
      kind: 'SERVICE',
      grants: [{ experimentName: experiment, roles: ['USER'] }],
    });
    const outside = await cli.run(['--url', system.url, 'login', '--oidc', 'github']);
    expect(outside).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('id-token: write') });
  });
});

describe('rhizome robot', () => {
  it('registers a key of this machine, with which later commands log in until the key ends', async () => {
    const asAdmin = { env: { RHIZOME_TOKEN: system.admin, RHIZOME_URL: system.url } };
    const made = await cli.run(['robot', 'key', 'robot.json']);
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    expect(made.json<object>()).not.toHaveProperty('d');
    expect((await stat(join(system.data, 'robot.json'))).mode & 0o777).toBe(0o600);
    await writeFile(join(system.data, 'robot.pub'), made.stdout);
    const naming = ['robot', 'register', experiment, 'nightly', '--role', 'USER'];
    const isPrivate = await cli.run([...naming, '--public-key', 'robot.json'], asAdmin);
    expect(isPrivate).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('publicKey') });
    const registered = await cli.run(['--json', ...naming, '--public-key', 'robot.pub'], asAdmin);
    expect(registered).toMatchObject({ exitCode: 0, stderr: '' });
    const { id, keys } = registered.json<{ id: string; keys: readonly { id: string }[] }>();
    const login = ['--url', system.url, 'login', '--robot', id, '--key', 'robot.json'];
    expect(await cli.run(login)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await whoami()).toMatchObject({
      subject: id,
      kind: 'SERVICE',
      grants: [{ experimentName: experiment, roles: ['USER'] }],
    });
    const elsewhere = await cli.run(['token', '--audience', 'https://elsewhere.test']);
    expect(elsewhere).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('audience: ') });
    expect((await cli.run(['robot', 'list'], asAdmin)).stdout).toContain(keys[0]?.id);
    expect(await cli.run(['robot', 'end-key', keys[0]?.id ?? ''], asAdmin)).toMatchObject({ exitCode: 0 });
    expect(await cli.run(['whoami'])).toMatchObject({ exitCode: 4 });
  });
});
