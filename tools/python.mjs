// Installs the programs from PyPI that tests run, into a virtual environment in `.cache/python`. It is made
// again when the list of packages changes; otherwise this takes no time and no network.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const list = join(root, 'test', 'security', 'programs', 'requirements.txt');
const folder = join(root, '.cache', 'python');
const marker = join(folder, 'installed');
const wanted = createHash('sha256').update(readFileSync(list)).digest('hex');

if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) process.exit(0);

function run(program, args) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return;
  console.error(`python: ${program} ${args.join(' ')} failed:\n${error?.message ?? `${stdout}${stderr}`}`);
  process.exit(1);
}

console.log('python: installing the programs of test/security/programs/requirements.txt');
mkdirSync(dirname(folder), { recursive: true });
rmSync(folder, { recursive: true, force: true });
run('python3', ['-m', 'venv', folder]);
run(join(folder, 'bin', 'python'), [
  '-m',
  'pip',
  'install',
  '--quiet',
  '--disable-pip-version-check',
  '-r',
  list,
]);
writeFileSync(`${marker}.new`, wanted);
renameSync(`${marker}.new`, marker);
