/** The document of an upsert, which the driver types as one that may be missing. */
export function upserted<T>(found: T | null): T {
  if (!found) throw new TypeError('An upsert returned no document');
  return found;
}
