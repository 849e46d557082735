import { catalogueByScope, type CatalogueEntry } from './catalogue.js';

const header = ['Code', 'HTTP', 'Retry', 'Cause and action', 'Message'];

/** The reference page of the catalogue, as Markdown with aligned tables. */
export function renderReference(
  scopes: Record<string, Record<string, CatalogueEntry>> = catalogueByScope,
): string {
  const sections = Object.entries(scopes).map(([scope, entries]) => `## ${scope}\n\n${table(entries)}\n`);
  return `${intro}\n${sections.join('\n')}`;
}

const intro = `<!-- Generated from lib/errors/src/codes (node lib/errors/dist/write-reference.js writes it). Do not edit. -->

# Error codes

Every error has a stable \`code\` in its \`extensions\`, and \`retry\`, the advice on sending the request again: \`never\`
(it would fail again), \`later\` (after a back-off) or \`now\` (at once, after the action that the table names). Where they
exist, \`field\`, \`value\` and \`expected\` are included; \`requestId\` identifies the request in the logs. From the first release on, codes are neither renamed nor reused. Experiments add codes with their own
prefix. See [user errors](refusals.md) for the errors that mutations return as data, and [job errors](job-errors.md) for
the reasons why an attempt of a job failed.
`;

function table(entries: Record<string, CatalogueEntry>): string {
  const rows = Object.entries(entries).map(([code, { http, retry, description, message }]) =>
    [`\`${code}\``, String(http), retry, description, `\`${message}\``].map((cell) =>
      cell.replaceAll('|', '\\|'),
    ),
  );
  const widths = header.map((title, column) =>
    Math.max(...[header, ...rows].map((row) => (row[column] ?? title).length)),
  );
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(header), rule, ...rows.map(line)].join('\n');
}
