// The command line as people and scripts use it: every command, on a playground with one real pilot.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { leftovers, waitFor } from '@rhizome/testkit';
import { type CommandLine, commandLineOf } from '../system/cli.js';
import { createGate } from '../system/gated-payload.js';
import { experiment, jobOf, submit } from '../system/jobs.js';
import { type JobWatch, watchJobs } from '../system/job-watch.js';
import { type PlaygroundSystem, startPlayground } from '../system/playground-system.js';

let system: PlaygroundSystem;
let watch: JobWatch;
let cli: CommandLine;

beforeAll(async () => {
  system = await startPlayground({ pilots: 1 });
  watch = await watchJobs(system.client());
  cli = commandLineOf(system);
});

/** A folder from which no playground is found; gone at the end of the file. */
async function folderElsewhere(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-elsewhere-'));
  leftovers.defer(folder, () => rm(folder, { recursive: true, force: true }));
  return folder;
}

interface JobLine {
  readonly id: string;
  readonly name: string;
  readonly state: string;
}

/** Arguments of a submit of one small job. */
const submitArgs = (shell: string, ...flags: string[]) => [
  'submit',
  ...['-e', experiment, '--memory', '64', '--disk', '1'],
  ...flags,
  ...['--', 'sh', '-c', shell],
];

/** Submits by the command line; answers the job's id. */
async function submitted(shell: string, ...flags: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await cli.run(submitArgs(shell, ...flags));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const id = /job_\w+/.exec(stdout)?.[0];
  expect(id).toBeDefined();
  return id ?? '';
}

describe('rhizome submit and watch', () => {
  it('submits a job, watches it to its end, and ends with 0 because it FINISHED', async () => {
    const ended = await cli.run(submitArgs('echo out; echo err >&2', '--name', 'greeting', '--watch'));
    expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ended.stdout).toMatch(/→ FINISHED {2}attempt 1 {2}exit code 0/);
  });

  it('returns exit code 1 for a watched job that fails, and shows the exit code of the payload', async () => {
    const ended = await cli.run(submitArgs('exit 7', '--attempts', '1', '--watch'));
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(/→ FAILED {2}attempt 1 {2}exit code 7/);
  });

  it('prints each event as one JSON document per line with --json', async () => {
    const ended = await cli.run(['--json', ...submitArgs('true', '--name', 'documents', '--watch')]);
    expect(ended.exitCode).toBe(0);
    const documents = ended.stdout.split('\n').filter((line) => line.startsWith('{"'));
    const states = documents.map((line) => (JSON.parse(line) as { state?: string }).state);
    expect(states.at(-1)).toBe('FINISHED');
  });

  it('makes a task from a count, and watches it until all jobs are FINISHED', async () => {
    const ended = await cli.run(submitArgs('echo {{index}}', '--name', 'five', '--count', '5', '--watch'));
    expect(ended.exitCode).toBe(0);
    expect(ended.stdout).toMatch(/five .* 100 % of 5 {2}FINISHED/);
  });

  it('makes one task from a YAML file, with a job for each parameter set', async () => {
    const file = join(dirname(system.data), 'task.yaml');
    const lines = [
      `experiment: ${experiment}`,
      'name: greet {{who}}',
      'command: sh',
      'arguments: [-c, "echo hello {{who}}"]',
      'requirements: { memoryMiB: 64, diskMiB: 1 }',
      'parameters:',
      '  - who: Ada',
      '  - who: Emmy',
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    const ended = await cli.run(['submit', '-f', 'task.yaml', '--watch']);
    expect({ exitCode: ended.exitCode, stderr: ended.stderr }).toEqual({ exitCode: 0, stderr: '' });
    const task = /task_\w+/.exec(ended.stdout)?.[0] ?? '';
    const listed = (await cli.run(['list', '--json', '--task', task])).json<JobLine[]>();
    expect(listed.map(({ name }) => name).sort()).toEqual(['greet Ada 0', 'greet Emmy 1']);
  });

  it('refuses a task file with errors by its name and what would be right, and sends nothing', async () => {
    await writeFile(join(dirname(system.data), 'wrong.yaml'), 'experiment: 5\ncolour: red\n');
    const { exitCode, stderr } = await cli.run(['submit', '-f', 'wrong.yaml']);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml/);
    expect(stderr).toMatch(/colour/);
  });

  it('shows the path and code of what core refuses', async () => {
    const { exitCode, stderr } = await cli.run(submitArgs('true', '--share', 'larkspur/nowhere'));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/refused: jobs\.0\.share: .*larkspur\/nowhere.* \[SHARE_NOT_FOUND\]/);
  });

  it('submits nothing twice with the same key', async () => {
    const first = await submitted('true', '--key', 'once', '--name', 'once');
    expect(await submitted('true', '--key', 'once', '--name', 'once')).toBe(first);
  });
});

