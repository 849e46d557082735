/** Prints what followed from the use of scouts. */
import type { CliScoutResultFragment } from '../../operations.generated.js';
import { bytes, type Output, printTable } from '../../output.js';

/** Prints the requirements of each shape, with the use from which they follow. */
export function printScoutResult(output: Output, { shapes }: CliScoutResultFragment): void {
  printTable(
    output,
    ['JOBS OF', 'REQUIREMENT', 'SUBMITTED', 'NOW', 'USED', 'MOST', 'SCOUTS'],
    shapes.flatMap(({ variant, amounts, outputBytes }) => {
      const jobs = variant === null ? 'template' : `variant ${variant}`;
      const rows = amounts.map(({ field, before, after, use, limit, isOverridden }) => {
        const limited = limit === null ? '' : ' (most that workers offer)';
        const now = `${after}${isOverridden ? ' (given)' : limited}`;
        return [
          jobs,
          field,
          String(before),
          now,
          number(use?.used),
          number(use?.most),
          number(use?.measuredCount),
        ];
      });
      if (outputBytes === null) return rows;
      const { used, most, measuredCount } = outputBytes;
      return [...rows, [jobs, 'outputs', '', '', bytes(used), bytes(most), String(measuredCount)]];
    }),
  );
}

function number(value: number | undefined): string {
  return value === undefined ? '' : String(Math.round(value));
}
