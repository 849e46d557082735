/** Prints diagnoses for people. */
import type { CliDiagnosisFragment } from '../../operations.generated.js';
import { type Output, printLine } from '../../output.js';
import { commandOf } from './action-command.js';

/** Most evidence of a cause that is printed; `--json` has all. */
const mostEvidence = 5;
/** Causes that are printed. */
const mostCauses = 4;

/** Prints the summary, the causes with their evidence, what helped others, and the actions. */
export function printDiagnosis(output: Output, { summary, ...diagnosis }: CliDiagnosisFragment): void {
  const { causes, helped, actions } = diagnosis;
  printLine(output, summary);
  for (const cause of causes.slice(0, mostCauses)) printCause(output, cause, summary);
  if (helped.length > 0) {
    printLine(output, '\nWhat helped other jobs:');
    for (const { statement, jobIds } of helped)
      printLine(output, `  ${statement} ${jobIds[0] ?? ''}`.trimEnd());
  }
  if (actions.length === 0) return;
  printLine(output, '\nWhat may help:');
  for (const action of actions) {
    const command = commandOf(action);
    printLine(output, `  ${action.title}${command === undefined ? '' : `: ${command}`}`);
    printLine(
      output,
      `    ${action.effect}${action.operation !== null && !action.isUndoable ? ' This cannot be undone.' : ''}`,
    );
  }
}

type Cause = CliDiagnosisFragment['causes'][number];

function printCause(output: Output, { kind, statement, confidence, evidence }: Cause, summary: string): void {
  const text = summary.startsWith(statement) ? '' : `: ${statement}`;
  printLine(output, `\n${kind}, ${Math.round(confidence * 100)} % certain${text}`);
  for (const one of evidence.slice(0, mostEvidence)) {
    if (one.text === statement) continue;
    if (one.kind === 'LOG_LINES') for (const line of one.text.split('\n')) printLine(output, `  | ${line}`);
    else printLine(output, `  ${one.text}`);
  }
}
