// What the command line shows of jobs, queues, workers and GPUs.
import { describe, expect, it } from '@jest/globals';
import { createGate } from '../system/gated-payload.js';
import { waitFor } from '@rhizome/testkit';
import { submit } from '../system/jobs.js';
import { cli, type JobLine, submitted, system, watch } from './stage.js';

interface WorkerLine {
  readonly host: string;
  readonly queue: { readonly name: string };
}

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
    expect(stdout).toMatch(/^2 +pilot-1 .* FINISHED +0 +(cgroup v2|samples)/m);
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
    const explained = await cli.run(['why', job], { isInTerminal: true });
    expect(explained.stdout).toContain('The job failed after 1 attempt on host');
    expect(explained.stdout).not.toContain('\x1b');
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

  it('explains why a job failed by the lines of its log, and how it may succeed', async () => {
    const id = await submitted('echo begin; reconstruct-nothing', '--attempts', '1');
    await watch.untilState(id, 'FAILED', 60_000);
    const { exitCode, stdout } = await cli.run(['diagnose', id]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^SOFTWARE, \d+ % certain: A program was not found/m);
    expect(stdout).toMatch(/^ {2}\| .*reconstruct-nothing: not found$/m);
    expect(stdout).toContain('Provide the software');
    const queue = await cli.run(['diagnose', '--queue', 'no-such-queue']);
    expect(queue).toMatchObject({ exitCode: 3, stdout: '' });
  });

  it('explains what a waiting job waits for', async () => {
    const id = await submitted('true', '--cores', '4000');
    const { exitCode, stdout } = await cli.run(['why', id]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/cores >= 4000/);
    expect((await cli.run(['why', id, '--json'])).json()).toMatchObject({ pending: { workersThatFit: 0 } });
    await cli.run(['cancel', id]);
  });

  it('explains that all hosts are excluded, without a table of zeros', async () => {
    const [worker] = (await cli.run(['workers', '--json'])).json<readonly WorkerLine[]>();
    const host = [worker?.queue.name ?? '', worker?.host ?? ''];
    const excluded = await cli.run(['host', 'exclude', ...host, '--reason', 'a broken disk']);
    expect(excluded).toMatchObject({ exitCode: 0 });
    const id = await submitted('true');
    const { stdout } = await cli.run(['why', id]);
    expect(stdout).toMatch(/excluded/);
    expect(stdout).not.toMatch(/CONSTRAINT|workers fit/);
    await cli.run(['cancel', id]);
    await cli.run(['host', 'clear', ...host]);
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

  it('errors counts failures by code and site, with a job, and what they cost', async () => {
    const id = await submitted('exit 7', '--name', 'fails', '--attempts', '1');
    await watch.untilState(id, 'FAILED', 60_000);
    const command = ['errors', '--by', 'code,site', '--since', '1h'];
    const counted = async () => (await cli.run(command)).stdout;
    // Counts follow the event stream.
    const stdout = await waitFor(
      'the failure in the counts',
      async () => {
        const text = await counted();
        return text.includes(id) ? text : undefined;
      },
      { deadlineMs: 60_000 },
    );
    expect(stdout).toMatch(/^CODE +SITE +FAILED +CORE HOURS +GPU HOURS +LAST +JOB$/m);
    expect(stdout).toMatch(/^EXIT_CODE +PLAYGROUND +\d+ /m);
    expect(stdout).toMatch(/^new: EXIT_CODE of \S+ at PLAYGROUND, never before /m);
    expect(stdout).toMatch(/^LOST BY +ATTEMPTS/m);
    const exits = await cli.run(['errors', '--by', 'exit-code', '--code', 'EXIT_CODE', '--json']);
    expect(exits.json()).toMatchObject({
      groups: expect.arrayContaining([expect.objectContaining({ exitCode: 7, code: null })]),
    });
    const searched = [
      'list',
      '--state',
      'FAILED',
      '--code',
      'EXIT_CODE',
      '--exit-code',
      '7',
      '--text',
      'FAIL',
    ];
    expect((await cli.run([...searched, '--site', 'PLAYGROUND', '--family', 'payload'])).stdout).toContain(
      id,
    );
    expect((await cli.run([...searched, '--host', 'nowhere'])).stdout).not.toContain(id);
    expect((await cli.run([...searched, '--image', 'nowhere'])).stdout).not.toContain(id);
    expect(await cli.run(['list', '--text', 'fails'])).toMatchObject({ exitCode: 1 });
    const byCode = ['errors', '--by', 'code'];
    expect((await cli.run([...byCode, '--family', 'limit', '--exit-code', '7'])).stdout).toBe('No failures.');
    expect((await cli.run([...byCode, '--image', 'nowhere'])).stdout).toBe('No failures.');
    expect((await cli.run(['errors', '--site', 'NOWHERE'])).stdout).toBe('No failures.');
    for (const flag of ['--task', '--image', '--host'])
      expect((await cli.run(['errors', flag, 'nowhere'])).stdout).toBe('No failures.');
    expect(await cli.run(['errors', '--exit-code', '7'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^CODE +FAILED /),
    });
    expect(await cli.run(['errors', '--by', 'task,host'])).toMatchObject({ exitCode: 1 });
    expect(await cli.run(['errors', '--by', 'colour'])).toMatchObject({ exitCode: 2 });
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
