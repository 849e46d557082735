/** A time in UTC, to the minute. */
export function minute(time: string | number): string {
  return utc(time).slice(0, 16);
}

/** A time in UTC, to the second. */
export function second(time: string | number): string {
  return utc(time).slice(0, 19);
}

function utc(time: string | number): string {
  return new Date(time).toISOString().replace('T', ' ');
}
