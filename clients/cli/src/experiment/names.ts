/** The names of a new experiment, all derived from one. */
import { experimentName } from '@rhizome/schema/repository';
import { CliError, exitCodes } from '../exit-codes.js';

/** The spellings of an experiment's name. */
export interface ExperimentNames {
  /** Folder, subgraph, and the field of a job that holds its additions: `heron`. */
  readonly name: string;
  /** Prefix of its types: `Heron`. */
  readonly prefix: string;
  /** Prefix of its error codes and variables: `HERON`. */
  readonly upper: string;
}

/**
 * The spellings of a name.
 * @throws CliError if it is not a valid experiment name
 */
export function namesOf(name: string): ExperimentNames {
  if (!experimentName.test(name)) {
    throw new CliError(
      exitCodes.usage,
      `name: ${JSON.stringify(name)} is not valid; must be 2 to 31 lower-case letters and digits that begin with a letter, such as "heron"`,
    );
  }
  return { name, prefix: name.charAt(0).toUpperCase() + name.slice(1), upper: name.toUpperCase() };
}

/** Names that already exist and could collide. */
export interface KnownExperiment {
  readonly name: string;
  readonly typePrefix: string;
}

/**
 * Refuses a name that another experiment has, or whose prefix begins with another's prefix or the other way
 * round: their types could not be distinguished.
 * @throws CliError
 */
export function refuseCollision(names: ExperimentNames, known: readonly KnownExperiment[]): void {
  for (const { name, typePrefix } of known) {
    if (name === names.name) throw new CliError(exitCodes.usage, `Experiment "${name}" already exists.`);
    if (typePrefix.startsWith(names.prefix) || names.prefix.startsWith(typePrefix)) {
      throw new CliError(
        exitCodes.usage,
        `name: the prefix ${names.prefix} collides with ${typePrefix} of ${name}; neither may begin with the other`,
      );
    }
  }
}

/** Rewrites a text, or a path, of the template for the new experiment. */
export function renamed(text: string, from: ExperimentNames, to: ExperimentNames): string {
  return text
    .replaceAll(from.upper, to.upper)
    .replaceAll(from.prefix, to.prefix)
    .replaceAll(from.name, to.name);
}
