// `cancel` and `retry`.
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { experiment, jobOf } from '../system/jobs.js';
import { cli, type JobLine, submitArgs, submitted, system, watch } from './stage.js';

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

  it('gives others access to a job, lists it and ends it', async () => {
    const id = await submitted('true', '--cores', '4000');
    const friend = ['access', 'grant', experiment, 'friend@example', '--job', id];
    const { exitCode, stdout } = await cli.run([...friend, '--manage', '--days', '2']);
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^access_\w+ {2}until \S+Z$/)]);
    const access = /^access_\w+/.exec(stdout)?.[0] ?? '';
    expect((await cli.run(['access', 'list'])).stdout).toMatch(
      new RegExp(`^${access} +${experiment} +\\S+ +${id} +friend@example +MANAGE`, 'm'),
    );
    expect(await cli.run([...friend, '--task', 'x'])).toMatchObject({ exitCode: 2 });
    expect(await cli.run(['access', 'revoke', access])).toMatchObject({
      exitCode: 0,
      stdout: `${access}  ended`,
    });
    expect((await cli.run(['access', 'revoke', access])).stderr).toMatch(/\[ACCESS_NOT_FOUND\]/);
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
