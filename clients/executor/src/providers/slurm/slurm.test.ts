import { describe, expect, it } from '@jest/globals';
import type { Command, CommandResult } from '../run-command.js';
import { SlurmProvider } from './slurm.js';

/** A provider whose commands answer as given. */
function providerWith(answer: CommandResult) {
  const commands: Command[] = [];
  const runner = {
    run: async (command: Command): Promise<CommandResult> => {
      commands.push(command);
      return answer;
    },
  };
  const script = () => 'exit 0\n';
  const named = { partition: 'batch', account: 'physics', qos: undefined, logFolder: undefined };
  return {
    commands,
    provider: new SlurmProvider({ runner, script, queue: 'north', ...named, arguments: ['--nice=5'] }),
  };
}

const resources = {
  ...{ shape: 'gpu', cores: 4, memoryMiB: 8512, gpus: 2, gpuType: 'a100', walltimeSeconds: 90 },
  arguments: ['--constraint=ib'],
};
const pilots = [0, 1].map((number) => ({ id: `p-${number}`, number, code: 'c' }));
const batch = { batch: 'pilot_01A', pilots, resources };

describe('submit', () => {
  it('submits the pilots of a batch as one array job of its name, with the program as input', async () => {
    const { commands, provider } = providerWith({ kind: 'DONE', stdout: '42;north\n' });
    expect(await provider.submit(batch)).toEqual({
      kind: 'ACCEPTED',
      batchJobIds: new Map([
        ['p-0', '42_0'],
        ['p-1', '42_1'],
      ]),
    });
    const [{ program, arguments: args = [], input } = { program: '' }] = commands;
    expect([program, input]).toEqual(['sbatch', 'exit 0\n']);
    const wanted = [
      '--job-name=pilot_01A.north',
      '--array=0,1',
      '--cpus-per-task=4',
      '--mem=8512M',
      '--time=2',
    ];
    const further = ['--gres=gpu:a100:2', '--partition=batch', '--account=physics', '--no-requeue'];
    expect(args).toEqual(expect.arrayContaining([...wanted, ...further]));
    expect(args.slice(-2)).toEqual(['--nice=5', '--constraint=ib']);
  });

  it('takes a refusal for one, and everything else that is no id for an unknown outcome', async () => {
    const outcomeOf = async (answer: CommandResult) =>
      (await providerWith(answer).provider.submit(batch)).kind;
    const failed = (reason: string, exitCode?: number) => outcomeOf({ kind: 'FAILED', exitCode, reason });
    expect(await failed('sbatch could not be started: spawn sbatch ENOENT')).toBe('REFUSED');
    const submission = 'sbatch: error: Batch job submission failed: ';
    const refusals = [
      'Invalid partition name specified',
      'Job violates accounting/QOS policy (job submit limit)',
    ];
    for (const refusal of refusals) expect(await failed(`${submission}${refusal}`, 1)).toBe('REFUSED');
    expect(await failed("sbatch: unrecognized option '--x'", 1)).toBe('REFUSED');
    // The job may be in.
    expect(await failed(`${submission}Socket timed out on send/recv operation`, 1)).toBe('UNKNOWN');
    expect(await failed('sbatch ended with exit code 255', 255)).toBe('UNKNOWN');
    expect(await outcomeOf({ kind: 'UNKNOWN', reason: 'no answer for 60 s' })).toBe('UNKNOWN');
    expect(await outcomeOf({ kind: 'DONE', stdout: 'Submitted' })).toBe('UNKNOWN');
  });
});

it('has no complete list if the command fails, or prints something else', async () => {
  const listOf = (answer: CommandResult) => providerWith(answer).provider.list();
  expect(await listOf({ kind: 'FAILED', reason: 'x' })).toEqual({ isComplete: false, reason: 'x' });
  expect(await listOf({ kind: 'DONE', stdout: 'x' })).toMatchObject({ isComplete: false });
  expect(await listOf({ kind: 'DONE', stdout: '' })).toEqual({ isComplete: true, jobs: [] });
});

it('cancels at most a hundred jobs by one command, and on request only those that wait', async () => {
  const { commands, provider } = providerWith({ kind: 'DONE', stdout: '' });
  await provider.cancel(
    Array.from({ length: 150 }, (_, index) => `7_${index}`),
    'ANY',
  );
  await provider.cancel(['8_0'], 'WAITING');
  expect(commands.map(({ arguments: args }) => args.length)).toEqual([100, 50, 2]);
  expect(commands[2]?.arguments).toEqual(['--state=PENDING', '8_0']);
});
