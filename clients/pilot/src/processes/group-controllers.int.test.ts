/** Control groups of the real kernel, with any controller of version 2 on this host; this takes root. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'group-controllers-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const module = new URL('./group-controllers.js', import.meta.url).href;
/** Prints the enabled controllers, and the last part of the path of its own group. */
const program = `
  import { readFileSync } from 'node:fs';
  const { enableControllers } = await import(${JSON.stringify(module)});
  const [, , folder, ...names] = process.argv;
  const enabled = enableControllers(folder, names);
  const [, own] = /^0::.*\\/(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'));
  console.log(JSON.stringify({ enabled, own: own.replace(String(process.pid), 'PID') }));
`;
/**
 * Runs the program in a group of its own, below one that has a controller. Arguments: folder for the mount,
 * `node`, the program, and whether the shell shares the group. Leaves everything as it was.
 */
const script = `
  mount -t cgroup2 none "$0" || exit 0
  name=$(cut -d ' ' -f 1 "$0/cgroup.controllers"); group="$0/rhizome-test-$$"
  was=$(grep -w "$name" "$0/cgroup.subtree_control")
  mkdir "$group" || exit 0
  if echo "+$name" > "$0/cgroup.subtree_control"; then
    [ "$3" = shared ] && echo $$ > "$group/cgroup.procs"
    sh -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$group" "$1" "$2" "$group" "$name" none
    echo $$ > "$0/cgroup.procs"
  fi
  rmdir "$group"/pilot-*
  rmdir "$group"
  [ -n "$was" ] || echo "-$name" > "$0/cgroup.subtree_control"`;

describe('groupForPayloads', () => {
  it('returns the group above one into which an earlier supervisor has moved', async () => {
    const { groupForPayloads } = await import('./group-controllers.js');
    await mkdir(join(folder, 'job'));
    await writeFile(join(folder, 'job', 'cgroup.subtree_control'), 'cpu memory\n');
    const of = (name: string): string => groupForPayloads(join(folder, name), ['memory', 'pids']);
    expect(of('job/pilot-12')).toBe(join(folder, 'job'));
    expect([of('job/session-12'), of('pilot-12')]).toEqual([
      join(folder, 'job/session-12'),
      join(folder, 'pilot-12'),
    ]);
  });
});

describe('enableControllers', () => {
  it('returns none where there are none', async () => {
    const { enableControllers } = await import('./group-controllers.js');
    await writeFile(join(folder, 'cgroup.controllers'), 'cpu io\n');
    expect(enableControllers(folder, ['memory', 'pids'])).toEqual([]);
    expect(enableControllers(join(folder, 'gone'), ['memory'])).toEqual([]);
  });

  it.each([
    ['moves into a group below if it is alone', 'alone', { enabled: 1, own: 'pilot-PID' }],
    ['changes nothing if another process is in its group', 'shared', { enabled: 0, own: 'rhizome-test' }],
  ])('finds that a process %s', async (_, company, expected) => {
    const file = join(folder, 'enable.mjs');
    await writeFile(file, program);
    const command = ['--mount', 'sh', '-c', script, folder, process.execPath, file, company];
    const { stdout } = spawnSync('unshare', command, { encoding: 'utf8' });
    // Without root, or where the root of the hierarchy is not this host's own, there is nothing to try.
    if (stdout === '') return;
    const { enabled, own } = JSON.parse(stdout) as { enabled: string[]; own: string };
    expect({ enabled: enabled.length, own: own.replace(/^rhizome-test.*/, 'rhizome-test') }).toEqual(
      expected,
    );
  });
});
