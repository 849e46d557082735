/** Printed forms of checks, changes and versions. */
import type {
  CliSchemaChangeFragment,
  CliSchemaCheckFragment,
  CliSchemaVersionFragment,
} from '../../operations.generated.js';
import { type Output, printLine, plural } from '../../output.js';

type Use = NonNullable<CliSchemaChangeFragment['use']>;

/** A rule as the docs spell it. */
const ruleName = (rule: string): string => rule.toLowerCase().replaceAll('_', '-');

/** Prints a check: each finding with its fix, then the changes it would make. */
export function printCheck(output: Output, check: CliSchemaCheckFragment): void {
  const against = check.againstVersion === 0 ? 'an empty graph' : `version ${check.againstVersion}`;
  const verdict = check.hasPassed
    ? 'passes'
    : `breaks ${check.findings.length} ${plural(check.findings.length, 'rule')}`;
  printLine(output, `${check.subgraphName} ${verdict}, checked against ${against}.`);
  for (const { rule, coordinate, message, remedy } of check.findings) {
    printLine(output, `\n✗ ${coordinate}: ${ruleName(rule)}\n  ${message}\n  Remedy: ${remedy}`);
  }
  if (check.findings.length > 0 && check.changes.length > 0) printLine(output, '');
  printChanges(output, check.changes);
  const { breaking, dangerous, safe } = check.changeCounts;
  printLine(output, `Changes: ${breaking} breaking, ${dangerous} dangerous, ${safe} safe.`);
}

/** Prints changes, one per line, with the clients that a breaking change affects. */
export function printChanges(output: Output, changes: readonly CliSchemaChangeFragment[]): void {
  for (const { severity, coordinate, message, use } of changes) {
    printLine(output, `${severity.padEnd(9)}  ${coordinate}: ${message}`);
    if (use && severity !== 'SAFE') printLine(output, `           ${useText(use)}`);
  }
}

/** Recorded use as a sentence. */
export function useText(use: Use): string {
  const since = use.recordedSince.slice(0, 10);
  if (use.isUnused) return 'Not used in the last 30 days.';
  if (use.requests === 0) return `Not used since ${since}, when recording began.`;
  const clients = use.clients.map(({ client, version, requests }) => `${client} ${version} (${requests})`);
  return `Used ${use.requests} ${plural(use.requests, 'time')} in the last 30 days, the last time on ${use.lastUsedOn}, by ${clients.join(', ')}.`;
}

/** A version in a line. */
export function versionText({ number, kind, subgraphName, restoredFrom }: CliSchemaVersionFragment): string {
  const whose = subgraphName ?? 'all subgraphs';
  if (kind === 'ROLLBACK') return `version ${number}: ${whose} as in version ${restoredFrom}`;
  if (kind === 'WITHDRAWAL') return `version ${number}: without ${whose}`;
  return `version ${number}: ${kind === 'BASELINE' ? 'baseline' : whose}`;
}
