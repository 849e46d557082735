/** `rhizome workflow clone`: the graph of a workflow as a new one. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, collectPairs, type Finish, type Pair, wholeNumber } from '../../flags/flags.js';
import {
  type RequirementChangeFlags,
  requirementChangesOf,
  withRequirementChanges,
} from '../../flags/requirement-change-flags.js';
import { CliCloneWorkflowDocument } from '../../operations.generated.js';
import { printAnswer } from './submit.js';

interface Flags extends RequirementChangeFlags {
  readonly key?: string;
  readonly name?: string;
  readonly priority?: number;
  readonly label: readonly Pair[];
  readonly nodeLabel: readonly string[];
}

/** Adds the command. */
export function addClone(group: Command, world: World, finish: Finish): void {
  const command = group
    .command('clone')
    .description('submit the graph of a workflow again as a new one, as it is or with changes')
    .argument('<workflow>', 'id of the workflow')
    .option('--key <key>', 'idempotency key: the same key never clones twice, and completes a clone')
    .option('--name <name>', 'other name')
    .option('--priority <n>', 'other priority of the jobs', wholeNumber(-1000, 1000))
    .option('-l, --label <key=value>', 'label of the jobs instead of all earlier ones', collectPairs, [])
    .option('--node-label <label>', 'nodes that the changes below are for; may be repeated', collect, []);
  withRequirementChanges(command);
  command.action((id: string, flags: Flags) =>
    finish(withSession(command, world, (session) => clone(session, id, flags))),
  );
}

async function clone({ client, output }: Session, workflowId: string, flags: Flags): Promise<ExitCode> {
  const { key = randomUUID(), name, priority, label, nodeLabel } = flags;
  const requirements = requirementChangesOf(flags);
  if ((requirements === undefined) !== (nodeLabel.length === 0))
    throw new CliError(exitCodes.usage, 'Give --node-label together with changes of resources');
  const input = {
    ...{ workflowId, idempotencyKey: key },
    ...(name !== undefined && { name }),
    ...(priority !== undefined && { priority }),
    ...(label.length > 0 && { labels: [...label] }),
    ...(nodeLabel.length > 0 && { nodeLabels: nodeLabel.map((one) => ({ label: one, requirements })) }),
  };
  const { cloneWorkflow } = await client.mutate(CliCloneWorkflowDocument, { input }, { idempotent: true });
  return printAnswer(output, cloneWorkflow);
}
