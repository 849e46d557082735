/** A value of a tool's JSON. */
export type Json =
  string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/**
 * JSON in a tool's output. Tools write warnings before and after it, and none if they fail; some releases
 * write it twice. Undefined if there is none.
 */
export function jsonIn(text: string): Json {
  const starts = [text.search(/^\s*\{/m), text.search(/^\s*\[\s*[[{\]]/m)].filter((from) => from >= 0);
  // The first one is the outer value; a later start is inside it.
  for (const from of starts.sort((one, other) => one - other)) {
    try {
      return JSON.parse(text.slice(from, endOf(text, from))) as Json;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** Offset of the end of the object or list that begins at `from`. */
function endOf(text: string, from: number): number {
  let depth = 0;
  for (const { 0: token, index } of text.slice(from).matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    if (depth === 0) return from + index + 1;
  }
  return text.length;
}

/** A value by its path; undefined if it does not exist. */
export function at(json: Json, ...path: readonly string[]): Json {
  return path.reduce<Json>(
    (value, key) =>
      value !== null && typeof value === 'object' && !Array.isArray(value)
        ? (value as Readonly<Record<string, Json>>)[key]
        : undefined,
    json,
  );
}

/** The items of a list; empty for other values. */
export function listIn(json: Json): readonly Json[] {
  return Array.isArray(json) ? (json as readonly Json[]) : [];
}

/** The fields of an object; empty for other values. */
export function fieldsIn(json: Json): readonly (readonly [string, Json])[] {
  return json !== null && typeof json === 'object' && !Array.isArray(json) ? Object.entries(json) : [];
}
