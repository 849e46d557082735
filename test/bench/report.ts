/** Results of a benchmark: rows with goals, as a table for people and as JSON for tools. */
import { writeFileSync } from 'node:fs';

/** A goal: a figure and which side of it is good. */
export interface Goal {
  readonly value: number;
  readonly better: 'higher' | 'lower';
}

/** One figure. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: Goal;
}

/** True if a row meets its goal, or has none. */
function meets({ value, goal }: Row): boolean {
  if (!goal) return true;
  return goal.better === 'higher' ? value >= goal.value : value <= goal.value;
}

const significant = (value: number) =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
const goalText = (goal: Goal | undefined) =>
  goal ? `${goal.better === 'higher' ? '≥' : '≤'} ${significant(goal.value)}` : '';

/** The rows as a table with aligned columns. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    significant(row.value),
    row.unit,
    goalText(row.goal),
    row.goal ? (meets(row) ? 'ok' : 'MISSED') : '',
  ]);
  const head = ['what', 'value', 'unit', 'goal', ''];
  const widths = head.map((_, column) =>
    Math.max(...[head, ...cells].map((line) => line[column]?.length ?? 0)),
  );
  const line = (texts: readonly string[]) =>
    texts
      .map((text, column) =>
        column === 1 || column === 3 ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '─'.repeat(width))), ...cells.map(line)].join('\n');
}

/** Writes the rows for tools: `name`, `value`, `unit`, `goal`, `ok` each. */
export function writeJson(path: string, rows: readonly Row[]): void {
  const plain = rows.map((row) => ({
    name: row.name,
    value: row.value,
    unit: row.unit,
    goal: row.goal?.value ?? null,
    ok: meets(row),
  }));
  writeFileSync(path, `${JSON.stringify(plain, null, 2)}\n`);
}
