import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const programs = fileURLToPath(new URL('../payloads/', import.meta.url));

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Histogram {
  readonly pairs: number;
  readonly seeds: readonly number[];
  readonly window: { readonly entries: number };
  readonly bins: readonly { readonly count: number; readonly fit: number }[];
  readonly fit: {
    readonly converged: boolean;
    readonly peak: number;
    readonly peakError: number;
    readonly resolution: number;
    readonly chiSquare: number;
    readonly degreesOfFreedom: number;
  };
  readonly expected: { readonly met: boolean; readonly problem: string | null };
}

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'payloads-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs a program as a pilot does: in an environment with the pilot's variables only. */
async function run(
  program: string,
  job: string,
  parents: readonly string[],
  args: readonly string[],
  attempt = 1,
): Promise<Ended> {
  const outputs = outputsOf(job);
  await mkdir(outputs, { recursive: true });
  const manifest = join(folder, `${job}.inputs.json`);
  await writeFile(manifest, JSON.stringify({ parents: await Promise.all(parents.map(describeParent)) }));
  const env = {
    PATH: '/usr/bin:/bin',
    RHIZOME_JOB_ID: job,
    RHIZOME_ATTEMPT: String(attempt),
    RHIZOME_INPUTS_MANIFEST: manifest,
    RHIZOME_OUTPUTS: outputs,
  };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(programs, program), ...args],
      { cwd: folder, env },
      (error, stdout, stderr) => {
        resolve({
          exitCode: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
          stdout,
          stderr,
        });
      },
    );
  });
}

const outputsOf = (job: string): string => join(folder, job, 'outputs');

async function describeParent(jobId: string): Promise<object> {
  const files = (await readdir(outputsOf(jobId))).map((name) => ({ name }));
  return { jobId, folder: outputsOf(jobId), files };
}

/** Two generators, a reconstruction of each, and the merge that waits for both. */
async function runChain(generatorArgs: (seed: number) => readonly string[]): Promise<Ended> {
  for (const seed of [1, 2]) {
    const generated = await run('generate.mjs', `gen-${seed}`, [], generatorArgs(seed));
    expect(generated).toMatchObject({ exitCode: 0, stderr: '' });
    const reconstructed = await run('reconstruct.mjs', `reco-${seed}`, [`gen-${seed}`], []);
    expect(reconstructed).toMatchObject({ exitCode: 0, stderr: '' });
  }
  return run('merge.mjs', 'merge', ['reco-1', 'reco-2'], []);
}

async function readHistogram(job = 'merge'): Promise<Histogram> {
  return JSON.parse(await readFile(join(outputsOf(job), 'histogram.json'), 'utf8')) as Histogram;
}

