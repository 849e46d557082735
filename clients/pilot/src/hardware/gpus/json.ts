/** A value of a tool's JSON. */
export type Json =
  string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/**
 * JSON in a tool's output. Tools write warnings before and behind it, and one that fails writes none.
 * Undefined when there is none.
 */
export function jsonIn(text: string): Json {
  const starts = [
    { from: text.search(/^\s*\{/m), end: '}' },
    { from: text.search(/^\s*\[\s*[[{\]]/m), end: ']' },
  ];
  // What begins first is the whole: what begins behind it is a part of it.
  for (const { from, end } of starts.sort((one, other) => one.from - other.from)) {
    if (from < 0) continue;
    try {
      return JSON.parse(text.slice(from, text.lastIndexOf(end) + 1)) as Json;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** A value by its path; undefined when it is not there. */
export function at(json: Json, ...path: readonly string[]): Json {
  return path.reduce<Json>(
    (value, key) =>
      value !== null && typeof value === 'object' && !Array.isArray(value)
        ? (value as Readonly<Record<string, Json>>)[key]
        : undefined,
    json,
  );
}

/** The items of a list; empty when it is none. */
export function listIn(json: Json): readonly Json[] {
  return Array.isArray(json) ? (json as readonly Json[]) : [];
}

/** The fields of an object; empty when it is none. */
export function fieldsIn(json: Json): readonly (readonly [string, Json])[] {
  return json !== null && typeof json === 'object' && !Array.isArray(json) ? Object.entries(json) : [];
}
