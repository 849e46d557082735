import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAttemptId, type AttemptMark } from '../processes/attempt-processes.js';
import { readProcessTable, residentMemory, type ProcessEntry } from '../processes/process-table.js';
import { Watchdogs } from '../watchdog/watchdog.js';
import { OutputCapture, type CaptureLimits, type LogChunk } from './output-capture.js';
import { Payload, type PayloadLimits, type PayloadResult, type PayloadServices } from './payload.js';
import { PipePool } from './pipe-pool.js';
import { ProcessMonitor, type OnSample } from './process-monitor.js';
import { ReapedAccounts } from './reaped-accounts.js';

const roomy: CaptureLimits = { head: 1 << 20, tail: 1 << 16, buffer: 1 << 19 };
let services: PayloadServices;
let folder: string;
let attempts: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'payload-'));
  attempts = [];
  services = {
    monitor: new ProcessMonitor(150),
    reaped: new ReapedAccounts(),
    watchdogs: new Watchdogs(),
    pipes: new PipePool(folder),
    diskPeriodMs: 100,
  };
});
afterEach(async () => {
  await services.watchdogs.close();
  const left = attempts.flatMap((id) =>
    [...readProcessTable().values()].filter((entry) => !entry.isZombie && readAttemptId(entry) === id),
  );
  expect(left).toEqual([]);
  await rm(folder, { recursive: true, force: true });
});

/** A monitor that never takes a sample. */
class Blind extends ProcessMonitor {
  override add(): () => void {
    return () => undefined;
  }
}

interface Run {
  readonly payload: Payload;
  readonly capture: OutputCapture;
}

async function start(script: string, limits: Partial<PayloadLimits> = {}, captured = roomy): Promise<Run> {
  const attemptId = `att_test_${process.pid}_${attempts.length}_${performance.now()}`;
  attempts.push(attemptId);
  const environment = { PATH: '/usr/bin:/bin', RHIZOME_ATTEMPT_ID: attemptId, GREETING: 'hello' };
  const payload = await Payload.start(
    attemptId,
    { command: 'sh', arguments: ['-c', script], environment, folder, scratch: folder },
    { walltimeSeconds: 60, memoryMiB: 4096, diskMiB: 1000, graceSeconds: 5, ...limits },
    services,
  );
  const capture = new OutputCapture(
    { STDOUT: payload.stdout, STDERR: payload.stderr },
    captured,
    () => new Date(),
  );
  return { payload, capture };
}

async function readAll(capture: OutputCapture): Promise<LogChunk[]> {
  const all: LogChunk[] = [];
  for (;;) {
    const chunks = await capture.take(100);
    if (chunks.length === 0) return all;
    all.push(...chunks);
  }
}

const textOf = (chunks: readonly LogChunk[], stream: string): string =>
  chunks.flatMap((chunk) => (chunk.stream === stream ? [chunk.text] : [])).join('');

async function run(
  script: string,
  limits: Partial<PayloadLimits> = {},
): Promise<PayloadResult & { out: string; err: string }> {
  const { payload, capture } = await start(script, limits);
  const [result, chunks] = await Promise.all([payload.result, readAll(capture)]);
  return { ...result, out: textOf(chunks, 'STDOUT'), err: textOf(chunks, 'STDERR') };
}

/** Takes chunks until the text matches, and returns the text so far. */
async function readUntil(capture: OutputCapture, wanted: RegExp): Promise<string> {
  let text = '';
  while (!wanted.test(text)) {
    const chunks = await capture.take(1);
    if (chunks.length === 0)
      throw new Error(`the output ended with ${JSON.stringify(text)}, without ${wanted}`);
    text += chunks.map((chunk) => chunk.text).join('');
  }
  return text;
}

