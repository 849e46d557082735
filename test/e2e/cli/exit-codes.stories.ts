// The exit codes of the command line.
import { describe, expect, it } from '@jest/globals';
import { cli, folderElsewhere, submitArgs, system } from './stage.js';

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
