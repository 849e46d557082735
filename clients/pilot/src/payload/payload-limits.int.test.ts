import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptMark } from '../processes/attempt-processes.js';
import { residentMemory, type ProcessEntry } from '../processes/process-table.js';
import { payloadSetup } from '../testing/payload-setup.js';
import type { PayloadLimits, PayloadResult } from './payload.js';
import { ProcessMonitor, type OnSample } from './process-monitor.js';

const setup = payloadSetup();
const { run } = setup;

describe('limits of a payload', () => {
  /** Seconds in which a shell sets its traps, also on a busy machine. */
  const longEnough = 2;

  it('ends a payload at its walltime, and reports it', async () => {
    const result = await run('trap "echo asked; exit 4" TERM; while :; do sleep 0.05; done', {
      walltimeSeconds: longEnough,
    });
    expect(result).toMatchObject({ exitCode: 4, exceeded: 'WALLTIME', out: 'asked\n' });
    expect(result.usage.wallSeconds).toBeGreaterThanOrEqual(longEnough);
  });

  it('kills a payload that ignores SIGTERM after the grace period', async () => {
    const script = 'trap "" TERM; while :; do sleep 0.05; done';
    expect(await run(script, { walltimeSeconds: longEnough, graceSeconds: 0.2 })).toMatchObject({
      signal: 'SIGKILL',
      exceeded: 'WALLTIME',
    });
  });

  it('counts all files of the scratch space, and kills the payload while it writes', async () => {
    const result = await run(
      'mkdir -p deep/er; for i in 1 2 3 4; do head -c 4000000 /dev/zero > deep/er/$i; done; exec sleep 600',
      { diskMiB: 10, walltimeSeconds: 600 },
    );
    expect(result).toMatchObject({ signal: 'SIGKILL', exceeded: 'DISK' });
    expect(result.peakDiskMiB).toBeGreaterThan(10);
    expect(result.usage.peakDiskMiB).toBe(result.peakDiskMiB);
  });

  it('finds a payload over its disk limit that ends at once', async () => {
    setup.services = { ...setup.services, diskPeriodMs: 600_000 };
    const write = 'head -c 3000000 /dev/zero > data';
    // A scan may see the file before the payload ends, and kill it: its exit code depends on the load.
    expect(await run(write, { diskMiB: 2 })).toMatchObject({ exceeded: 'DISK', peakDiskMiB: 3 });
    expect(await run(write, { diskMiB: 3 })).toMatchObject({ exitCode: 0, exceeded: null, peakDiskMiB: 3 });
  });

  it('kills a payload that writes faster than the period of the scans', async () => {
    setup.services = { ...setup.services, diskPeriodMs: 600_000 };
    const result = await run('head -c 30000000 /dev/zero > data; exec sleep 600', { diskMiB: 10 });
    expect(result).toMatchObject({ signal: 'SIGKILL', exceeded: 'DISK' });
  });

  it('adds the memory of all processes', async () => {
    // Three processes, each below the limit, together above it.
    const eat = `${process.execPath} -e "const b=Buffer.alloc(120e6,1);setTimeout(()=>b,20000)"`;
    const result = await run(`${eat} & ${eat} & ${eat}; wait`, { memoryMiB: 300 });
    expect(result).toMatchObject({ signal: 'SIGKILL', exceeded: 'MEMORY' });
    expect(result.usage.peakMemoryMiB).toBeGreaterThan(300);
  });

  it('counts pages that forked workers share once', async () => {
    // The parent fills 150 MB that four workers share: 750 MB of resident sets together.
    const result = await runForked('pass', { memoryMiB: 300 });
    expect(result).toMatchObject({ exitCode: 0, signal: null, exceeded: null });
    expect(result.usage.peakMemoryMiB).toBeGreaterThan(150);
    expect(result.usage.peakMemoryMiB).toBeLessThanOrEqual(300);
  });

  it('counts pages that forked workers have copied for each of them', async () => {
    const result = await runForked('for at in range(0, len(data), 4096): data[at] = 2; go = "/nowhere"', {
      memoryMiB: 300,
    });
    expect(result).toMatchObject({ signal: 'SIGKILL', exceeded: 'MEMORY' });
  });

  it('counts files in /dev/shm, also when no process has them open any more', async () => {
    const file = `/dev/shm/rhizome-test-${process.pid}`;
    const go = join(setup.folder, 'go');
    let samples = 0;
    setup.services = {
      ...setup.services,
      monitor: new Watching(() => {
        if (existsSync(file) && statSync(file).size === 150_000_000) samples += 1;
        if (samples === 2) writeFileSync(go, '');
      }),
    };
    const eat = `exec ${process.execPath} -e "const b=Buffer.alloc(200e6,1);setTimeout(()=>b,600000)"`;
    const result = await run(
      `exec 3> ${file}; head -c 150000000 /dev/zero >&3; until test -e ${go}; do sleep 0.05; done; exec 3>&-; ${eat}`,
      { memoryMiB: 280 },
    );
    expect(result).toMatchObject({ signal: 'SIGKILL', exceeded: 'MEMORY' });
    expect(existsSync(file)).toBe(false);
  });

  it('ignores a file in /dev/shm that is older than the payload', async () => {
    const file = `/dev/shm/rhizome-test-other-${process.pid}`;
    await writeFile(file, Buffer.alloc(150e6));
    try {
      const result = await run(
        `exec 3< ${file}; head -c 1000000 /dev/zero > ${file}.own; wait; cat ${file} | wc -c`,
        {
          memoryMiB: 100,
        },
      );
      expect(result).toMatchObject({ exitCode: 0, exceeded: null, out: '150000000\n' });
      expect(existsSync(file)).toBe(true);
    } finally {
      await rm(file, { force: true });
      await rm(`${file}.own`, { force: true });
    }
  });
});

/** A parent that fills 150 MB and forks four workers; it ends after a sample has shown all of them. */
async function runForked(work: string, limits: Partial<PayloadLimits>): Promise<PayloadResult> {
  const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).trim();
  const go = join(setup.folder, 'go');
  await writeFile(
    join(setup.folder, 'forked.py'),
    `import os, time
go = ${JSON.stringify(go)}
data = bytearray(b'x' * 150_000_000)
workers = []
for _ in range(4):
    worker = os.fork()
    if worker == 0:
        ${work}
        while not os.path.exists(go): time.sleep(0.05)
        os._exit(0)
    workers.append(worker)
for worker in workers: os.waitpid(worker, 0)
`,
  );
  let samples = 0;
  setup.services = {
    ...setup.services,
    monitor: new Watching((entries) => {
      if (entries.filter(({ pid }) => residentMemory(pid).bytes > 150e6).length < 5) return;
      samples += 1;
      // More than one, so that a kept measurement is used as well.
      if (samples === 4) writeFileSync(go, '');
    }),
  };
  return run(`exec ${python} forked.py`, limits);
}

/** Reports each sample after the payload has taken it. */
class Watching extends ProcessMonitor {
  readonly #watch: (entries: readonly ProcessEntry[]) => void;

  constructor(watch: (entries: readonly ProcessEntry[]) => void) {
    super(150);
    this.#watch = watch;
  }

  override add(mark: AttemptMark, onSample: OnSample): () => void {
    return super.add(mark, (entries) => {
      onSample(entries);
      this.#watch(entries);
    });
  }
}
