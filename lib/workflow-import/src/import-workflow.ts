/** Import of workflows of other systems. Nothing is thrown: the result is a workflow or all refusals. */
import { importBps } from './bps/import-bps.js';
import { importCwl } from './cwl/import-cwl.js';
import { importIdds } from './idds/import-idds.js';
import type { ImportFormat, ImportRequest } from './import.types.js';
import { Refusals } from './refusals.js';
import { decoded, isPickle, openText } from './text/decode.js';
import { Located } from './text/located.js';
import { readText } from './text/source.js';
import type { ImportedWorkflow } from './workflow.types.js';

/** Result of an import. Both lists are texts for people, with places of the files. */
export type ImportResult =
  | { readonly workflow: ImportedWorkflow; readonly notes: readonly string[] }
  | { readonly refusals: readonly string[] };

const submitAdvice =
  'is a BPS submit file, which has no graph; run `bps prepare` with `saveGenericWorkflow: true`, write the graph as JSON, and give this file as --inputs';

/** Imports a file. */
export function importWorkflow(format: ImportFormat, request: ImportRequest): ImportResult {
  const refusals = new Refusals();
  const workflow = imported(format, request, refusals);
  return workflow && refusals.isEmpty ? { workflow, notes: refusals.notes } : { refusals: refusals.list() };
}

function imported(
  format: ImportFormat,
  request: ImportRequest,
  refusals: Refusals,
): ImportedWorkflow | undefined {
  const { file, read } = request;
  const place = { file, line: 1, column: 1 };
  try {
    if (format === 'cwl') return importCwl(request, refusals);
    const source = openText(file, read, refusals);
    if (!source) return undefined;
    if (format === 'idds') return importIdds(request, source, refusals);
    if (isSubmitFile(new Located(source))) refusals.fault({ problem: submitAdvice, place });
    else return importBps(request, source, refusals);
  } catch (error) {
    // Values that are nested more deeply than the stack.
    if (!(error instanceof RangeError)) throw error;
    refusals.fault({ problem: `is too large or nested too deeply: ${error.message}`, place });
  }
  return undefined;
}

/** Words without which a file has none of the formats: most files need not be parsed for this. */
const marks = /cwlVersion|idds\.|directed|links|pipelineYaml/;

/**
 * Format that the contents of a file show; undefined for another, such as our own. Refusals for a text that
 * could have one of the formats, and cannot be read.
 */
export function detectFormat(
  bytes: Uint8Array,
  path: string,
): ImportFormat | { readonly refusals: readonly string[] } | undefined {
  if (isPickle(bytes)) return 'bps';
  const text = decoded(bytes);
  const source = text !== undefined && marks.test(text) ? readText(path, text) : undefined;
  if (!source) return undefined;
  if ('faults' in source) {
    const refusals = new Refusals();
    for (const fault of source.faults) refusals.fault(fault);
    return { refusals: refusals.list() };
  }
  const whole = new Located(source);
  if (whole.member('cwlVersion')) return 'cwl';
  if (whole.member('class') && whole.member('module')?.text?.startsWith('idds.') === true) return 'idds';
  if (whole.member('nodes') && (whole.member('directed') ?? whole.member('links'))) return 'bps';
  return isSubmitFile(whole) ? 'bps' : undefined;
}

function isSubmitFile(whole: Located): boolean {
  return !whole.member('nodes') && whole.member('pipelineYaml') !== undefined;
}
