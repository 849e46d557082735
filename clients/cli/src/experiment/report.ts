/** Findings of the contract suite, for people and for programs. */
import type { ContractFinding } from '@rhizome/conformance';
import { type Output, printLine, printJson } from '../output.js';

const marks = { passed: '✓', failed: '✗', skipped: '–' } as const;

/** Prints findings as they come, part by part. */
export function printFinding(
  output: Output,
  finding: ContractFinding,
  before: ContractFinding | undefined,
): void {
  if (output.json) return;
  if (before?.part !== finding.part) printLine(output, finding.part);
  printLine(output, `  ${marks[finding.outcome]} ${finding.promise} (${finding.seen})`);
  if (finding.fix !== undefined) printLine(output, `    fix: ${finding.fix}`);
}

/** Prints the summary; as JSON, with all findings. */
export function printSummary(
  output: Output,
  url: string,
  name: string,
  findings: readonly ContractFinding[],
): void {
  const count = (outcome: ContractFinding['outcome']): number =>
    findings.filter((one) => one.outcome === outcome).length;
  const sum = { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
  if (output.json) printJson(output, { url, name, ...sum, findings });
  else printLine(output, `${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
}
