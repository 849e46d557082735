/** A value of a tool's JSON. */
export type Json =
  string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/**
 * JSON in a tool's output. Tools write warnings before it, and one that fails writes none.
 * Undefined when there is none.
 */
export function jsonIn(text: string): Json {
  for (const start of ['{', '[']) {
    const from = text.search(start === '{' ? /^\s*\{/m : /^\s*\[\s*[[{\]]/m);
    if (from < 0) continue;
    try {
      return JSON.parse(text.slice(from)) as Json;
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
