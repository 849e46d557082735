/** The stored form of an idempotency key: whatever its parts hold, other parts give another text. */
export function storedKey(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}
