import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { findConnection } from './config.js';
import { exitCodes } from './exit-codes.js';
import { bearerInFiles } from './login/bearer-token.js';
import { run } from './program.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/**
 * Runs the command line in an empty folder; `--url` and `--token-file` name a port that nothing listens on.
 */
async function rhizome(...argv: string[]) {
  const cwd = mkdtempSync(join(tmpdir(), 'rhizome-cli-'));
  folders.push(cwd);
  writeFileSync(join(cwd, 'token'), 'a-token');
  return runIn(cwd, ...argv);
}

async function runIn(cwd: string, ...argv: string[]) {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    streams[name].on('data', (chunk) => (written[name] += String(chunk)));
  const world = {
    ...streams,
    stdin: Readable.from([]),
    cwd,
    now: () => 0,
    signal: new AbortController().signal,
  };
  const exitCode = await run(argv, world);
  return { exitCode, ...written };
}

describe('rhizome auth explain', () => {
  const names = ['RHIZOME_TOKEN', 'BEARER_TOKEN'];
  let gateway: Server;
  let explained: (string | null)[];
  beforeEach(async () => {
    explained = [];
    gateway = createServer((request, response) => {
      void text(request).then((form) => {
        explained.push(new URLSearchParams(form).get('token'));
        response.end(JSON.stringify({ isAccepted: true, assessment: null }));
      });
    });
    gateway.listen(0, '127.0.0.1');
    await once(gateway, 'listening');
  });
  afterEach(async () => {
    for (const name of names) delete process.env[name];
    gateway.close();
    gateway.closeAllConnections();
    await once(gateway, 'close');
  });

  it('explains the token that other commands use, as it is', async () => {
    const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}/graphql`;
    process.env['BEARER_TOKEN'] = 'of-another-tool';
    await rhizome('--url', url, 'auth', 'explain');
    process.env['RHIZOME_TOKEN'] = 'own';
    await rhizome('--url', url, 'auth', 'explain');
    expect(explained).toEqual(['of-another-tool', 'own']);
  });
});

describe('bearerInFiles', () => {
  it('refuses a folder, with this reason', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rhizome-cli-'));
    folders.push(folder);
    mkdirSync(join(folder, `bt_u${process.getuid?.()}`), { mode: 0o700 });
    expect(() => bearerInFiles({ XDG_RUNTIME_DIR: folder })).toThrow('it is not a regular file');
  });
});

describe('rhizome with wrong usage', () => {
  it.each([
    ['an unknown command', ['frobnicate'], /unknown command 'frobnicate'/],
    ['an unknown flag', ['list', '--colour'], /unknown option '--colour'/],
    ['a state that does not exist', ['list', '--state', 'NOPE'], /Must be one of PENDING, ACTIVATED/],
    ['a number out of range', ['list', '--limit', '0'], /whole number from 1 to 10000/],
    ['no job to show', ['show'], /missing required argument 'id'/],
    [
      'a label without a value',
      ['submit', '-e', 'alpha', '--label', 'night', '--', 'true'],
      /'night' is invalid/,
    ],
    ['a variable without a value', ['submit', '-e', 'alpha', '--env', 'A', '--', 'true'], /'A' is invalid/],
    [
      'a GPU of an unknown fact',
      ['submit', '-e', 'alpha', '--gpu', 'ram=1', '--', 'true'],
      /one of count, vendor/,
    ],
    ['a label to list by without a value', ['list', '--label', 'night'], /'night' is invalid/],
    ['an address that is none', ['--url', 'nonsense', 'list'], /Must be a URL such as http:/],
    ['a vendor that does not exist', ['gpus', '--vendor', 'ACME'], /Must be one of NVIDIA, AMD, INTEL/],
    [
      'a login with a token file that is not there',
      ['--url', 'http://127.0.0.1:9/graphql', '--token-file', 'none', 'login'],
      /Token file none cannot be read/,
    ],
    [
      'a login over plain http: to another host',
      ['--url', 'http://rhizome.example/graphql', 'login'],
      /is not secure; use https:, or permit plain text with --insecure-transport or RHIZOME_INSECURE_TRANSPORT=true/,
    ],
    [
      'a token over plain http: to another host',
      ['--url', 'http://rhizome.example/graphql', '--token-file', 'program.test.ts', 'list'],
      /is not secure/,
    ],
    ['a hold without a reason', ['hold', 'job_1'], /required option '--reason <text>'/],
    ['a priority out of range', ['priority', '1001', 'job_1'], /whole number from -1000 to 1000/],
    ['a queue without a site', ['queue', 'create', 'night'], /required option '--site <name>'/],
    ...[
      'alpha',
      ':jobs=1',
      'alpha:',
      'alpha:jobs=x',
      'alpha:jobs=1,jobs=2',
      'alpha:disk=1',
      'alpha:jobs=-1',
    ].map(
      (limits) =>
        [
          `the limit "${limits}" of an experiment`,
          ['queue', 'update', 'night', '--experiment-limit', limits],
          /Must be EXPERIMENT:jobs=N/,
        ] as const,
    ),
    ['no preemptions', ['queue', 'update', 'night', '--preemption', '0'], /from 1 to 1000, or off/],
    [
      'a state that queues do not have',
      ['queue', 'set-state', 'night', 'ASLEEP', '--reason', 'x'],
      /Allowed choices are ONLINE/,
    ],
    ['no worker to drain', ['worker', 'drain'], /missing required argument 'worker'/],
    ['a shell that is not served', ['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
  ])('refuses %s', async (_what, argv, message) => {
    const { exitCode, stderr } = await rhizome(...argv);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(exitCodes.usage);
  });

  it.each([
    ['a submit without an experiment', ['submit', '--', 'true'], /needs --experiment/],
    ['canary jobs without a command', ['queue', 'canary', 'q', '--share', 'alpha/x'], /command of the jobs/],
    ['canary jobs without a share', ['queue', 'canary', 'q', '--', 'true'], /needs --share/],
    ['a submit without a command', ['submit', '-e', 'alpha'], /needs a command after --/],
    [
      'flags together with a file',
      ['submit', '-f', 'task.yaml', '--cores', '4', '-e', 'alpha'],
      /--experiment, --cores|--cores, --experiment/,
    ],
    [
      'two numbers of GPUs',
      ['submit', '-e', 'alpha', '--gpus', '2', '--gpu', 'count=1', '--', 'true'],
      /Give --gpus or --gpu count=, not both/,
    ],
    [
      'GPUs together with a file',
      ['submit', '-f', 'task.yaml', '--gpus', '1', '--gpu', 'isEccRequired=true'],
      /--gpus, --gpu cannot/,
    ],
    [
      'a flag of two words together with a file',
      ['submit', '-f', 'task.yaml', '--job-token', '--secret-variable', 'A'],
      /^(?=.*--job-token)(?=.*--secret-variable).* cannot be combined/m,
    ],
    ['a file that is not there', ['submit', '-f', 'task.yaml'], /task\.yaml cannot be read/],
    ['a cancel without jobs', ['cancel'], /Give jobs, or a filter/],
    ['a release of everything in a state', ['release', '-s', 'PENDING'], /Give jobs, or a filter/],
    [
      'a priority of jobs and of a task',
      ['priority', '5', 'job_1', '-t', 'task_1'],
      /Give jobs, or a filter/,
    ],
    ['a retry without jobs', ['retry'], /Give jobs, or a task/],
    ['a retry with a multiple of 0', ['retry', 'job_1', '--memory', '0x'], /above 0x, and at most 100x/],
    ['a retry with words for memory', ['retry', 'job_1', '--memory', '2 GB'], /whole number from 1/],
    ['a retry in one queue and in any', ['retry', 'job_1', '-q', 'a', '--any-queue'], /not both/],
    [
      'shares from a file that is not there',
      ['shares', 'set', 'alpha', '-f', 'none.yaml'],
      /none\.yaml cannot be read/,
    ],
    [
      'a state of another kind',
      ['list', '--tasks', '--state', 'HOLDING'],
      /HOLDING is not a state of tasks; must be one of SCOUTING/,
    ],
    [
      'a filter of jobs for tasks',
      ['list', '--tasks', '--queue', 'night', '--oldest'],
      /Tasks cannot be listed by --queue, --oldest/,
    ],
    ['an exit code of tasks', ['list', '--tasks', '--exit-code', '1'], /cannot be listed by --exit-code/],
    [
      'flags of the jobs of a fleet without their command',
      ['fleet', 'set', 'fleet_1', '--max', '3', '--env', 'A=b', '--job-name', 'a'],
      /--job-name is for a new version of the jobs/,
    ],
  ])('refuses %s', async (_what, argv, message) => {
    const cwd = mkdtempSync(join(tmpdir(), 'rhizome-cli-'));
    folders.push(cwd);
    writeFileSync(join(cwd, 'token'), 'a-token');
    // Nothing listens there, so these errors are found before any request.
    const connection = ['--url', 'http://127.0.0.1:9/graphql', '--token-file', join(cwd, 'token')];
    const { exitCode, stderr } = await runIn(cwd, ...connection, ...argv);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(exitCodes.usage);
  });
});

describe('findConnection', () => {
  it('ends with exit code 4 and says how to begin, if no gateway is known', async () => {
    const { exitCode, stderr } = await rhizome('list');
    expect(stderr).toMatch(/npm run playground.*rhizome login/);
    expect(exitCode).toBe(exitCodes.denied);
  });

  describe('with a stored token', () => {
    const stored = 'http://127.0.0.1:9/graphql';

    function storedIn(): string {
      const cwd = mkdtempSync(join(tmpdir(), 'rhizome-cli-'));
      folders.push(cwd);
      mkdirSync(join(cwd, '.rhizome'));
      writeFileSync(join(cwd, '.rhizome', 'playground.json'), JSON.stringify({ url: stored, token: 'own' }));
      return cwd;
    }

    it.each([undefined, stored, 'http://127.0.0.1:9/other'])('uses it for its gateway: %s', (url) => {
      expect(findConnection(url === undefined ? {} : { url }, storedIn())).toMatchObject({
        url: url ?? stored,
        token: 'own',
      });
    });

    it.each(['http://127.0.0.1:10/graphql', 'https://127.0.0.1:9/graphql', 'https://other.example/graphql'])(
      'sends it to no other gateway: %s',
      (url) => {
        expect(() => findConnection({ url }, storedIn())).toThrow(`No token for ${url} found`);
      },
    );
  });
});

describe('readTaskFile', () => {
  it('lists every error with its path', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'rhizome-cli-'));
    folders.push(cwd);
    writeFileSync(join(cwd, 'token'), 'a-token');
    const secrets = 'secrets: [{ name: KEY, as: LINE }]';
    const lines = ['experiment: alpha', 'command: [true]', 'count: 0', 'colour: red', secrets];
    writeFileSync(join(cwd, 'task.yaml'), lines.join('\n'));
    const { exitCode, stderr } = await runIn(
      cwd,
      '--url',
      'http://127.0.0.1:9/graphql',
      '--token-file',
      join(cwd, 'token'),
      'submit',
      '-f',
      'task.yaml',
    );
    expect(stderr).toMatch(/name is missing; expected string/);
    expect(stderr).toMatch(/command is \[true\]; expected string/);
    expect(stderr).toMatch(/count is 0; /);
    expect(stderr).toMatch(/secrets\.0\.as is .*LINE.*; expected one of/);
    expect(stderr).toMatch(/the whole: unrecognized key: "colour"/);
    expect(exitCode).toBe(exitCodes.usage);
  });
});

describe('rhizome --help', () => {
  it('names every command and the exit codes', async () => {
    const { exitCode, stdout } = await rhizome('--help');
    for (const name of [
      'login',
      'submit',
      'list',
      'show',
      'watch',
      'logs',
      'cancel',
      'retry',
      'queues',
      'workers',
      'why',
      'completion',
    ]) {
      expect(stdout).toContain(name);
    }
    expect(stdout).toMatch(/Exit codes: 0 /);
    expect(exitCode).toBe(exitCodes.ok);
  });

  it('lists the common flags for a command, and no empty defaults', async () => {
    const { stdout } = await rhizome('submit', '--help');
    expect(stdout).toContain('--token-file');
    expect(stdout).not.toContain('default: []');
  });

  it.each(['bash', 'zsh', 'fish'])('completes commands and their flags in %s', async (shell) => {
    const { stdout, exitCode } = await rhizome('completion', shell);
    expect(stdout).toContain('submit');
    expect(stdout).toMatch(/walltime/);
    // A flag of a command below another one.
    expect(stdout).toMatch(/schema.*publish/);
    expect(stdout).toMatch(/accept-breaking/);
    expect(exitCode).toBe(exitCodes.ok);
  });
});
