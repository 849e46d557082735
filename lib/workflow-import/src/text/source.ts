/** Texts in JSON and YAML, with the places of their values. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node } from 'yaml';
import { jsonOffsets } from './json-places.js';
import type { Path, Place, SourceText } from './source.types.js';

/** Most characters of a text in JSON. */
export const maxJsonCharacters = 256 * 1_048_576;
/** Most characters of a text in YAML, whose parser needs some hundred times the time and the memory. */
export const maxYamlCharacters = 8 * 1_048_576;

/** A text that could not be read. */
export interface TextFault {
  readonly problem: string;
  readonly place: Place;
}

/** Reads a text in JSON or YAML. */
export function readText(file: string, text: string): SourceText | { readonly faults: readonly TextFault[] } {
  if (text.length > maxJsonCharacters)
    return fault(file, `${text.length} characters; at most ${maxJsonCharacters} are accepted`);
  const json = jsonOf(text);
  if (json) return { file, value: json.value, placesOf: (paths) => jsonPlaces(file, text, paths) };
  if (text.length > maxYamlCharacters)
    return fault(
      file,
      `${text.length} characters of YAML; at most ${maxYamlCharacters} are accepted, and ${maxJsonCharacters} of JSON`,
    );
  try {
    return yamlText(file, text);
  } catch (error) {
    // Values that are nested too deeply, and aliases that grow without end.
    return fault(file, `not YAML or JSON: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
}

function fault(file: string, problem: string): { readonly faults: readonly TextFault[] } {
  return { faults: [{ problem, place: { file, line: 1, column: 1 } }] };
}

function jsonOf(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function jsonPlaces(file: string, text: string, paths: readonly Path[]): readonly Place[] {
  const offsets = jsonOffsets(text, paths);
  const places = new Map<number, Place>();
  let [line, start] = [1, 0];
  for (const offset of [...new Set(offsets)].sort((a, b) => a - b)) {
    for (let next = text.indexOf('\n', start); next !== -1 && next < offset; next = text.indexOf('\n', start))
      [line, start] = [line + 1, next + 1];
    places.set(offset, { file, line, column: offset - start + 1 });
  }
  return offsets.map((offset) => places.get(offset) ?? { file, line: 1, column: 1 });
}

function yamlText(file: string, text: string): SourceText | { readonly faults: readonly TextFault[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  // The errors after the first one mostly follow from it.
  const [error] = document.errors;
  if (error) {
    const problem = `not YAML: ${(error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')}`;
    return { faults: [{ problem, place: placeAt(error.pos[0]) }] };
  }
  return {
    file,
    value: document.toJS() as unknown,
    placesOf: (paths) => paths.map((path) => placeAt(yamlOffset(document, path))),
  };
}

function yamlOffset(document: Document, path: Path): number {
  const resolved = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const offsetOf = (node: unknown): number | undefined => (node as Node | null)?.range?.[0];
  let node: unknown = resolved(document.contents);
  let offset = offsetOf(node) ?? 0;
  for (const part of path) {
    let next: unknown;
    let own: number | undefined;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part));
      own = offsetOf(pair?.key);
      next = pair?.value;
    } else if (isSeq(node)) {
      next = node.items[Number(part)];
      own = offsetOf(next);
    }
    if (own === undefined) return offset;
    offset = own;
    node = resolved(next);
  }
  return offset;
}
