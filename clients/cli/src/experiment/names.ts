/** The names of a new experiment, all made of one word. */
import { experimentName } from '@rhizome/schema/repository';
import { CliError, exitCodes } from '../exit-codes.js';

/** How an experiment is spelled where. */
export interface ExperimentNames {
  /** Folder, subgraph, and the one field under which its additions sit: `heron`. */
  readonly name: string;
  /** Prefix of its types: `Heron`. */
  readonly prefix: string;
  /** Prefix of its error codes and variables: `HERON`. */
  readonly upper: string;
}

/** The spellings of a name. @throws CliError when it is no name of an experiment */
export function namesOf(name: string): ExperimentNames {
  if (!experimentName.test(name)) {
    throw new CliError(
      exitCodes.usage,
      `the name ${JSON.stringify(name)} does not do: expected 2 to 31 lower-case letters and digits, beginning with a letter, as "heron"`,
    );
  }
  return { name, prefix: name.charAt(0).toUpperCase() + name.slice(1), upper: name.toUpperCase() };
}

/** Who is there already, as far as names can collide. */
export interface KnownExperiment {
  readonly name: string;
  readonly typePrefix: string;
}

/**
 * Refuses a name that another experiment has, or whose types could be taken for another's: two prefixes, one of which begins with the
 * other, cannot be told apart. @throws CliError
 */
export function refuseCollision(names: ExperimentNames, known: readonly KnownExperiment[]): void {
  for (const { name, typePrefix } of known) {
    if (name === names.name) throw new CliError(exitCodes.usage, `the experiment ${name} exists already`);
    if (typePrefix.startsWith(names.prefix) || names.prefix.startsWith(typePrefix)) {
      throw new CliError(
        exitCodes.usage,
        `the prefix ${names.prefix} cannot be told from ${typePrefix} of ${name}: choose a name that neither begins with the other`,
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
