import { describe, expect, test as it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { read, repositoryFiles, root } from './repository.js';

/** Tests that `npm test -- ARGUMENTS` would run. */
function list(
  argumentsGiven: readonly string[],
  folder = root,
): { files: string[]; error: string; status: number | null } {
  const tool = join(root, 'tools', 'test.mjs');
  const env = { ...process.env, INIT_CWD: folder };
  const { stdout, stderr, status } = spawnSync(process.execPath, [tool, '--list', ...argumentsGiven], {
    encoding: 'utf8',
    env,
  });
  return { files: stdout.split('\n').filter((line) => line !== ''), error: stderr, status };
}

const usage = 'clients/pilot/src/payload/usage-meter.test.ts';

describe('npm test', () => {
  it.each([
    [[usage]],
    [['unit', usage]],
    [['unit', '--', usage]],
    [['unit', 'src/payload/usage-meter.test.ts']],
    [['clients/pilot/src/payload/usage-meter.ts']],
    [['clients/pilot/dist-test/payload/usage-meter.test.js']],
  ])('finds the test of a source path: %j', (argumentsGiven) => {
    expect(list(argumentsGiven)).toEqual({ files: [usage], error: '', status: 0 });
  });

  it('takes a path relative to the folder it was called in', () => {
    expect(list(['src/payload/usage-meter.test.ts'], join(root, 'clients/pilot')).files).toEqual([usage]);
  });

  it('runs the tests of a folder in the parts that their suffixes name', () => {
    const { files } = list(['test/e2e/why']);
    expect(files).toEqual(['test/e2e/why/why.e2e.ts']);
    expect(list(['unit', 'test/architecture/imports']).files).toEqual(['test/architecture/imports.test.ts']);
  });

  it('refuses a path that matches no test, instead of running none', () => {
    expect(list(['unit', '--', 'src/no-such-thing.test.ts'])).toMatchObject({ files: [], status: 2 });
    expect(list(['unit', 'test/e2e/why']).error).toBe(
      'test: no test matches "test/e2e/why" in unit; give a part (lint, unit, integration, e2e, soak) or a piece of a source path\n',
    );
  });

  it('starts the longest tests first, and each of them exists', () => {
    const listed = [...read('tools/longest-first.mjs').matchAll(/^ {2}'(.+)',$/gm)].map(([, path]) => path);
    const files = new Set(repositoryFiles());
    expect(listed.length).toBeGreaterThan(20);
    expect(listed.filter((path = '') => !files.has(path))).toEqual([]);
  });

  it('runs in a privileged container in every workflow, since tests start Podman and bubblewrap', () => {
    const workflows = repositoryFiles().filter((path) => path.startsWith('.github/workflows/'));
    const testing = workflows.filter((path) => read(path).includes('.ci/run'));
    expect(testing.length).toBeGreaterThan(1);
    expect(testing.filter((path) => !read(path).includes('options: --privileged'))).toEqual([]);
  });

  it('is the only way to run one test that the documentation names', () => {
    const pages = repositoryFiles().filter(
      (path) => path.endsWith('.md') && !path.startsWith('docs/decisions/'),
    );
    expect(pages.filter((page) => /npx jest|--selectProjects/.test(read(page)))).toEqual([]);
  });
});
