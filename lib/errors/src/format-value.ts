const longest = 200;

/** A value as short, one-line text for a message: JSON where it can be, cut at 200 characters. */
export function formatValue(value: unknown): string {
  const text = render(value);
  // Of a text its own characters are counted, not the quotes around it.
  const length = typeof value === 'string' ? value.length : text.length;
  return text.length > longest ? `${text.slice(0, longest)}… (${length} characters)` : text;
}

function render(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'bigint') return `${value}`;
  try {
    return (
      JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? `${inner}` : inner)) ??
      String(value)
    );
  } catch {
    return String(value);
  }
}

/**
 * A value as bounded plain JSON, safe to put into a response: long texts cut, deep or cyclic parts as text.
 */
export function plainJson(value: unknown, depth = 4): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'string') return value.length > longest ? `${value.slice(0, longest)}…` : value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (typeof value !== 'object' || depth === 0) return formatValue(value);
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => plainJson(item, depth - 1));
  if (value instanceof Error) return value.message;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [key, plainJson(inner, depth - 1)]),
  );
}