describe('the end of a payload', () => {
  it('has its real exit code', async () => {
    expect(await run('exit 3')).toMatchObject({ exitCode: 3, signal: null, exceeded: null });
  });

  it('distinguishes exit codes from signals', async () => {
    expect(await run('exit 137')).toMatchObject({ exitCode: 137, signal: null });
    expect(await run('kill -SEGV $$')).toMatchObject({ exitCode: null, signal: 'SIGSEGV' });
  });

  it('has the reason if the program does not exist, and leaves nothing behind', async () => {
    const spec = {
      command: 'no-such-program',
      arguments: [],
      environment: { PATH: '/usr/bin:/bin' },
      folder,
      scratch: folder,
    };
    const limits = { walltimeSeconds: 1, memoryMiB: 1, diskMiB: 1, graceSeconds: 1 };
    await expect(Payload.start('att_none', spec, limits, services)).rejects.toMatchObject({ code: 'ENOENT' });
    await services.watchdogs.close();
    expect([...readProcessTable().values()].filter(({ parent }) => parent === process.pid)).toEqual([]);
  });

  it('kills what it leaves behind, also in a session of its own', async () => {
    const { out } = await run(
      'setsid sh -c "trap \\"\\" TERM HUP; while :; do sleep 0.05; done" & sleep 0.2; echo done',
    );
    expect(out).toBe('done\n');
  });
});

