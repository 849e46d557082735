const hourMs = 3_600_000;
/** Intervals to choose from, in hours. */
const intervals = [
  [24, 'last day'],
  [168, 'last week'],
  [720, 'last 30 days'],
] as const;

/** Choice of the time of a search, as the field `interval`. */
export function IntervalField() {
  return (
    <label>
      Time{' '}
      <select name="interval" defaultValue="24">
        {intervals.map(([count, label]) => (
          <option key={count} value={count}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Begin of the interval of a search. Whole hours: the same search twice is the same question. */
export function beginOf({ interval }: Readonly<Record<string, string>>): string {
  const since = Number(interval ?? 24) * hourMs;
  return new Date(Math.floor((Date.now() - since) / hourMs) * hourMs).toISOString();
}
