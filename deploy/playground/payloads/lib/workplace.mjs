// Where a payload finds its inputs and leaves its outputs: in the folders that the pilot names in the
// environment, or, when it is run by hand, in the working folder.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Exit code of a wrong option, a missing input or an unreadable file. */
export const exitBadInput = 1;

/** Prints why the program cannot go on and ends it. */
export function fail(message, exitCode = exitBadInput) {
  console.error(`error: ${message}`);
  process.exit(exitCode);
}

/** Job and folders, from the environment that the pilot sets; without it, the working folder. */
export function workplace(env = process.env) {
  return {
    jobId: env.RHIZOME_JOB_ID ?? 'by-hand',
    attempt: Number(env.RHIZOME_ATTEMPT ?? '1'),
    outputs: env.RHIZOME_OUTPUTS ?? process.cwd(),
    manifest: env.RHIZOME_INPUTS_MANIFEST,
  };
}

/**
 * The files to read: those named on the command line, else all files of the parents' outputs with this
 * ending. The manifest is `{"parents": [{"jobId", "folder", "files": [{"name", …}]}]}`; the order is that of
 * the parents.
 */
export function inputFiles(named, ending, place = workplace()) {
  if (named.length > 0) return named;
  if (place.manifest === undefined) fail(`no input: name files with --input, or run as a job with parents`);
  const { parents } = JSON.parse(readFileSync(place.manifest, 'utf8'));
  const found = parents.flatMap(({ folder, files }) =>
    files.filter(({ name }) => name.endsWith(ending)).map(({ name }) => join(folder, name)),
  );
  if (found.length === 0) {
    fail(`none of the ${parents.length} parents left a file that ends in "${ending}"`);
  }
  return found;
}

/** A number of the command line, checked; `fallback` where the option was left out. */
export function numberOption(name, text, { fallback, minimum, maximum, integer = false }) {
  if (text === undefined) return fallback;
  const value = Number(text);
  const fits = Number.isFinite(value) && value >= minimum && value <= maximum;
  if (!fits || text.trim() === '' || (integer && !Number.isInteger(value))) {
    const kind = integer ? 'a whole number' : 'a number';
    fail(`--${name} is "${text}"; it must be ${kind} from ${minimum} to ${maximum}`);
  }
  return value;
}
