/** Pure checks of the files that payloads read and write. */
import { assertDeclaredOutput, kindOfOutput, mostOutputPatterns } from '@rhizome/storage';
import { isInStorage, locationsOf, problemOf } from '../../storages/places.js';
import type { ChecksumKind } from '../model/job.types.js';
import type { JobValueErrors } from './job-input-error.types.js';
import type { CheckPlace } from './requirement-checks.js';
import type { InputSpec } from './submit.types.js';

type Path = readonly (string | number)[];

/** Schemes of URLs that workers fetch inputs from without a storage. */
const fetchedSchemes = new Set(['http', 'https']);
const schemesText = [...fetchedSchemes].map((scheme) => `${scheme}://`).join(' or ');

/** Most bytes of all places of all inputs together: they are stored with the job. */
export const mostLocationBytes = 4 * 1024 ** 2;

/** Files of a payload. */
type Files = {
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
  readonly keepOnFailure: readonly string[];
};

/**
 * Checks files of a payload, which must not leave their folders.
 * @param checkPlace checks places in storages
 */
export function checkFiles(
  { inputs, outputs, keepOnFailure }: Files,
  path: Path,
  errors: JobValueErrors,
  checkPlace: CheckPlace = () => undefined,
): void {
  errors.list([...path, 'inputs'], inputs, 1000);
  inputs.forEach((input, position) => checkInput(input, [...path, 'inputs', position], errors, checkPlace));
  errors.distinct(
    [...path, 'inputs'],
    inputs.map(({ name }) => name),
  );
  const bytes = inputs.flatMap(locationsOf).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > mostLocationBytes)
    errors.add(
      [...path, 'inputs'],
      `${bytes} bytes of locations`,
      `at most ${mostLocationBytes} bytes of locations together`,
    );
  errors.list([...path, 'outputs'], outputs, 100);
  outputs.forEach((name, position) => {
    const problem = problemOf(() => assertDeclaredOutput(name));
    if (problem !== undefined)
      errors.add([...path, 'outputs', position], name, `a path, a folder or a pattern: ${problem}`);
  });
  errors.distinct([...path, 'outputs'], outputs);
  const patterns = outputs.filter((entry) => kindOfOutput(entry) === 'PATTERN').length;
  if (patterns > mostOutputPatterns)
    errors.add([...path, 'outputs'], `${patterns} patterns`, `at most ${mostOutputPatterns} patterns`);
  const kept = [...path, 'keepOnFailure'];
  errors.list(kept, keepOnFailure, 100);
  keepOnFailure.forEach((name, position) => {
    if (!outputs.includes(name)) errors.add([...kept, position], name, 'an entry of `outputs`');
  });
  errors.distinct(kept, keepOnFailure);
}

/** Most places of one input in addition to the first. */
export const mostOtherLocations = 9;
const digits: Readonly<Record<ChecksumKind, number>> = { SHA256: 64, MD5: 32, ADLER32: 8 };

function checkInput(input: InputSpec, path: Path, errors: JobValueErrors, checkPlace: CheckPlace): void {
  const others = input.otherLocations ?? [];
  const checksums = input.checksums ?? [];
  errors.fileName([...path, 'name'], input.name);
  errors.list([...path, 'otherLocations'], others, mostOtherLocations);
  locationsOf(input).forEach((location, place) => {
    const at = place === 0 ? [...path, 'location'] : [...path, 'otherLocations', place - 1];
    errors.line(at, location, 1, 4096);
    const expected = problemOfLocation(location, others.length > 0, checkPlace);
    if (expected !== undefined) errors.add(at, location, expected);
  });
  if (others.length > 0) errors.distinct([...path, 'otherLocations'], [...others, input.location]);
  errors.int([...path, 'sizeBytes'], input.sizeBytes, 0, Number.MAX_SAFE_INTEGER);
  errors.distinct(
    [...path, 'checksums'],
    checksums.map(({ kind }) => kind),
  );
  checksums.forEach(({ kind, value }, position) =>
    errors.form(
      [...path, 'checksums', position, 'value'],
      value,
      new RegExp(`^[0-9a-f]{${digits[kind]}}$`),
      `${digits[kind]} hexadecimal digits, lower case`,
    ),
  );
}

/** Description of the location that would be right; undefined if it is. */
function problemOfLocation(
  location: string,
  isOneOfSeveral: boolean,
  checkPlace: CheckPlace,
): string | undefined {
  if (isInStorage(location)) return checkPlace(location);
  const [, scheme] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(location) ?? [];
  if (scheme !== undefined && fetchedSchemes.has(scheme.toLowerCase())) return undefined;
  const kept = `a URL that begins with ${schemesText}, or rhizome://STORAGE/KEY`;
  if (isOneOfSeveral) return `${kept}, as all places of one input`;
  return scheme === undefined
    ? undefined
    : `a URL that begins with ${schemesText}, rhizome://STORAGE/KEY, or a path in the file store`;
}
