/** Finds the declared outputs of a payload that has ended. */
import { forEachConcurrently } from '@rhizome/retry';
import { kindOfOutput, mostOutputPathBytes, mostOutputs } from '@rhizome/storage';
import { AttemptError } from '../payload/attempt-error.js';
import type { Budget, FoundOutput, OutputFolder, RefusedOutput } from './output-folder.js';

/** Limits of the outputs of an attempt. */
export interface OutputLimits {
  readonly files: number;
  /** Sum of their sizes; that of a sparse file counts in full. */
  readonly bytes: number;
  /** True if limits cut off what an entry declares; otherwise they refuse the entry. */
  readonly cutsOff?: boolean;
}

/** Outputs of an attempt, and those that are not stored, with the reasons. */
export interface ExaminedOutputs {
  readonly found: readonly FoundOutput[];
  readonly refused: readonly RefusedOutput[];
}

/** Files that are read at the same time. */
const concurrentReads = 8;
/** Most files and folders that are looked at for one entry. */
const mostVisits = 100_000;
/** Most outputs that one message names. */
const mostNamed = 10;

/**
 * Finds all declared outputs, in the order in which they are declared.
 * @throws AttemptError DATA OUTPUT_MISSING that lists what is missing or not a regular file, or
 *   OUTPUT_LIMIT_EXCEEDED
 */
export async function findOutputs(
  entries: readonly string[],
  folder: OutputFolder,
  limits: OutputLimits,
  signal: AbortSignal,
): Promise<readonly FoundOutput[]> {
  const { found, refused } = await examineOutputs(entries, folder, limits, signal);
  if (refused.length === 0) return found;
  const list = shown(refused);
  if (refused.some(({ isOverLimit }) => isOverLimit === true))
    throw new AttemptError('DATA', 'OUTPUT_LIMIT_EXCEEDED', `Outputs exceed a limit: ${list}`, false);
  throw missing(`Declared outputs are missing, or are not regular files in the output folder: ${list}`);
}

/**
 * Looks at all declared outputs.
 * @param onFound called with each one that is found, before the next is read in its place
 * @throws AttemptError DATA OUTPUT_MISSING if the payload replaced the output folder
 */
export async function examineOutputs(
  entries: readonly string[],
  folder: OutputFolder,
  limits: OutputLimits,
  signal: AbortSignal,
  onFound: (output: FoundOutput) => Promise<void> = async () => undefined,
): Promise<ExaminedOutputs> {
  if (!(await folder.isInPlace()))
    throw missing('No output is stored: the payload replaced the output folder, or a folder above it');
  const refused: RefusedOutput[] = [];
  const paths = new Set<string>();
  const { cutsOff } = limits;
  for (const entry of entries) {
    const found = await folder.search(entry, { visits: mostVisits, files: mostOutputs, signal, cutsOff });
    if ('name' in found) refused.push(found);
    else if (found.length === 0 && kindOfOutput(entry) === 'PATTERN')
      refused.push({ name: entry, reason: 'no file matches' });
    else [...found].sort().forEach((path) => paths.add(path));
  }
  const results: (FoundOutput | RefusedOutput)[] = [];
  const isWithin = pathBudget(limits);
  const budget = byteBudget(limits);
  await forEachConcurrently([...[...paths].entries()], concurrentReads, async ([index, name]) => {
    const excess = isWithin(name);
    const result =
      excess === undefined
        ? await folder.find(name, budget, signal)
        : { name, reason: excess, isOverLimit: true };
    results[index] = result;
    if ('sha256' in result) await onFound(result);
  });
  for (const result of results) if (!('sha256' in result)) refused.push(result);
  return { found: results.filter((result): result is FoundOutput => 'sha256' in result), refused };
}

function pathBudget({ files }: OutputLimits): (path: string) => string | undefined {
  let count = 0;
  let bytes = 0;
  return (path) => {
    count += 1;
    bytes += Buffer.byteLength(path);
    if (count > files) return `more than ${files} files`;
    if (bytes <= mostOutputPathBytes) return undefined;
    return `the paths of all outputs together have more than ${mostOutputPathBytes} bytes`;
  };
}

function byteBudget({ bytes }: OutputLimits): Budget {
  let left = bytes;
  return (sizeBytes) => {
    if (sizeBytes > left)
      return `all outputs together have more than ${bytes / 1024 ** 2} MiB, the scratch space of the job`;
    left -= sizeBytes;
    return undefined;
  };
}

const missing = (message: string): AttemptError => new AttemptError('DATA', 'OUTPUT_MISSING', message, true);

function shown(refused: readonly RefusedOutput[]): string {
  const list = refused.slice(0, mostNamed).map(({ name, reason }) => {
    const quoted = JSON.stringify(name);
    return reason === undefined ? quoted : `${quoted} (${reason})`;
  });
  const more = refused.length - list.length;
  return [...list, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}
