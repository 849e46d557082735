// Submits by the command line, and `watch` to the end of a job or a task.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { experiment } from '../system/jobs.js';
import { cli, type JobLine, submitArgs, submitted, system } from './stage.js';

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
