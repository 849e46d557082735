import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ControlGroup } from './control-group.js';
import { ControlGroups } from './control-groups.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'control-groups-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Files as the kernel shows them to a process. */
async function sources(own: string, mounts: string): Promise<{ own: string; mounts: string }> {
  const files = { own: join(folder, 'own'), mounts: join(folder, 'mounts') };
  await Promise.all([writeFile(files.own, own), writeFile(files.mounts, mounts)]);
  return files;
}

const mount = (root: string, point: string, type = 'cgroup2') =>
  `25 1 8:1 / / rw - ext4 /dev/sda rw\n30 25 0:26 ${root} ${point} rw,nosuid shared:4 - ${type} cgroup2 rw\n`;

describe('ControlGroups.find', () => {
  it.each([
    [
      'a host with version 1 alone',
      '4:memory:/user\n',
      mount('/', '/sys/fs/cgroup'),
      /no group of cgroup v2/,
    ],
    ['a hierarchy that is not mounted', '0::/user\n', mount('/', '/sys/fs/cgroup', 'cgroup'), /not mounted/],
    ['a mount of another part', '0::/user\n', mount('/system', '/sys/fs/cgroup'), /not mounted/],
  ])('gives the reason for %s', async (_, own, mounts, reason) => {
    const found = await ControlGroups.find({ sources: await sources(own, mounts) });
    expect(found.reason).toMatch(reason);
  });

  it('gives the folder that is not delegated', async () => {
    const files = await sources(
      '0::/user/job\n',
      mount('/user', join(folder, 'no where').replace(' ', '\\040')),
    );
    const found = await ControlGroups.find({ sources: files });
    expect(found.reason).toContain(join(folder, 'no where', 'job'));
    expect(found.reason).toContain('is not delegated');
  });

  it('finds a kernel that cannot kill groups, and removes its own', async () => {
    // A folder of an ordinary file system has no cgroup.kill, as in a kernel before 5.14.
    const found = await ControlGroups.find({ sources: await sources('0::/\n', mount('/', folder)) });
    expect(found.reason).toContain('cgroup.kill');
  });
});

describe('ControlGroup', () => {
  it('reads the processes of the groups below it, and the accounts of the kernel', async () => {
    const below = join(folder, 'below');
    await mkdir(below);
    await writeFile(join(folder, 'cgroup.procs'), '10\n11\n');
    await writeFile(join(below, 'cgroup.procs'), '12\n');
    await writeFile(join(folder, 'cpu.stat'), 'usage_usec 2500000\nuser_usec 2000000\n');
    const group = new ControlGroup(folder);
    expect(group.pids()).toEqual([10, 11, 12]);
    expect(group.use()).toEqual({ cpuSeconds: 2.5, peakMemoryBytes: null });
    await writeFile(join(folder, 'memory.peak'), '1048576\n');
    expect(group.use().peakMemoryBytes).toBe(1_048_576);
  });

  it('writes limits, and reads that the memory has run out', async () => {
    const group = new ControlGroup(folder);
    group.limitMemory(1.5);
    group.limitProcesses(20);
    const textOf = (file: string) => readFile(join(folder, file), 'utf8');
    expect(await Promise.all(['memory.max', 'memory.oom.group', 'pids.max'].map(textOf))).toEqual([
      '2',
      '1',
      '20',
    ]);
    expect(group.isOutOfMemory).toBe(false);
    await writeFile(join(folder, 'memory.events'), ['low 0', 'oom 1', 'oom_kill 0', ''].join('\n'));
    expect(group.isOutOfMemory).toBe(false);
    // The host was out of memory, and the group was not.
    await writeFile(join(folder, 'memory.events'), ['low 0', 'oom 0', 'oom_kill 1', ''].join('\n'));
    expect(group.isOutOfMemory).toBe(false);
    await writeFile(join(folder, 'memory.events'), ['low 0', 'oom 1', 'oom_kill 2', ''].join('\n'));
    expect(group.isOutOfMemory).toBe(true);
  });

  it('has no processes after it was removed', () => {
    const group = new ControlGroup(join(folder, 'gone'));
    expect(group.pids()).toEqual([]);
    expect(group.use()).toEqual({ cpuSeconds: null, peakMemoryBytes: null });
  });
});
