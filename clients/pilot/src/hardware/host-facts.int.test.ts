import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, hostname, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { findContainerRuntimes } from './containers.js';
import { findHostFacts } from './host-facts.js';
import { usableResources } from './limits.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'host-facts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('findHostFacts', () => {
  it('reports what the system reports', async () => {
    const facts = await findHostFacts({ scratch: folder, searchPath: '' });
    expect(facts.host).toBe(hostname());
    expect(facts.cpu.architecture).toBe(execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim());
    expect(facts.cores).toBeGreaterThanOrEqual(1);
    expect(facts.cores).toBeLessThanOrEqual(availableParallelism());
    expect(facts.memoryMiB).toBeLessThanOrEqual(totalmem() / 1024 ** 2);
    const free = execFileSync('df', ['--output=avail', '-BM', folder], { encoding: 'utf8' });
    expect(facts.diskMiB).toBeGreaterThan(Number(/(\d+)M/.exec(free)?.[1]) * 0.9 - 100);
    expect(facts.network).toBeNull();
  });

  it('prefers what the operator configures', async () => {
    const decided = { cores: 3, memoryMiB: 512, diskMiB: 77, network: true };
    expect(await findHostFacts({ scratch: folder, searchPath: '', ...decided })).toMatchObject(decided);
  });

  it('lists only container runtimes that can be executed', async () => {
    const programs = join(folder, 'bin');
    await mkdir(programs);
    await writeFile(join(programs, 'podman'), '#!/bin/sh\n');
    await writeFile(join(programs, 'docker'), '#!/bin/sh\n');
    await chmod(join(programs, 'podman'), 0o755);
    expect(await findContainerRuntimes(`/nonexistent:${programs}`)).toEqual(['podman']);
  });
});

describe('hostLimits in a control group', () => {
  it('reduces the resources by limits of version 2', async () => {
    await writeFile(join(folder, 'cpu.max'), '100000 100000\n');
    await writeFile(join(folder, 'memory.max'), `${64 * 1024 ** 2}\n`);
    expect(await usableResources(folder)).toEqual({ cores: 1, memoryMiB: 64 });
  });

  it('reduces the resources by limits of version 1', async () => {
    await mkdir(join(folder, 'cpu'));
    await mkdir(join(folder, 'memory'));
    await writeFile(join(folder, 'cpu', 'cpu.cfs_quota_us'), '150000\n');
    await writeFile(join(folder, 'cpu', 'cpu.cfs_period_us'), '100000\n');
    await writeFile(join(folder, 'memory', 'memory.limit_in_bytes'), `${32 * 1024 ** 2}\n`);
    expect(await usableResources(folder)).toEqual({ cores: 1, memoryMiB: 32 });
  });

  it('changes nothing for "max" or -1', async () => {
    const whole = { cores: availableParallelism(), memoryMiB: Math.floor(totalmem() / 1024 ** 2) };
    await writeFile(join(folder, 'cpu.max'), 'max 100000\n');
    await writeFile(join(folder, 'memory.max'), 'max\n');
    expect(await usableResources(folder)).toEqual(whole);
    expect(await usableResources(join(folder, 'nowhere'))).toEqual(whole);
  });
});
