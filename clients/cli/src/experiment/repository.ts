/** The repository of Rhizome, found from a folder inside it, and the experiment that others copy. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { type ExperimentManifest, readManifest } from '@rhizome/schema/repository';
import { CliError, exitCodes } from '../exit-codes.js';
import type { ExperimentNames } from './names.js';

/** A checkout of Rhizome. */
export interface Repository {
  readonly root: string;
  /** The experiments in it. */
  readonly experiments: readonly ExperimentManifest[];
  /** The one whose manifest says `scaffold: true`. */
  readonly template: ExperimentManifest;
}

/**
 * Finds the checkout that contains `cwd`.
 * @throws CliError if there is none
 */
export function findRepository(cwd: string): Repository {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    if (isRoot(folder)) return readRepository(folder);
    if (dirname(folder) === folder) break;
  }
  throw new CliError(
    exitCodes.usage,
    `${cwd} is not in a checkout of Rhizome; run this in one, because a new experiment is copied from it (with --standalone, it can be written to any folder)`,
  );
}

function isRoot(folder: string): boolean {
  return ['experiments', 'schema/shared.graphql', 'subgraphs', 'tsconfig.json'].every((part) =>
    existsSync(join(folder, part)),
  );
}

function readRepository(root: string): Repository {
  const experiments = readdirSync(join(root, 'experiments'))
    .map((name) => join(root, 'experiments', name, 'experiment.yaml'))
    .filter((file) => existsSync(file))
    .map((file) => readManifest(file));
  const template = experiments.find(({ scaffold }) => scaffold);
  if (!template)
    throw new CliError(exitCodes.usage, 'No experiment.yaml under experiments/ has `scaffold: true`');
  return { root, experiments, template };
}

/** A free port for an endpoint: one above the highest that an experiment of the checkout uses. */
export function freePort({ experiments }: Repository): number {
  return Math.max(...experiments.map(portOf)) + 1;
}

/** The port of an experiment's endpoint. */
export function portOf({ endpoint }: ExperimentManifest): number {
  return Number(new URL(endpoint).port);
}

const ownFolders = ['subgraphs', 'gateway', 'lib', 'clients/cli'];

/**
 * Refuses a name that core, the gateway, lib or the command line contain: they must not mention an
 * experiment.
 * @throws CliError
 */
export function refuseSpelled({ root }: Repository, { name }: ExperimentNames): void {
  const word = new RegExp(name, 'i');
  const found = ownFolders
    .flatMap((folder) => filesOf(join(root, folder)))
    .find((file) => word.test(file.slice(root.length)) || word.test(readFileSync(file, 'utf8')));
  if (found === undefined) return;
  throw new CliError(
    exitCodes.usage,
    `name: ${JSON.stringify(name)} occurs in ${relative(root, found)}, and core must not name an experiment; choose a rarer one`,
  );
}

const left = new Set(['node_modules', 'dist', 'dist-test', 'bundle', 'bundle.new', 'bundle.old', '.rhizome']);

/** All files under a folder, without built ones. */
export function filesOf(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => !left.has(name))
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? filesOf(path) : [path];
    });
}
