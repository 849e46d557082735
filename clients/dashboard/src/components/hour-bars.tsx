import { minute } from './utc.js';

/** Most bars; longer intervals have bars of several hours. */
const mostBars = 180;
const hourMs = 3_600_000;

/** Counts of an interval as bars, one for each hour or for several. */
export function HourBars({
  interval: { from, before },
  hours,
}: {
  interval: { readonly from: string; readonly before: string };
  hours: readonly { readonly hour: string | null; readonly count: number }[];
}) {
  const begin = Date.parse(from);
  const total = Math.max(1, Math.round((Date.parse(before) - begin) / hourMs));
  const width = Math.ceil(total / mostBars);
  const counts = new Array<number>(Math.ceil(total / width)).fill(0);
  for (const { hour, count } of hours) {
    if (hour === null) continue;
    const bar = Math.floor((Date.parse(hour) - begin) / hourMs / width);
    counts[bar] = (counts[bar] ?? 0) + count;
  }
  const most = Math.max(1, ...counts);
  return (
    <>
      <ol className="hours" aria-label="Failures by hour">
        {counts.map((count, bar) => {
          const text = `${minute(begin + bar * width * hourMs)}: ${count}`;
          const height = `${Math.round((count / most) * 100)}%`;
          return <li key={text} data-count={count} title={text} aria-label={text} style={{ height }} />;
        })}
      </ol>
      <p className="hours-ends" aria-hidden="true">
        <span>{minute(begin)}</span>
        <span>{minute(before)}</span>
      </p>
    </>
  );
}
