// Prepares and packs releases; docs/how-to/release.md describes the steps.
//
//   node tools/release.mjs prepare VERSION sets the version everywhere and dates the section of the changelog
//   node tools/release.mjs notes VERSION prints the section of the changelog node tools/release.mjs pack
//   --into DIR builds, then packs every package into DIR
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dateUnreleased, isNewer, sectionOf, withVersion } from './release-files.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const changelog = join(root, 'CHANGELOG.md');

function fail(message) {
  console.error(`release: ${message}`);
  process.exit(1);
}

/** Paths of all package.json files that git tracks. */
function manifests() {
  const listed = execFileSync('git', ['ls-files', 'package.json', '*/package.json'], { cwd: root });
  return listed.toString('utf8').trim().split('\n');
}

function prepare(version) {
  const current = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  if (!isNewer(version, current)) fail(`version: ${version} must be a version newer than ${current}`);
  const changes = execFileSync('git', ['status', '--porcelain'], { cwd: root }).toString('utf8');
  if (changes !== '') fail(`the working tree has changes; commit or stash them first:\n${changes}`);
  const dated = dateUnreleased(readFileSync(changelog, 'utf8'), version, new Date());
  if (dated === undefined) fail('CHANGELOG.md has no entries under "Unreleased"');
  for (const path of manifests()) {
    const file = join(root, path);
    writeFileSync(file, withVersion(readFileSync(file, 'utf8'), current, version));
  }
  writeFileSync(changelog, dated);
  const { status } = spawnSync('npm', ['install', '--package-lock-only'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) fail('npm could not update package-lock.json');
  console.log(execFileSync('git', ['diff', '--stat'], { cwd: root }).toString('utf8'));
}

function notes(version) {
  const section = sectionOf(readFileSync(changelog, 'utf8'), version);
  if (section === undefined) fail(`CHANGELOG.md has no section for ${version}`);
  process.stdout.write(`${section}\n`);
}

function pack(folder) {
  if (folder === undefined) fail('--into: missing; must be a folder');
  const into = resolve(folder);
  mkdirSync(into, { recursive: true });
  for (const args of [
    ['run', '-s', 'build'],
    ['pack', '--workspaces', '--pack-destination', into],
  ]) {
    const { status } = spawnSync('npm', args, { cwd: root, stdio: 'inherit' });
    if (status !== 0) fail(`npm ${args[0]} failed`);
  }
}

const [command, argument, value] = process.argv.slice(2);
if (command === 'prepare' && argument) prepare(argument);
else if (command === 'notes' && argument) notes(argument);
else if (command === 'pack' && argument === '--into') pack(value);
else fail('usage: release.mjs prepare VERSION | notes VERSION | pack --into DIR');
