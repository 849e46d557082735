/** Places of values in a JSON text. They are looked up only for errors, so that reading stays fast. */
import type { Path } from './source.types.js';

interface Wanted {
  readonly children: Map<string, Wanted>;
  /** Offset of the name or the entry; undefined until it is found. */
  offset?: number;
}

/**
 * Offsets of members, by their names, and of entries. A path that does not exist has the offset of the
 * nearest value that contains it. All paths are looked up in one pass over the text.
 * @param text valid JSON
 */
export function jsonOffsets(text: string, paths: readonly Path[]): readonly number[] {
  const root: Wanted = { children: new Map(), offset: skipBlanks(text, 0) };
  for (const path of paths) addPath(root, path);
  visit(text, skipBlanks(text, 0), root);
  return paths.map((path) => offsetOf(root, path));
}

function addPath(root: Wanted, path: Path): void {
  let at = root;
  for (const part of path) {
    const known = at.children.get(String(part)) ?? { children: new Map<string, Wanted>() };
    at.children.set(String(part), known);
    at = known;
  }
}

function offsetOf(root: Wanted, path: Path): number {
  let at: Wanted | undefined = root;
  let offset = root.offset ?? 0;
  for (const part of path) {
    at = at.children.get(String(part));
    if (at?.offset === undefined) return offset;
    offset = at.offset;
  }
  return offset;
}

/** Notes the offsets that are wanted in a value. Returns the offset after the value. */
function visit(text: string, start: number, wanted: Wanted): number {
  const opening = text[start];
  if (wanted.children.size === 0 || (opening !== '{' && opening !== '[')) return skipValue(text, start);
  const closing = opening === '{' ? '}' : ']';
  let at = skipBlanks(text, start + 1);
  for (let index = 0; at < text.length && text[at] !== closing; index += 1) {
    let child = wanted.children.get(String(index));
    const from = at;
    if (opening === '{') {
      const end = skipString(text, at);
      child = wanted.children.get(JSON.parse(text.slice(at, end)) as string);
      at = skipBlanks(text, skipBlanks(text, end) + 1);
    }
    if (child) child.offset = from;
    at = skipBlanks(text, child ? visit(text, at, child) : skipValue(text, at));
    if (text[at] === ',') at = skipBlanks(text, at + 1);
  }
  return at + 1;
}

function skipBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && ' \t\n\r\uFEFF'.includes(text.charAt(at))) at += 1;
  return at;
}

function skipString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** The offset after a value. Counts brackets instead of calling itself: texts may be nested deeply. */
function skipValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const character = text[at];
    if (character === '"') at = skipString(text, at);
    else if (character === ',' && depth === 0) return at;
    else {
      if (character === '{' || character === '[') depth += 1;
      if (character === '}' || character === ']') depth -= 1;
      if (depth < 0) return at;
      at += 1;
    }
    if (depth === 0 && (character === '"' || character === '}' || character === ']')) return at;
  }
  return at;
}