describe('rhizome list, show and why', () => {
  it('lists the newest jobs first, and filters them', async () => {
    const older = await submitted('true', '--name', 'older', '--label', 'story=list');
    const newer = await submitted('true', '--name', 'newer', '--label', 'story=list');
    const { stdout } = await cli.run(['list', '--label', 'story=list']);
    expect(stdout).toMatch(/^JOB +EXPERIMENT +NAME +STATE/);
    expect(stdout.indexOf(newer)).toBeGreaterThan(0);
    expect(stdout.indexOf(older)).toBeGreaterThan(stdout.indexOf(newer));
    const oldest = await cli.run(['list', '--json', '--label', 'story=list', '--oldest', '-n', '1']);
    expect(oldest.json<JobLine[]>().map(({ id }) => id)).toEqual([older]);
    expect((await cli.run(['list', '--json', '-s', 'throttled'])).json()).toEqual([]);
  });

  it('lists tasks with --tasks', async () => {
    const { exitCode, stdout } = await cli.run(['list', '--tasks']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^TASK +EXPERIMENT +NAME +STATE/);
    expect(stdout).toMatch(/five +FINISHED +100 % +5 /);
  });

  it('shows attempts, the exit code and the history of a job', async () => {
    const id = await submitted('test "$RHIZOME_ATTEMPT" = 2 || exit 3', '--name', 'second try');
    await watch.untilState(id, 'FINISHED', 20_000);
    const { stdout, exitCode } = await cli.run(['show', id]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ATTEMPT +WORKER/m);
    expect(stdout).toMatch(/^1 +pilot-1 .* FAILED +3 /m);
    expect(stdout).toMatch(/^2 +pilot-1 .* FINISHED +0/m);
    expect(stdout).toMatch(/RUNNING +ACTIVATED/);
    const shown = (await cli.run(['show', id, '--json'])).json<{
      id: string;
      attempts: { exitCode: number }[];
    }>();
    expect(shown.attempts.map(({ exitCode: code }) => code)).toEqual([3, 0]);
  });

  it('logs gives each stream where it belongs, of any attempt', async () => {
    const id = await submitted(
      'echo "out $RHIZOME_ATTEMPT"; echo "err $RHIZOME_ATTEMPT" >&2; test $RHIZOME_ATTEMPT = 2',
    );
    await watch.untilState(id, 'FINISHED', 20_000);
    expect(await cli.run(['logs', id])).toMatchObject({ exitCode: 0, stdout: 'out 2', stderr: 'err 2' });
    expect(await cli.run(['logs', id, '--attempt', '1'])).toMatchObject({ stdout: 'out 1', stderr: 'err 1' });
    const lines = (await cli.run(['logs', id, '--json'])).stdout.split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { stream: string }).stream).sort()).toEqual([
      'STDERR',
      'STDOUT',
    ]);
  });

  it('logs and show let no control characters of a job reach a terminal', async () => {
    const job = await submitted(
      "printf '\\033]0;title\\007\\033[31mred\\033[0m\\r\\n'; exit 3",
      '--attempts',
      '1',
    );
    await watch.untilState(job, 'FAILED', 60_000);
    const logs = await cli.run(['logs', job], { isInTerminal: true });
    expect(logs.exitCode).toBe(0);
    expect(logs.stdout.replaceAll('\r', '').trimEnd()).toBe('\\x1b]0;title\\x07red');
    const sequence = '\x1b]0;title\x07\x1b[31mred\x1b[0m';
    expect((await cli.run(['logs', job])).stdout).toContain(sequence);
    expect((await cli.run(['logs', '--raw', job], { isInTerminal: true })).stdout).toContain(sequence);
    const shown = await cli.run(['show', job], { isInTerminal: true });
    expect(shown.stdout).toContain('FAILED');
    expect(shown.stdout).not.toContain('\x1b');
  });

  it('shows the GPU request in `show --json`', async () => {
    const job = await submitted('true', '--gpu', 'count=64', '--gpu', 'vendor=AMD');
    const shown = await cli.run(['show', '--json', job]);
    expect(shown.json<{ requirements: { gpu: unknown } }>().requirements.gpu).toMatchObject({
      count: 64,
      vendor: 'AMD',
    });
    expect((await cli.run(['show', job])).stdout).toMatch(/^gpus +count=64 vendor=AMD/m);
    expect((await cli.run(['cancel', job])).exitCode).toBe(0);
  });

  it('logs -f shows lines while the payload runs, and ends when it has', async () => {
    const gate = createGate(system.data);
    const id = await submitted(`echo first; ${gate.wait}; echo last`);
    const following = cli.start(['logs', '-f', id]);
    await watch.untilState(id, 'RUNNING', 20_000);
    await following.line(/^first$/, 10_000);
    gate.open();
    await following.line(/^last$/, 10_000);
    expect(await following.exited).toMatchObject({ code: 0 });
  });

  it('explains what a waiting job waits for', async () => {
    const id = await submitted('true', '--cores', '4000');
    const { exitCode, stdout } = await cli.run(['why', id]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/cores >= 4000/);
    expect((await cli.run(['why', id, '--json'])).json()).toMatchObject({ pending: { workersThatFit: 0 } });
    await cli.run(['cancel', id]);
  });

  it('counts queues, workers and devices for each constraint, alone and together', async () => {
    const gpu = { count: 1, cuda: { minComputeCapability: '9.0' } };
    const requirements = { memoryMiB: 64, diskMiB: 1, walltimeSeconds: 600, gpu };
    const [id = ''] = await submit(system.api(), [{ requirements }]);
    const { exitCode, stdout } = await cli.run(['why', id]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ *CONSTRAINT +QUEUES +WORKERS +DEVICES +TOGETHER +WHY NOT$/m);
    // One queue, one pilot with six simulated devices, none of which is of that capability.
    expect(stdout).toMatch(/^ +all +1 +1 +6$/m);
    expect(stdout).toMatch(/^.* (gpu|compute capability).* 0 +0 +0 +0\/0\/0/m);
    expect(stdout).toMatch(/Expected waiting time: unknown; /);
    await cli.run(['cancel', id]);
  });

  it('gpus shows what the workers reported, by model, driver and runtime', async () => {
    const { exitCode, stdout } = await cli.run(['gpus']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^SITE +MODEL +PART +GIB +DRIVER +RUNTIME +HOSTS +DEVICES +FREE +BAD +UNKNOWN +SEEN$/m,
    );
    expect(stdout).toMatch(/^PLAYGROUND +A100-SXM4-40GB +40 +535 +CUDA 12\.2 +1 +2 +2 +0 +0 +\d+s$/m);
    expect(stdout).toMatch(/^PLAYGROUND +A100-SXM4-40GB +3g\.20gb +20 /m);
    const t4 = (await cli.run(['gpus', '--model', 't4', '--json'])).json();
    expect(t4).toMatchObject({
      sites: [{ queues: [{ name: 'playground' }], gpus: [{ model: 'T4', devices: 1 }] }],
    });
    expect((await cli.run(['gpus', '--vendor', 'intel'])).stdout).toContain('No GPUs found');
  });

  it('queues and workers show what there is', async () => {
    expect((await cli.run(['queues'])).stdout).toMatch(/playground +.*ONLINE/);
    expect((await cli.run(['queues', '--json'])).json()).toMatchObject([{ name: 'playground' }]);
    expect((await cli.run(['workers'])).stdout).toMatch(/pilot-1/);
    expect((await cli.run(['workers', '--json'])).json()).toMatchObject([
      { name: 'pilot-1', state: 'READY' },
    ]);
  });
});

