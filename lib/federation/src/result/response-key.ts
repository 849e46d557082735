/** Replaces the alias `__typename` of another field, because the engine reads types under that key. */
export const typenameAlias = '_rhizome_typename';

/** The client's key for a key of the data. */
export function clientKey(key: string): string {
  return key === typenameAlias ? '__typename' : key;
}

/** The client's path for a path of the data. */
export function clientPath(path: readonly (string | number)[]): readonly (string | number)[] {
  return path.includes(typenameAlias)
    ? path.map((step) => (typeof step === 'string' ? clientKey(step) : step))
    : path;
}
