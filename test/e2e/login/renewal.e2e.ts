// A login that lasts longer than its tokens: commands that run at once, and a watch.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { logInAsPerson } from '@rhizome/testkit/oidc';
import { decodeJwt } from 'jose';
import { type CommandLine, commandLineOf } from '../system/cli.js';
import { experiment, type LoginSystem, startLoginSystem } from './login-system.js';

const patienceMs = 240_000;
/** Short, but longer than a command takes on a busy machine. */
const lifetimeSeconds = 15;

let system: LoginSystem;
let cli: CommandLine;
let credentials: string;

beforeAll(async () => {
  system = await startLoginSystem();
  cli = commandLineOf({ data: join(system.data, 'data') });
  credentials = join(system.data, 'config', 'rhizome', 'credentials.json');
  const login = ['--url', system.url, 'login', '--device', '--lifetime', String(lifetimeSeconds)];
  const process = cli.start(login);
  const [, address = '', userCode = ''] = await process.line(
    /Open (\S+) and enter the code (\S+)/,
    patienceMs,
  );
  await logInAsPerson(address, { login: 'ann', userCode });
  expect(await process.exited).toMatchObject({ code: 0 });
});

async function tokenNow(): Promise<string> {
  const { stdout, exitCode, stderr } = await cli.run(['token']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout.trim();
}

const expiryOf = (token: string): number => decodeJwt<{ exp: number }>(token).exp * 1000;

it('survives that many commands renew the token at the same time', async () => {
  const first = await tokenNow();
  await waitFor('the end of the token', () => Date.now() > expiryOf(first), { deadlineMs: 60_000 });
  const results = await Promise.all(Array.from({ length: 6 }, () => cli.run(['--json', 'whoami'])));
  expect(results.map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual(
    results.map(() => ({ exitCode: 0, stderr: '' })),
  );
  // A reuse of a refresh token would have ended the login.
  expect(expiryOf(await tokenNow())).toBeGreaterThan(expiryOf(first));
});

it('watches a job over the renewals of the token, and loses and repeats nothing', async () => {
  const submitted = await cli.run([
    ...['--json', 'submit', '-e', experiment, '--memory', '64', '--disk', '1', '--name', 'long'],
    ...['--', 'true'],
  ]);
  expect(submitted).toMatchObject({ exitCode: 0, stderr: '' });
  const id = /job_\w+/.exec(submitted.stdout)?.[0] ?? '';
  const watching = cli.start(['watch', id]);
  await watching.line(/^long: /, patienceMs);
  const ended = watching.exited.then(({ code }) => Promise.reject(new Error(`watch ended with ${code}`)));
  ended.catch(() => undefined);
  // No other process uses the login now: its tokens are those of the watch.
  const tokens = new Set<string>();
  const renewed = waitFor(
    'four renewals, without an event in between',
    async () => tokens.add(await readFile(credentials, 'utf8')).size > 4,
    { deadlineMs: patienceMs },
  );
  await Promise.race([ended, renewed]);
  const text = `mutation { cancelJobs(input: { selection: { ids: ["${id}"] } }) { userErrors { message } } }`;
  expect(await system.api.data(text)).toEqual({ cancelJobs: { userErrors: [] } });
  expect(await watching.exited).toMatchObject({ code: 1 });
  const states = watching.stdout.flatMap((line) => /(\w*) → (\w+)/.exec(line)?.slice(1, 3).join(' → ') ?? []);
  expect(states.at(-1)).toMatch(/→ CANCELLED$/);
  expect(new Set(states).size).toBe(states.length);
});