async function digest(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

describe('the chain from generation to the fitted peak', () => {
  it('finds the Z at 91.2 ± 0.5 GeV, with a resolution and a fit that are right', async () => {
    const merged = await runChain((seed) => ['--seed', String(seed), '--events', '20000']);
    expect(merged).toMatchObject({ exitCode: 0, stderr: '' });
    const { pairs, seeds, window, bins, fit, expected } = await readHistogram();
    expect(pairs).toBe(40_000);
    expect(seeds).toEqual([1, 2]);
    expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(window.entries);
    expect(fit.converged).toBe(true);
    expect(Math.abs(fit.peak - 91.2)).toBeLessThan(0.5);
    // The generated mass is known: the fit must find it within five standard errors, and these must match
    // 40,000 pairs.
    expect(Math.abs(fit.peak - 91.1876)).toBeLessThan(5 * fit.peakError);
    expect(fit.peakError).toBeGreaterThan(0.005);
    expect(fit.peakError).toBeLessThan(0.03);
    expect(fit.resolution).toBeGreaterThan(0.6);
    expect(fit.resolution).toBeLessThan(1.1);
    expect(fit.chiSquare / fit.degreesOfFreedom).toBeLessThan(2);
    expect(expected).toMatchObject({ met: true, problem: null });
  });

  it.each([
    ['high', '1.02', /fitted peak is at 9[23]\.\d+ ± 0\.0\d+ GeV, outside 91.2 ± 0.5 GeV/],
    ['low', '0.98', /fitted peak is at 89\.\d+ ± 0\.0\d+ GeV, outside 91.2 ± 0.5 GeV/],
  ])(
    'fails when the momentum scale is 2 %% too %s, and still writes the histogram',
    async (_, scale, complaint) => {
      const merged = await runChain((seed) => ['--seed', String(seed), '--momentum-scale', scale]);
      expect(merged.exitCode).toBe(2);
      expect(merged.stderr).toMatch(complaint);
      expect((await readHistogram()).expected.met).toBe(false);
      expect((await readdir(outputsOf('merge'))).sort()).toEqual(['histogram.json', 'histogram.svg']);
    },
  );

  it('draws data points, their errors, the fitted curve, both axes and the result', async () => {
    await runChain((seed) => ['--seed', String(seed)]);
    const svg = await readFile(join(outputsOf('merge'), 'histogram.svg'), 'utf8');
    const { bins, fit } = await readHistogram();
    // One circle for each bin and one in the legend; a smooth path of one piece for each bin, and again for
    // the area under it.
    expect(svg.match(/<circle /g)).toHaveLength(bins.length + 1);
    expect(svg.match(/ C /g)).toHaveLength(2 * (bins.length + 1));
    expect(svg).toContain(`${fit.peak.toFixed(3)} ± ${fit.peakError.toFixed(3)} GeV`);
    expect(svg).toContain('m(μ⁺μ⁻)');
    expect(svg).toContain('pairs / 0.5 GeV');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(svg).not.toMatch(/(href|src)=|url\(/);
  });
});

describe('generation', () => {
  it('prints its seed, and the same seed gives the same file byte for byte', async () => {
    const first = await run('generate.mjs', 'first', [], ['--seed', '42']);
    await run('generate.mjs', 'second', [], ['--seed', '42']);
    await run('generate.mjs', 'other', [], ['--seed', '43']);
    expect(first.stdout).toMatch(/^seed 42$/m);
    const [a, b, c] = await Promise.all(
      ['first', 'second', 'other'].map((job) => digest(join(outputsOf(job), 'events.z4v'))),
    );
    expect(b).toBe(a);
    expect(c).not.toBe(a);
  });

  it('takes a seed of its own for each job when none is given, and 20,000 events', async () => {
    const seeds = [];
    for (const job of ['job_a', 'job_b']) {
      const { stdout } = await run('generate.mjs', job, [], []);
      expect(stdout).toContain('wrote events.z4v: 20000 events');
      seeds.push(/^seed (\d+)$/m.exec(stdout)?.[1]);
    }
    expect(seeds[0]).toMatch(/^\d+$/);
    expect(seeds[1]).not.toBe(seeds[0]);
    // 20,000 events of eight 32-bit numbers, after one line of text.
    expect((await stat(join(outputsOf('job_a'), 'events.z4v'))).size).toBeGreaterThan(20_000 * 32);
  });

  it.each([
    [['--events', '0'], /--events is "0"; it must be a whole number from 1 to 5000000/],
    [['--events', '1.5'], /--events is "1.5"/],
    [['--seed', ''], /--seed is ""/],
    [['--momentum-scale', 'high'], /--momentum-scale is "high"; it must be a number from 0.5 to 2/],
    [['--colour', 'red'], /--colour/],
  ])('refuses %j and names what would be right', async (args, complaint) => {
    const ended = await run('generate.mjs', 'bad', [], args);
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toMatch(complaint);
    expect(await readdir(outputsOf('bad'))).toEqual([]);
  });
});

describe('a step with an invalid input', () => {
  it('refuses a truncated file', async () => {
    await run('generate.mjs', 'gen', [], ['--events', '100']);
    const path = join(outputsOf('gen'), 'events.z4v');
    await writeFile(path, (await readFile(path)).subarray(0, 2000));
    const ended = await run('reconstruct.mjs', 'reco', ['gen'], []);
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toMatch(/has \d+ bytes of data instead of 3200: it was cut or damaged/);
  });

  it('refuses a parent without the expected file', async () => {
    await mkdir(outputsOf('empty'), { recursive: true });
    const ended = await run('merge.mjs', 'merge', ['empty'], []);
    expect(ended).toMatchObject({ exitCode: 1 });
    expect(ended.stderr).toContain('none of the 1 parents left a file that ends in ".zmm"');
  });

  it('refuses a file of another step', async () => {
    await run('generate.mjs', 'gen', [], ['--events', '100']);
    const ended = await run('merge.mjs', 'merge', [], ['--input', join(outputsOf('gen'), 'events.z4v')]);
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toContain('is not a file of format "z-masses"');
  });

  it('reports too few events to fit, and draws no curve', async () => {
    await run('generate.mjs', 'gen', [], ['--events', '50', '--seed', '5']);
    await run('reconstruct.mjs', 'reco', ['gen'], []);
    const ended = await run('merge.mjs', 'merge', ['reco'], []);
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toMatch(/only \d+ pairs lie in 80 to 102 GeV; the fit needs 200/);
    expect(await readFile(join(outputsOf('merge'), 'histogram.svg'), 'utf8')).not.toContain('NaN');
  });
});

describe('an attempt that fails on purpose', () => {
  it('ends with exit code 3 on the first attempt and succeeds on the second', async () => {
    const first = await run('flaky.mjs', 'job', [], [], 1);
    expect(first.exitCode).toBe(3);
    expect(first.stderr).toContain('attempt 1 fails on purpose');
    const second = await run('flaky.mjs', 'job', [], [], 2);
    expect(second).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await readdir(outputsOf('job'))).toEqual(['flaky.json']);
  });

  it('is an option of each step', async () => {
    const args = ['--events', '100', '--fail-attempts', '1'];
    expect((await run('generate.mjs', 'gen', [], args, 1)).exitCode).toBe(3);
    expect((await run('generate.mjs', 'gen', [], args, 2)).exitCode).toBe(0);
  });
});
