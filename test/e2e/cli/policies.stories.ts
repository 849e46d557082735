// Policies: rules for failed attempts, tested on what has failed before they are enabled.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { experiment } from '../system/jobs.js';
import { cli, folderElsewhere, submitted, watch } from './stage.js';

const rules = `comment: Wrong input
rules:
  - name: wrong input
    match: { exitCodes: [{ from: 65, to: 69 }], logPattern: bad magic }
    action: { hold: { reason: The input must be checked by hand } }
`;
const scope = ['-e', experiment];
const failing = 'echo bad magic 7 >&2; exit 66';

let file: string;

beforeAll(async () => {
  file = join(await folderElsewhere(), 'policy.yaml');
  await writeFile(file, rules);
});

/** Runs a command that succeeds. @returns what it prints */
async function run(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await cli.run(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

describe('rhizome policy', () => {
  it('tests a file on attempts that have failed, before any version exists', async () => {
    const id = await submitted(failing);
    await watch.untilState(id, 'FAILED', 60_000);
    const tested = await run('policy', 'test', ...scope, '-f', file);
    expect(tested).toMatch(/^All attempts that failed since /m);
    expect(tested).toMatch(/^wrong input +\d+ +0 +0 +[1-9]\d* +0$/m);
    // It was retried, and failed again: what follows a hold instead is unknown.
    expect(tested).toMatch(new RegExp(`^${id} +1 +wrong input +RETRY +HOLD$`, 'm'));
  });

  it('adds a version, which decides once it is enabled', async () => {
    expect(await run('policy', 'add', ...scope, '-f', file)).toBe('newest version: 1, not enabled');
    const plan = await run('policy', 'enable', '1', ...scope, '--dry-run');
    expect(plan).toBe('would enable version 1; enabled now: none, newest: 1');
    expect(await run('policy', 'show', ...scope)).toBe('No version is enabled.');
    const enabled = `experiment ${experiment}  enabled version: 1`;
    expect(await run('policy', 'enable', '1', ...scope)).toBe(enabled);
    const id = await submitted(failing);
    await watch.untilState(id, 'PENDING', 60_000);
    const shown = await run('show', id);
    expect(shown).toMatch(/^hold +by system:policy since .*: The input must be checked by hand$/m);
    expect(shown).toMatch(/^1 +HOLD +.*; exitCodes: 66; logPattern: bad magic 7$/m);
    await run('cancel', id);
  });

  it('shows the enabled rules in the form of a file, the versions and all policies', async () => {
    const shown = await run('policy', 'show', ...scope);
    await writeFile(file, shown);
    expect(await run('policy', 'add', ...scope, '-f', file)).toBe('newest version: 1, enabled');
    expect(await run('policy', 'history', ...scope)).toMatch(/^1 +enabled +\S+ +.* 1 +Wrong input$/m);
    expect(await run('policy', 'list')).toMatch(new RegExp(`^experiment +${experiment} +1 +1 `, 'm'));
  });

  it('disables a policy', async () => {
    expect(await run('policy', 'disable', ...scope)).toBe(`experiment ${experiment}  enabled version: none`);
    const id = await submitted(failing);
    await watch.untilState(id, 'FAILED', 60_000);
  });

  it('names every error of a file, with its path', async () => {
    await writeFile(file, 'rules: [{ name: x, match: { codes: [a b] }, action: { retry: {}, fail: {} } }]');
    const { exitCode, stderr } = await cli.run(['policy', 'add', ...scope, '-f', file]);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/rules\.0\.action/);
    const none = await cli.run(['policy', 'show']);
    expect(none.stderr).toMatch(/Name one of --experiment, --queue and --task/);
  });
});
