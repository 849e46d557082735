import { expect, it } from '@jest/globals';
import { CommandRunner, shortened } from './run-command.js';

const run = (program: string, seconds = 30) =>
  new CommandRunner(seconds, process.env).run({ program: 'sh', arguments: ['-c', program], input: 'in' });

it('distinguishes a refusal from an answer that did not come', async () => {
  expect(await run('cat; echo out')).toEqual({ kind: 'DONE', stdout: 'inout\n' });
  expect(await run('echo no >&2; exit 1')).toEqual({ kind: 'FAILED', reason: 'no' });
  expect(await run('exit 4')).toEqual({ kind: 'FAILED', reason: 'sh ended with exit code 4' });
  expect(await run('kill -9 $$')).toEqual({ kind: 'UNKNOWN', reason: 'sh was ended by SIGKILL' });
  expect(await run('exec sleep 600', 0.2)).toEqual({
    kind: 'UNKNOWN',
    reason: 'sh did not answer for 0.2 s',
  });
  const missing = await new CommandRunner(1, {}).run({ program: '/nowhere', arguments: [] });
  expect(missing).toMatchObject({ kind: 'FAILED' });
});

it('shortens messages to one line', () => {
  expect(shortened(' a\n\tb ')).toBe('a b');
  expect(shortened('x'.repeat(500))).toHaveLength(400);
});
