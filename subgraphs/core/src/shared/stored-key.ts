/** Stored form of an idempotency key: different parts always yield different texts. */
export function storedKey(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}