describe('rhizome cancel and retry', () => {
  it('cancels a running job', async () => {
    const id = await submitted('sleep 600');
    await watch.untilState(id, 'RUNNING', 20_000);
    expect(await cli.run(['cancel', id, '--reason', 'enough'])).toMatchObject({
      exitCode: 0,
      stdout: '1 cancelled',
    });
    expect(await jobOf(system.api(), id)).toMatchObject({ state: 'CANCELLED' });
    const again = await cli.run(['cancel', id]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toMatch(/\[JOB_STATE_CONFLICT\]/);
  });

  it('cancels and retries all jobs of a task', async () => {
    const args = ['--cores', '4000', '--count', '3', '--name', 'three'];
    const task = /task_\w+/.exec((await cli.run(submitArgs('true', ...args))).stdout)?.[0] ?? '';
    const isThere = async () =>
      (await cli.run(['list', '--json', '--task', task])).json<JobLine[]>().length === 3;
    await waitFor('the jobs of the task', isThere, { deadlineMs: 10_000 });
    expect(await cli.run(['cancel', '--task', task])).toMatchObject({ exitCode: 0, stdout: '3 cancelled' });
    expect(await cli.run(['watch', task])).toMatchObject({ exitCode: 1 });
    const { exitCode, stdout } = await cli.run(['retry', '--task', task]);
    expect([exitCode, stdout.split('\n')]).toEqual([0, expect.any(Array)]);
    expect(stdout.match(/^job_\w+ {2}retries job_\w+$/gm)).toHaveLength(3);
    // The retries are the task's as well: it is live again.
    expect(await cli.run(['cancel', '--task', task])).toMatchObject({ exitCode: 0, stdout: '3 cancelled' });
  });

  it('retries a failed job as a new job', async () => {
    const id = await submitted('exit 1', '--attempts', '1');
    await watch.untilState(id, 'FAILED', 20_000);
    const { exitCode, stdout } = await cli.run(['retry', id]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^job_\\w+ {2}retries ${id}$`));
    const json = await cli.run(['retry', id, '--json', '--key', 'again']);
    expect(json.json()).toMatchObject({ jobs: [{ retryOf: { id } }], result: { changedCount: 1 } });
  });

  it('retries a failed job with more memory and another program', async () => {
    const id = await submitted('exit 1', '--attempts', '1', '--memory', '300');
    await watch.untilState(id, 'FAILED', 20_000);
    const changes = [
      '--memory',
      '2x',
      '--command',
      'sh',
      '--argument=-c',
      '--argument',
      'test "$A" = "1 2"',
      '--env',
      'A=1 2',
    ];
    const { jobs } = (await cli.run(['retry', id, '--json', ...changes])).json<{ jobs: [{ id: string }] }>();
    await watch.untilState(jobs[0].id, 'FINISHED', 20_000);
    expect((await cli.run(['show', jobs[0].id, '--json'])).json()).toMatchObject({
      requirements: { memoryMiB: 600 },
    });
  });
});

describe('exit codes', () => {
  it.each([
    ['an unknown command', ['launch'], 2, /unknown command/],
    ['a missing argument', ['show'], 2, /missing required argument/],
    ['a number out of range', ['list', '-n', '0'], 2, /1 to 10000/],
    [
      'a job that is not there',
      ['show', 'job_00000000000000000000000000'],
      3,
      /not found, or you may not see it/,
    ],
    ['a task that is not there', ['watch', 'task_00000000000000000000000000'], 3, /not found/],
  ])('follows the table: %s', async (_, args, exitCode, message) => {
    const ended = await cli.run(args);
    expect(ended.exitCode).toBe(exitCode);
    expect(ended.stderr).toMatch(message);
    expect(ended.stdout).toBe('');
  });

  it('is 4 if the token is invalid or lacks permission', async () => {
    const bad = await cli.run(['list'], {
      env: { RHIZOME_URL: system.file.url, RHIZOME_TOKEN: 'not-a-token' },
    });
    expect(bad).toMatchObject({ exitCode: 4 });
    expect(bad.stderr).not.toContain('not-a-token');
    const reader = { RHIZOME_URL: system.file.url, RHIZOME_TOKEN: system.file.readerToken };
    expect(await cli.run(submitArgs('true'), { env: reader })).toMatchObject({ exitCode: 4 });
  });

  it('is 4 with a hint if no gateway is known', async () => {
    const nowhere = await folderElsewhere();
    const { exitCode, stderr } = await cli.run(['list'], { cwd: nowhere });
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/npm run playground/);
  });

  it('is 5 if the gateway does not answer', async () => {
    const env = { RHIZOME_URL: 'http://127.0.0.1:9/graphql', RHIZOME_TOKEN: system.file.token };
    expect(await cli.run(['list'], { env })).toMatchObject({ exitCode: 5 });
  });
});

describe('rhizome login and completion', () => {
  it('stores gateway and token for their owner only, and uses them elsewhere', async () => {
    const elsewhere = await folderElsewhere();
    const login = await cli.run(['login', '--url', system.file.url], {
      cwd: elsewhere,
      stdin: system.file.readerToken,
    });
    expect(login).toMatchObject({ exitCode: 0 });
    expect(login.stdout).toMatch(/^Logged in as reader@playground \(HUMAN\)/);
    expect(login.stdout).not.toContain(system.file.readerToken);
    const { mode } = await stat(join(elsewhere, 'config', 'rhizome', 'credentials.json'));
    expect(mode & 0o777).toBe(0o600);
    expect(await cli.run(['queues'], { cwd: elsewhere })).toMatchObject({ exitCode: 0 });
    const refused = await cli.run(['login', '--url', system.file.url], { cwd: elsewhere, stdin: 'junk' });
    expect(refused.exitCode).toBe(4);
    expect(await cli.run(['queues'], { cwd: elsewhere })).toMatchObject({ exitCode: 0 });
  });

  it('completions parse in bash, and complete commands and flags', async () => {
    const { stdout } = await cli.run(['completion', 'bash']);
    const file = join(dirname(system.data), 'completion.bash');
    await writeFile(file, `${stdout}\n`);
    const complete = async (...words: string[]) => {
      const quoted = words.map((word) => `'${word}'`).join(' ');
      const script = `source ${file}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _rhizome; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout: answer } = await promisify(execFile)('bash', ['-euc', script]);
      return answer.trim().split('\n');
    };
    expect(await complete('rhizome', 'w')).toEqual(['whoami', 'watch', 'workers', 'worker', 'why']);
    expect(await complete('rhizome', 'logs', '--f')).toEqual(['--follow']);
    expect(await complete('rhizome', 'submit', '--exp')).toEqual(['--experiment']);
    expect(await complete('rhizome', 'schema', 'pub')).toEqual(['publish']);
    expect(await complete('rhizome', 'schema', 'publish')).toEqual(['publish']);
    expect(await complete('rhizome', 'schema', 'publish', '--no')).toEqual(['--note']);
  });

  it.each(['zsh', 'fish'])('completions for %s are printed', async (shell) => {
    const { exitCode, stdout } = await cli.run(['completion', shell]);
    expect(exitCode).toBe(0);
    for (const word of ['submit', 'watch', 'logs', 'cancel']) expect(stdout).toContain(word);
  });

  it('names every command and the exit codes in the help', async () => {
    const { exitCode, stdout } = await cli.run(['--help']);
    expect(exitCode).toBe(0);
    const commands = [
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
      'gpus',
      'why',
    ];
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^ +${command}\\b`, 'm'));
    expect(stdout).toMatch(/Exit codes: 0 success/);
  });

  it('hides a job from a user without a role in its experiment', async () => {
    const [id = ''] = await submit(system.api(), [{}]);
    const token = await system.identities.issuer.mint({
      subject: 'stranger@playground',
      kind: 'HUMAN',
      grants: [{ experiment: 'another', roles: ['USER'] }],
      ttlSeconds: 600,
    });
    const env = { RHIZOME_URL: system.file.url, RHIZOME_TOKEN: token };
    expect(await cli.run(['show', id], { env })).toMatchObject({ exitCode: 3 });
  });
});

describe('the verbs of operators', () => {
  /** A job that no worker of the playground can run. */
  const pendingJob = (...flags: string[]) => submitted('true', '--gpu', 'count=64', ...flags);

  it('changes jobs by id: hold, release, priority', async () => {
    const id = await pendingJob();
    expect(await cli.run(['hold', id, '--reason', 'wrong calibration'])).toMatchObject({
      exitCode: 0,
      stdout: '1 held',
    });
    expect((await cli.run(['show', id])).stdout).toMatch(/^hold +by .*: wrong calibration$/m);
    expect(await cli.run(['release', id])).toMatchObject({ exitCode: 0, stdout: '1 released' });
    expect((await cli.run(['show', id])).stdout).not.toMatch(/^hold/m);
    expect(await cli.run(['priority', '7', id])).toMatchObject({
      exitCode: 0,
      stdout: '1 set to priority 7',
    });
    expect((await cli.run(['show', id])).stdout).toMatch(/^priority +7$/m);
    await cli.run(['cancel', id]);
  });

  it('changes all live jobs that match a filter; cancel does too', async () => {
    const label = ['--label', 'story=operators'];
    await pendingJob(...label);
    await pendingJob(...label);
    const held = await cli.run(['hold', ...label, '-e', experiment, '--reason', 'pause', '--json']);
    expect(held.exitCode).toBe(0);
    expect(held.json()).toMatchObject({ changedCount: 2, refusedCount: 0 });
    expect(await cli.run(['release', ...label])).toMatchObject({ exitCode: 0, stdout: '2 released' });
    expect(await cli.run(['cancel', ...label])).toMatchObject({ exitCode: 0, stdout: '2 cancelled' });
  });

  it('reports a bulk operation that does not exist', async () => {
    const { exitCode, stderr } = await cli.run(['bulk', 'bulk_00000000000000000000000000']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/Operation "bulk_0+" not found, or you may not see it\./);
  });

  it('creates a queue, updates it and changes its state', async () => {
    const created = await cli.run([
      ...['queue', 'create', 'night', '--site', 'SUMMIT', '--state', 'OFFLINE'],
      ...['-e', experiment, '-l', 'power=solar', '--max-walltime', '3600'],
    ]);
    expect({ exitCode: created.exitCode, stderr: created.stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(created.stdout).toMatch(/^state +OFFLINE$/m);
    expect(created.stdout).toMatch(/^max walltime +3600 s$/m);
    const updated = await cli.run([
      'queue',
      'update',
      'night',
      '--max-cores',
      '64',
      '--expected-revision',
      '1',
    ]);
    expect(updated.stdout).toMatch(/^max cores +64$/m);
    expect(updated.stdout).toMatch(/^max walltime +3600 s$/m);
    const stale = await cli.run([
      'queue',
      'update',
      'night',
      '--max-cores',
      '32',
      '--expected-revision',
      '1',
    ]);
    expect(stale.exitCode).toBe(1);
    expect(stale.stderr).toMatch(/^refused: .*\[\w*REVISION\w*\]/m);
    const online = await cli.run([
      'queue',
      'set-state',
      'night',
      'PAUSED',
      '--reason',
      'full moon',
      '--json',
    ]);
    expect(online.json()).toMatchObject({ name: 'night', state: 'PAUSED', stateReason: 'full moon' });
    expect((await cli.run(['queues', '--site', 'SUMMIT'])).stdout).toMatch(
      /night +SUMMIT +PAUSED .* full moon/,
    );
  });

  it('shares lists the shares of an experiment, and set replaces them', async () => {
    type Share = { path: string; nominalCores: number; weight: number };
    const before = (await cli.run(['shares', '-e', experiment, '--json'])).json<Share[]>();
    expect(before.length).toBeGreaterThan(0);
    const lines = before.map(
      ({ path, nominalCores }) =>
        `  - { leaf: ${path.slice(path.indexOf('/') + 1)}, nominalCores: ${nominalCores}, weight: 2.5 }`,
    );
    await writeFile(join(dirname(system.data), 'shares.yaml'), `shares:\n${lines.join('\n')}\n`);
    const set = await cli.run(['shares', 'set', experiment, '-f', 'shares.yaml']);
    expect({ exitCode: set.exitCode, stderr: set.stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(set.stdout).toMatch(/^SHARE +WEIGHT +CORES/);
    const after = (await cli.run(['shares', '-e', experiment, '--json'])).json<Share[]>();
    expect(after.map(({ path, weight }) => [path, weight])).toEqual(before.map(({ path }) => [path, 2.5]));
  });

  // The last test: the playground has no other pilot.
  it('drains a worker by its name', async () => {
    const nobody = await cli.run(['worker', 'drain', 'nobody']);
    expect(nobody.exitCode).toBe(3);
    expect(nobody.stderr).toMatch(/Worker "nobody" not found/);
    const drained = await cli.run(['worker', 'drain', 'pilot-1', '--reason', 'maintenance']);
    expect({ exitCode: drained.exitCode, stderr: drained.stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(drained.stdout).toMatch(/^pilot-1 +(DRAINING|ENDED)$/);
  });
});
