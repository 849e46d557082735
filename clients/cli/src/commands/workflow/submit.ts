/** `rhizome workflow submit`: a file whole, or in parts where it is larger than one call may be. */
import { type MutationError, printErrors, type Session } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import {
  CliAppendWorkflowNodesDocument,
  CliSealWorkflowDocument,
  CliSubmitWorkflowDocument,
  type CliWorkflowFragment,
  type SubmitWorkflowInput,
} from '../../operations.generated.js';
import { printJson, printLine } from '../../output.js';
import { type FileFlags, readAnyFile } from './foreign-file.js';
import { maxParts, partsOf } from './parts.js';

/** Options of a submission. */
export interface SubmitOptions extends FileFlags {
  readonly key: string;
  /** Most nodes of a part; undefined to submit whole what one call may have. */
  readonly nodesPerPart?: number | undefined;
}

interface Answer {
  readonly workflow: CliWorkflowFragment | null;
  readonly warnings: readonly string[];
  readonly userErrors: readonly MutationError[];
}

interface Division {
  readonly parts: readonly SubmitWorkflowInput['nodes'][];
  /** Options with which the same call is repeated. */
  readonly again: string;
}

/** A large part is stored, or a large graph checked, in this time, in milliseconds. */
const timeoutMs = 300_000;
const call = { idempotent: true, timeoutMs } as const;

/** Submits the workflow of a file. */
export async function submitWorkflow(
  session: Session,
  file: string,
  { key, nodesPerPart, ...flags }: SubmitOptions,
): Promise<ExitCode> {
  const { client, output } = session;
  const input = { ...(await readAnyFile(file, flags, session)), idempotencyKey: key };
  const parts = dividedNodes(input.nodes, nodesPerPart);
  const again = `${nodesPerPart === undefined ? '' : `--nodes-per-part ${nodesPerPart} `}--key ${key}`;
  if (parts.length > 1) return submitInParts(session, input, { parts, again });
  const answer = await client.mutate(CliSubmitWorkflowDocument, { input }, call);
  return printAnswer(output, answer.submitWorkflow);
}

/** Parts of the nodes of a file. @throws CliError if there are too many */
export function dividedNodes(
  nodes: SubmitWorkflowInput['nodes'],
  nodesPerPart: number | undefined,
): readonly SubmitWorkflowInput['nodes'][] {
  const parts = partsOf(nodes, nodesPerPart);
  if (parts.length <= maxParts) return parts;
  const found = `${nodes.length} nodes are ${parts.length} parts`;
  throw new CliError(exitCodes.usage, `${found}; a workflow has at most ${maxParts}`);
}

async function submitInParts(
  { client, output }: Session,
  { nodes, ...input }: SubmitWorkflowInput,
  { parts, again }: Division,
): Promise<ExitCode> {
  const say = (text: string): unknown => output.errors.write(`${text}\n`);
  say(`${nodes.length} nodes in ${parts.length} parts; after an interruption, repeat with ${again}`);
  const beginning = { ...input, nodes: [], isSealed: false };
  const begun = await client.mutate(CliSubmitWorkflowDocument, { input: beginning }, call);
  const workflowId = begun.submitWorkflow.workflow?.id;
  if (workflowId === undefined) return printAnswer(output, begun.submitWorkflow);
  const failed = (errors: readonly MutationError[], advice: string): ExitCode => {
    printErrors(output, errors);
    say(`${workflowId} is not sealed: ${advice}`);
    return exitCodes.failed;
  };
  let sent = 0;
  for (const [at, part] of parts.entries()) {
    const appended = { workflowId, part: at + 1, nodes: part };
    const { appendWorkflowNodes } = await client.mutate(
      CliAppendWorkflowNodesDocument,
      { input: appended },
      call,
    );
    // Parts that are stored cannot be changed.
    const advice = `correct the nodes of part ${at + 1} (${sent + 1} to ${sent + part.length}) and repeat with ${again}, or cancel it`;
    if (!appendWorkflowNodes.workflow) return failed(appendWorkflowNodes.userErrors, advice);
    sent += part.length;
    say(`part ${at + 1} of ${parts.length}: ${sent} of ${nodes.length} nodes`);
  }
  const { sealWorkflow } = await client.mutate(CliSealWorkflowDocument, { input: { workflowId } }, call);
  if (sealWorkflow.workflow) return printAnswer(output, sealWorkflow);
  return failed(
    sealWorkflow.userErrors,
    `cancel it with \`rhizome workflow cancel ${workflowId}\`, correct the file, and submit it with another key`,
  );
}

/** Prints the id of a new workflow with its warnings, or the errors because of which there is none. */
export function printAnswer(output: Session['output'], { workflow, warnings, userErrors }: Answer): ExitCode {
  if (!workflow) {
    printErrors(output, userErrors);
    return exitCodes.failed;
  }
  for (const warning of warnings) output.errors.write(`warning: ${warning}\n`);
  if (output.json) printJson(output, { ...workflow, warnings });
  else printLine(output, workflow.id);
  return exitCodes.ok;
}
