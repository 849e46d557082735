import { expect, it } from '@jest/globals';
import { CommandRunner, shortened } from './run-command.js';

const run = (program: string, seconds = 30) =>
  new CommandRunner(seconds, process.env).run({ program: 'sh', arguments: ['-c', program], input: 'in' });

it('distinguishes a refusal from an answer that did not come', async () => {
  expect(await run('cat; echo out')).toEqual({ kind: 'DONE', stdout: 'inout\n' });
  expect(await run('echo no >&2; exit 1')).toEqual({ kind: 'FAILED', exitCode: 1, reason: 'no' });
  expect(await run('exit 4')).toEqual({
    ...{ kind: 'FAILED', exitCode: 4 },
    reason: 'sh ended with exit code 4',
  });
  expect(await run('kill -9 $$')).toEqual({ kind: 'UNKNOWN', reason: 'sh was ended by SIGKILL' });
  expect(await run('exec sleep 600', 0.2)).toEqual({
    kind: 'UNKNOWN',
    reason: 'sh did not answer for 0.2 s',
  });
  const missing = await new CommandRunner(1, {}).run({ program: '/nowhere', arguments: [] });
  expect(missing).toEqual({
    kind: 'FAILED',
    reason: expect.stringMatching(/^\/nowhere could not be started/),
  });
});

it('answers in time though another process holds its output, and ends those that it has left', async () => {
  const reason = 'sh did not answer for 0.2 s';
  const leave = 'sleep 600 & echo $! >&2; wait';
  expect(await run(leave, 0.2)).toEqual({ kind: 'UNKNOWN', reason });
  expect(await run('setsid sleep 5 & wait', 0.2)).toEqual({ kind: 'UNKNOWN', reason });
});

it('runs the commands after one that cannot be started', async () => {
  const runner = new CommandRunner(30, process.env);
  const first = runner.run({ program: 'sh', arguments: ['-c', `: ${'x'.repeat(200_000)}`] });
  const second = runner.run({ program: 'echo', arguments: ['out'] });
  expect(await first).toMatchObject({ kind: 'FAILED', reason: expect.stringContaining('E2BIG') });
  expect(await second).toEqual({ kind: 'DONE', stdout: 'out\n' });
});

it('shortens messages to one line', () => {
  expect(shortened(' a\n\tb ')).toBe('a b');
  expect(shortened('x'.repeat(500))).toHaveLength(400);
});
