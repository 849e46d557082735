/** A new experiment in this repository: copied, linked, composed, built. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError, exitCodes } from '../exit-codes.js';
import { copyTemplate } from './copy.js';
import type { ExperimentNames } from './names.js';
import { freePort, type Repository } from './repository.js';
import { runProgram, type Step } from './steps.js';

/**
 * The steps that add an experiment to the repository.
 * @throws CliError if its folder exists
 */
export function stepsInRepository(repository: Repository, names: ExperimentNames): readonly Step[] {
  const { root, template } = repository;
  const folder = `experiments/${names.name}`;
  if (existsSync(join(root, folder)))
    throw new CliError(exitCodes.usage, `${folder} already exists; remove it or choose another name`);
  const references = join(root, 'tsconfig.json');
  const before = readFileSync(references, 'utf8');
  const node = (...args: string[]) => runProgram(process.execPath, args, root).then(() => undefined);
  return [
    {
      title: `copy experiments/${template.name} to ${folder}`,
      run: () => void copyTemplate(repository, names, join(root, folder), freePort(repository)),
      undo: () => rmSync(join(root, folder), { recursive: true, force: true }),
    },
    {
      title: 'add it to the references of tsconfig.json',
      run: () => addReference(root, folder),
      undo: () => writeFileSync(references, before),
    },
    {
      title: 'link its package (npm install)',
      run: () => runProgram('npm', ['install'], root).then(() => undefined),
    },
    {
      title: 'format the renamed files',
      run: () => node('node_modules/prettier/bin/prettier.cjs', '--write', '--log-level', 'warn', folder),
    },
    {
      title: 'generate its types and compose the supergraph',
      run: () => node('tools/generate.mjs', names.name),
    },
    { title: 'build', run: () => node('tools/build.mjs', '--quiet') },
  ];
}

/** Adds a package and its tests to the root's references, once. */
function addReference(root: string, path: string): void {
  const file = join(root, 'tsconfig.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as { references: { path: string }[] };
  if (config.references.some((one) => one.path === path)) return;
  // Before the packages that load experiments: the order is the build order.
  const last = config.references.findLastIndex((one) => one.path.startsWith('experiments/'));
  config.references.splice(last + 1, 0, { path }, { path: `${path}/tsconfig.test.json` });
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
}
