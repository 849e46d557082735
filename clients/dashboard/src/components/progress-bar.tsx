/** Fraction that has ended, and fractions that succeeded and that were left out. */
export function ProgressBar({
  finished,
  skipped = 0,
  ended,
  label,
}: {
  finished: number;
  skipped?: number;
  ended: number;
  label: string;
}) {
  const percent = (part: number): string => `${Math.round(part * 1000) / 10}%`;
  return (
    <div
      className="bar"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(ended * 100)}
    >
      <span className="bar-finished" style={{ width: percent(finished) }} />
      <span className="bar-ended" style={{ width: percent(Math.max(0, ended - finished - skipped)) }} />
      <span className="bar-skipped" style={{ width: percent(skipped) }} />
    </div>
  );
}
