/** Claims of a verified token, and how rules read them. */

/** Claims as the issuer wrote them. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * The value at a path. Names of claims contain dots themselves (`wlcg.groups`, `kubernetes.io.namespace`), so
 * the longest name that exists is taken at each level.
 */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  for (let at = path.lastIndexOf('.'); at > 0; at = path.lastIndexOf('.', at - 1)) {
    const head = path.slice(0, at);
    if (!Object.hasOwn(claims, head)) continue;
    const inner = claims[head];
    return isObject(inner) ? claimAt(inner, path.slice(at + 1)) : undefined;
  }
  return undefined;
}

/** The texts of a claim: of a text, a number, a truth value, or a list of those. */
export function textsAt(claims: Claims, path: string): readonly string[] {
  const value = claimAt(claims, path);
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.flatMap((one) => {
    if (typeof one === 'string') return [one];
    return typeof one === 'number' || typeof one === 'boolean' ? [String(one)] : [];
  });
}

/** The words of a claim such as `scope`: one text with blanks, or a list. */
export function wordsAt(claims: Claims, path: string): readonly string[] {
  return textsAt(claims, path).flatMap((one) => one.split(' ').filter((word) => word !== ''));
}

function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
