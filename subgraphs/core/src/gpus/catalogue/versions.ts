/** Versions such as `12.4` or `535.104.05`, compared part by part as numbers. */

const form = /^\d+(\.\d+)*$/;

/** Returns true if the text is a version that can be compared. */
export function isVersion(text: string | undefined): text is string {
  return text !== undefined && form.test(text);
}

/** Negative if `a` is older than `b`, 0 if they are the same; missing parts are 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = Number(left[i] ?? 0) - Number(right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Returns true if the version is known and at least `want`; unknown or malformed is never enough. */
export function isAtLeast(have: string | undefined, want: string): boolean {
  return isVersion(have) && isVersion(want) && compareVersions(have, want) >= 0;
}

/** The first number of a version. */
export function majorOf(version: string): number {
  return Number(version.split('.')[0]);
}
