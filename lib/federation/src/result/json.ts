// JSON text of leaves, faster than JSON.stringify for the values that answers contain.

const longString = 48;
/** Characters that JSON text does not contain as they are, and surrogates. */
const special = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** JSON text of a string. */
export function quote(value: string): string {
  if (value.length > longString) return special.test(value) ? JSON.stringify(value) : `"${value}"`;
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code < 32 || code === 34 || code === 92 || (code >= 0xd800 && code <= 0xdfff))
      return JSON.stringify(value);
  }
  return `"${value}"`;
}

/** JSON text of any value; undefined if it has none (functions, cycles, big integers). */
export function leafText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      return Number.isFinite(value) ? `${value}` : 'null';
    case 'boolean':
      return value ? 'true' : 'false';
    default:
      try {
        return JSON.stringify(value);
      } catch {
        return undefined;
      }
  }
}
