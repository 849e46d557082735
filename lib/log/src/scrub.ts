const secretKey = /token|authorization|password|passwd|secret|cookie|credential|private_?key|api_?key/i;
// The names of facts about tokens that are no secrets.
const harmlessKey = /^(tokenKind|tokenExpiresAt|resumeToken)$/;
const mask = '***';

const maxDepth = 6;
const maxItems = 100;

/** Takes credentials out of a text: passwords in URIs, bearer tokens, JWTs. */
export function scrubText(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, `$1${mask}@`)
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${mask}`)
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, mask);
}

/**
 * A copy of what is to be logged without secrets: values under secret names are masked, texts scrubbed,
 * errors spelt out with code, details and cause, deep and long parts cut so that a line stays bounded.
 */
export function scrub(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value;
  if (depth >= maxDepth) return '[deep]';
  if (isError(value)) return scrubError(value, depth);
  if (Array.isArray(value)) return scrubList(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map || value instanceof Set) return scrubList([...value], depth);
  if ('toJSON' in value && typeof value.toJSON === 'function') return scrub(value.toJSON(), depth + 1);
  return scrubRecord(value as Record<string, unknown>, depth);
}

/** `scrub` for the fields of a line. */
export function scrubRecord(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    const hide = secretKey.test(key) && !harmlessKey.test(key) && value !== undefined && value !== null;
    clean[key] = hide ? mask : scrub(value, depth + 1);
  }
  return clean;
}

function scrubList(list: readonly unknown[], depth: number): unknown[] {
  const items = list.slice(0, maxItems).map((item) => scrub(item, depth + 1));
  return list.length > maxItems ? [...items, `[${list.length - maxItems} more]`] : items;
}

// Not instanceof: errors of another realm or package copy are errors too.
function isError(value: object): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

function scrubError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause, ...own } = error as Error & Record<string, unknown>;
  return {
    type: name,
    message: scrubText(message),
    ...scrubRecord(own, depth),
    ...(cause === undefined ? {} : { cause: scrub(cause, depth + 1) }),
    ...(stack ? { stack: scrubText(stack) } : {}),
  };
}
