// Builds every package of the workspace: TypeScript's native compiler over the project references, then
// whatever a package brings as its own `build` step (web pages), then the bundles of programs. A warm build
// compiles only what changed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePrograms } from './bundle.mjs';
import { projectConfigs } from './projects.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const isSilent = process.argv.includes('--quiet');
const started = performance.now();

/**
 * Removes outputs whose source is gone, or is no longer part of the project: a deleted test must not run on.
 */
function prune(configFile) {
  const folder = dirname(configFile);
  const { compilerOptions, exclude = [] } = JSON.parse(readFileSync(configFile, 'utf8'));
  const built = join(folder, compilerOptions.outDir);
  if (!existsSync(built)) return;
  const source = resolve(folder, compilerOptions.rootDir);
  const suffixes = exclude.flatMap((pattern) => /\*\*\/\*(\..+)\.tsx?$/.exec(pattern)?.[1] ?? []);
  const excludedFolders = exclude.flatMap((pattern) => /\*\*(\/[^*]+\/)\*\*$/.exec(pattern)?.[1] ?? []);
  for (const entry of readdirSync(built, { recursive: true })) {
    if (!/\.(js|d\.ts)(\.map)?$/.test(entry) || entry.startsWith('static')) continue;
    const stem = entry.replace(/\.(js|d\.ts)(\.map)?$/, '');
    const isExcluded =
      suffixes.some((suffix) => stem.endsWith(suffix)) ||
      excludedFolders.some((name) => `/${stem}`.includes(name));
    const hasSource = existsSync(join(source, `${stem}.ts`)) || existsSync(join(source, `${stem}.tsx`));
    if (isExcluded || !hasSource) rmSync(join(built, entry), { force: true });
  }
}

const configs = projectConfigs();
configs.forEach(prune);
const tsc = join(root, 'node_modules', 'typescript-native', 'bin', 'tsc');
// Each checker of a project works out the types that it meets: more of them than processors only repeat that.
const checkers = ['--checkers', String(Math.min(4, availableParallelism()))];
const result = spawnSync(
  process.execPath,
  [
    tsc,
    '-b',
    root,
    ...checkers,
    ...process.argv.slice(2).filter((a) => a !== '--quiet' && a !== '--without-bundles'),
  ],
  { stdio: 'inherit' },
);
if (result.status !== 0) {
  console.error('build: TypeScript reported errors; see above');
  process.exit(result.status ?? 1);
}
for (const folder of new Set(configs.map((config) => dirname(config)))) {
  const step = join(folder, 'build.mjs');
  if (!existsSync(step)) continue;
  const { status } = spawnSync(process.execPath, [step, ...(isSilent ? ['--quiet'] : [])], {
    cwd: folder,
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(`build: ${relative(root, step)} failed`);
    process.exit(status ?? 1);
  }
}
if (!process.argv.includes('--without-bundles')) await bundlePrograms();
if (!isSilent)
  console.log(`build: ${configs.length} projects in ${((performance.now() - started) / 1000).toFixed(1)} s`);
