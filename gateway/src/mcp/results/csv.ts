/** Rows of equal objects as CSV with a header: the form that needs the fewest tokens. */

/** A value of a table, after its texts were judged. */
export type Cell = string | number | boolean | null | undefined;

/** Columns in the order of their first appearance; nested objects have paths as names. */
export function csv(rows: readonly ReadonlyMap<string, Cell>[]): string {
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))].filter((column) =>
    rows.some((row) => row.get(column) !== null && row.get(column) !== undefined),
  );
  const lines = rows.map((row) => columns.map((column) => cell(row.get(column))).join(','));
  return [columns.map(cell).join(','), ...lines].join('\n');
}

function cell(value: Cell): string {
  if (value === null || value === undefined) return '';
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
