/** Text of a file. */
import type { ReadFile } from '../files.types.js';
import type { Refusals } from '../refusals.js';
import { readText } from './source.js';
import type { SourceText } from './source.types.js';

/** First byte of what `pickle` of Python writes, in each of its protocols since the second. */
const pickleMark = 0x80;
const newestPickle = 5;
/** Reason why a pickle is refused. */
const pickleAdvice =
  'is a pickle of Python, which is not read because it can run programs; write the graph as JSON with the script in docs/how-to/import-workflows.md';

/** True for the contents of a file that Python has pickled. */
export function isPickle(bytes: Uint8Array): boolean {
  const [mark, protocol = 0] = bytes;
  return mark === pickleMark && protocol >= 2 && protocol <= newestPickle;
}

/** Text of bytes; undefined if they are not UTF-8. */
export function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Reads a file in JSON or YAML; undefined if it is refused. */
export function openText(path: string, read: ReadFile, refusals: Refusals): SourceText | undefined {
  const place = { file: path, line: 1, column: 1 };
  const bytes = read(path);
  if ('problem' in bytes) {
    refusals.fault({ problem: `cannot be read: ${bytes.problem}`, place });
    return undefined;
  }
  if (isPickle(bytes)) {
    refusals.fault({ problem: pickleAdvice, place });
    return undefined;
  }
  const text = decoded(bytes);
  if (text === undefined) {
    refusals.fault({ problem: 'not a text in UTF-8', place });
    return undefined;
  }
  const source = readText(path, text);
  if (!('faults' in source)) return source;
  for (const fault of source.faults) refusals.fault(fault);
  return undefined;
}