describe('a payload', () => {
  it('sees only its own environment and folder', async () => {
    const { out } = await run('env | sort; pwd');
    const names = out.split('\n').flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
    expect(names.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)).sort()).toEqual([
      'GREETING',
      'PATH',
      'RHIZOME_ATTEMPT_ID',
    ]);
    expect(out).toContain(`${folder}\n`);
  });

  it('leads a session and a group of its own', async () => {
    const { payload, capture } = await start('exec sleep 30');
    const entry = readProcessTable().get(payload.pid);
    expect(entry).toMatchObject({ group: payload.pid, session: payload.pid });
    payload.terminate();
    expect(await payload.result).toMatchObject({ signal: 'SIGTERM', exceeded: null });
    await readAll(capture);
  });

  it('can open /dev/stdout and /dev/stderr, as shell scripts do', async () => {
    expect(await run('echo one > /dev/stdout; echo two > /dev/stderr')).toMatchObject({
      exitCode: 0,
      out: 'one\n',
      err: 'two\n',
    });
  });
});

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
      'mkdir -p deep/er; for i in 1 2 3 4; do head -c 4000000 /dev/zero > deep/er/$i; done; exec sleep 25',
      { diskMiB: 10 },
    );
    expect(result).toMatchObject({ signal: 'SIGKILL', exceeded: 'DISK' });
    expect(result.peakDiskMiB).toBeGreaterThan(10);
    expect(result.usage.wallSeconds).toBeLessThan(20);
  });

  it('finds a payload over its disk limit that ends before the first scan', async () => {
    services = { ...services, diskPeriodMs: 60_000 };
    const write = 'head -c 3000000 /dev/zero > data';
    expect(await run(write, { diskMiB: 2 })).toMatchObject({ exitCode: 0, exceeded: 'DISK', peakDiskMiB: 3 });
    expect(await run(write, { diskMiB: 3 })).toMatchObject({ exitCode: 0, exceeded: null, peakDiskMiB: 3 });
  });

  it('kills a payload that writes faster than the period of the scans', async () => {
    services = { ...services, diskPeriodMs: 600_000 };
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
    const go = join(folder, 'go');
    let samples = 0;
    services = {
      ...services,
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
  const go = join(folder, 'go');
  await writeFile(
    join(folder, 'forked.py'),
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
  services = {
    ...services,
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

describe('usage of a payload', () => {
  const burn = (ms: number): string =>
    `${process.execPath} -e "const used=()=>{const{user,system}=process.cpuUsage();return user+system};while(used()<${ms}e3);"`;

  it('includes CPU time of ended children, as the shell itself reports it', async () => {
    const { usage, out } = await run(`${burn(300)}; ${burn(400)}; times`);
    // The builtin prints the shell's own times, then those of its children: minutes and seconds, user and
    // system.
    const seconds = [...out.matchAll(/(\d+)m([\d.]+)s/g)].map(
      ([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
    );
    expect(seconds).toHaveLength(4);
    expect(usage.cpuSeconds).toBeGreaterThanOrEqual(0.68);
    expect(Math.abs(usage.cpuSeconds - seconds.reduce((a, b) => a + b, 0))).toBeLessThanOrEqual(0.05);
    expect(usage.isPartial).toBe(false);
  });

  it('includes CPU time of a process that left its session', async () => {
    const { usage } = await run(`setsid ${burn(500)} & wait`);
    expect(usage.cpuSeconds).toBeGreaterThanOrEqual(0.48);
  });

  it('has CPU time and traffic of a payload shorter than one sample, marked as partial', async () => {
    services = { ...services, monitor: new Blind() };
    const { usage } = await run(
      'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; head -c 1000000 /dev/zero > data',
    );
    expect(usage).toMatchObject({ isPartial: true, peakMemoryMiB: null });
    expect(usage.writeBytes).toBeGreaterThanOrEqual(1_000_000);
    expect(usage.writeBytes).toBeLessThan(1_500_000);
    expect(usage.cpuSeconds).toBeGreaterThan(0);
    expect(usage.cpuSeconds).toBeLessThan(0.5);
  });

  it('has peak memory and bytes written to storage', async () => {
    const { usage } = await run(
      `dd if=/dev/zero of=data bs=1M count=20 conv=fsync 2>/dev/null; ${process.execPath} -e "const b=Buffer.alloc(150e6,1);setTimeout(()=>b,600)"`,
    );
    expect(usage.peakMemoryMiB).toBeGreaterThan(150);
    expect(usage.peakMemoryMiB).toBeLessThan(600);
    expect(usage.writeBytes).toBeGreaterThanOrEqual(20 * 2 ** 20);
    expect(await readFile(join(folder, 'data'))).toHaveLength(20 * 2 ** 20);
  });
});

describe('output of a payload', () => {
  it('arrives while the payload runs', async () => {
    const { payload, capture } = await start('echo first; exec sleep 30');
    expect(await readUntil(capture, /first\n/)).toBe('first\n');
    payload.terminate();
    await payload.result;
    await readAll(capture);
  });

  it('is complete at any size, with chunks in sequence and within bounds', async () => {
    const { payload, capture } = await start(
      'i=0; while [ $i -lt 20000 ]; do echo "line $i äöü€"; i=$((i+1)); done',
    );
    const chunks = await readAll(capture);
    await payload.result;
    expect(textOf(chunks, 'STDOUT')).toBe(
      Array.from({ length: 20_000 }, (_, i) => `line ${i} äöü€\n`).join(''),
    );
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
    expect(Math.max(...chunks.map(({ text }) => Buffer.byteLength(text)))).toBeLessThanOrEqual(64 * 1024);
  });

  it('makes the payload wait while nobody takes it, and then arrives whole', async () => {
    const limits = { head: 1 << 30, tail: 0, buffer: 1 << 17 };
    const { payload, capture } = await start(
      'head -c 3000000 /dev/zero | tr "\\0" x; echo; date +%s%N',
      {},
      limits,
    );
    const first = await capture.take(1);
    // The buffer and the pipe are full: the payload cannot have written everything. Its own clock at the end
    // proves that it waited.
    const resumedAt = await new Promise<number>((resolve) => setTimeout(() => resolve(Date.now()), 500));
    const text = textOf([...first, ...(await readAll(capture))], 'STDOUT');
    const [filler = '', nanoseconds = '0'] = text.split('\n');
    expect(filler).toBe('x'.repeat(3_000_000));
    expect(Number(nanoseconds) / 1e6).toBeGreaterThanOrEqual(resumedAt);
    expect(await payload.result).toMatchObject({ exitCode: 0 });
  });

  it('keeps its head and its tail beyond the limit, and shows how much is missing', async () => {
    const limits = { head: 1000, tail: 500, buffer: 1 << 17 };
    const { payload, capture } = await start(
      'echo begin; head -c 100000 /dev/zero | tr "\\0" x; echo; echo end',
      {},
      limits,
    );
    const text = textOf(await readAll(capture), 'STDOUT');
    await payload.result;
    const total = 6 + 100_000 + 1 + 4;
    expect(text.startsWith('begin\nxxx')).toBe(true);
    expect(text).toContain(
      `\n[rhizome: ${total - 1500} bytes of STDOUT left out here; the log keeps the first 1000 bytes and the last 500]\n`,
    );
    expect(text.endsWith('xxx\nend\n')).toBe(true);
    expect(text.match(/x/g)?.length).toBeLessThan(1600);
  });

  it('does not make the payload wait once it is discarded', async () => {
    const { payload, capture } = await start(
      'head -c 30000000 /dev/zero',
      {},
      { head: 1 << 30, tail: 0, buffer: 1 << 16 },
    );
    capture.discard();
    expect(await payload.result).toMatchObject({ exitCode: 0 });
    expect(await readAll(capture)).toEqual([]);
  });
});
