/** `rhizome workflow`: graphs of nodes that become jobs. */
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '@rhizome/client';
import { type Command, Option } from 'commander';
import { type MutationError, printChange, type World, withSession } from '../../command.js';
import { collect, type DryRunFlags, type Finish, oneOf, wholeNumber, withDryRun } from '../../flags/flags.js';
import {
  CliCancelWorkflowDocument,
  CliMarkWorkflowNodesDocument,
  CliPauseWorkflowDocument,
  CliResumeWorkflowDocument,
  CliRetryWorkflowDocument,
  type CliWorkflowFragment,
  type MarkWorkflowNodesInput,
} from '../../operations.generated.js';
import { type ChangeFlags, changesOf, withChanges } from '../../flags/change-flags.js';
import { addClone } from './clone.js';
import { convert, tryFile, withoutGateway } from './convert.js';
import { type FileFlags, fileFormats } from './foreign-file.js';
import { list, show, tree, type TreeFlags } from './show.js';
import { submitWorkflow } from './submit.js';
import { watchWorkflow } from './watch.js';

interface Flags extends ChangeFlags {
  readonly node: readonly string[];
  readonly reason?: string;
  readonly final?: boolean;
  readonly as?: (typeof marks)[number];
  readonly key?: string;
}

interface SubmitFlags extends FileFlags, DryRunFlags {
  readonly key?: string;
  readonly nodesPerPart?: number;
}

interface Answer {
  readonly workflow: CliWorkflowFragment | null;
  readonly userErrors: readonly MutationError[];
}

const marks = ['SUCCEEDED', 'SKIPPED'] as const;
const idempotent = { idempotent: true } as const;

/** Adds the commands. */
export function addWorkflow(program: Command, world: World, finish: Finish): void {
  const group = program.command('workflow').description('submit graphs of nodes, show and change them');
  addReads(group, world, finish);
  addSubmits(group, world, finish);
  addChanges(group, world, finish);
  addClone(group, world, finish);
}

function addSubmits(group: Command, world: World, finish: Finish): void {
  const submitting = withDryRun(withFile(group.command('submit')))
    .description('submit the workflow of a file')
    .option('--key <key>', 'idempotency key: the same key never submits twice, and completes a submission')
    .option(
      '--nodes-per-part <n>',
      'submit in parts of at most this number of nodes (default: 5000 if the file is too large for one call)',
      wholeNumber(1, 5000),
    );
  submitting.action((file: string, { key = randomUUID(), dryRun, ...flags }: SubmitFlags) =>
    finish(
      dryRun === true
        ? tryFile(file, flags, withoutGateway(submitting, world))
        : withSession(submitting, world, (session) => submitWorkflow(session, file, { ...flags, key })),
    ),
  );
  const converting = withFile(group.command('convert')).description(
    'print the workflow of a file of another system as a file of our own, as YAML or with --json as JSON',
  );
  converting.action((file: string, flags: FileFlags) =>
    finish(convert(file, flags, withoutGateway(converting, world))),
  );
}

function withFile(command: Command): Command {
  return command
    .argument('<file>', 'YAML or JSON file: our own, CWL, a graph of BPS, or a workflow of iDDS')
    .addOption(
      new Option('--format <format>', 'format of the file (default: what its contents show)').choices(
        fileFormats,
      ),
    )
    .option('-e, --experiment <name>', 'experiment that owns a workflow of another system')
    .option(
      '--name <name>',
      'name of a workflow of another system (default: that in the file, or of the file)',
    )
    .option('--share <leaf>', 'share of a workflow of another system')
    .option('--inputs <file>', 'values of inputs of CWL, or the submit file of BPS with requests by label')
    .option(
      '--shared-folder <path>',
      'folder that payloads can write on all workers, through which files of CWL are passed between jobs',
    )
    .option(
      '--readable-folder <path>',
      'folder that payloads can read on all workers, with files that inputs of CWL name; may be repeated',
      collect,
      [],
    );
}

function addReads(group: Command, world: World, finish: Finish): void {
  const listing = group
    .command('list')
    .description('list workflows')
    .option('-e, --experiment <name>', 'only of this experiment; may be repeated', collect, []);
  listing.action((flags: { readonly experiment: readonly string[] }) =>
    finish(withSession(listing, world, (session) => list(session, flags.experiment))),
  );
  const showing = ofWorkflow(group.command('show')).description(
    'show a workflow with the numbers of its nodes by label',
  );
  showing.action((id: string) => finish(withSession(showing, world, (session) => show(session, id))));
  const nodes = ofWorkflow(group.command('tree'))
    .description('list the nodes of a workflow by depth')
    .option('--state <state>', 'only nodes in this state; may be repeated', collect, [])
    .option('--label <label>', 'only nodes with this label; may be repeated', collect, [])
    .option('--within <node>', 'only nodes of the sub-graph of this node');
  nodes.action((id: string, flags: TreeFlags) =>
    finish(withSession(nodes, world, (session) => tree(session, id, flags))),
  );
  const watching = ofWorkflow(group.command('watch')).description(
    'watch a workflow until it ends; exit code 0 if it SUCCEEDED',
  );
  watching.action((id: string) =>
    finish(withSession(watching, world, (session) => watchWorkflow(session, id))),
  );
}

function addChanges(group: Command, world: World, finish: Finish): void {
  const add = (
    command: Command,
    send: (client: ApiClient, id: string, flags: Flags) => Promise<Answer>,
  ): void => {
    command.action((id: string, flags: Flags) =>
      finish(
        withSession(command, world, async ({ client, output }) => {
          const { workflow, userErrors } = await send(client, id, flags);
          return printChange(output, workflow, userErrors, ({ state }) => `${id}  ${state}`);
        }),
      ),
    );
  };
  const pausing = ofWorkflow(group.command('pause'))
    .description('submit no further nodes; jobs that exist go on')
    .option('--reason <text>', 'reason');
  add(pausing, async (client, workflowId, { reason }) => {
    const input = { workflowId, reason };
    return (await client.mutate(CliPauseWorkflowDocument, { input }, idempotent)).pauseWorkflow;
  });
  const resuming = ofWorkflow(group.command('resume')).description(
    'end a pause: submit further nodes as their conditions are met',
  );
  add(resuming, async (client, workflowId) => {
    const input = { workflowId };
    return (await client.mutate(CliResumeWorkflowDocument, { input }, idempotent)).resumeWorkflow;
  });
  const cancelling = withNodes(ofWorkflow(group.command('cancel')), 'only this node; may be repeated')
    .description('cancel a workflow, or some of its nodes, with their jobs')
    .option('--final', 'cancel final nodes, too')
    .option('--reason <text>', 'reason');
  add(cancelling, async (client, workflowId, { node, reason, final }) => {
    const input = { workflowId, nodes: nodesOf(node), reason, isFinalIncluded: final };
    return (await client.mutate(CliCancelWorkflowDocument, { input }, idempotent)).cancelWorkflow;
  });
  const retrying = withNodes(
    ofWorkflow(group.command('retry')),
    'run this node and all nodes that depend on it again; may be repeated',
  ).description('run again what failed or was cancelled, and what was skipped because of it');
  withChanges(retrying).option('--key <key>', 'idempotency key: the same key never retries twice');
  add(retrying, async (client, workflowId, { node, key = randomUUID(), ...flags }) => {
    // Without a key, a repetition might meet nodes that have failed again.
    const input = { workflowId, nodes: nodesOf(node), ...changesOf(flags), idempotencyKey: key };
    return (await client.mutate(CliRetryWorkflowDocument, { input }, idempotent)).retryWorkflow;
  });
  const marking = withNodes(ofWorkflow(group.command('mark')), 'a node; may be repeated')
    .description('give nodes the state SUCCEEDED or SKIPPED by hand')
    .requiredOption('--as <state>', 'SUCCEEDED or SKIPPED', oneOf(marks))
    .requiredOption('--reason <text>', 'reason');
  add(marking, async (client, workflowId, { node, as = 'SUCCEEDED', reason }) => {
    const input: MarkWorkflowNodesInput = { workflowId, nodes: [...node], state: as, reason: reason ?? '' };
    return (await client.mutate(CliMarkWorkflowNodesDocument, { input }, idempotent)).markWorkflowNodes;
  });
}

function ofWorkflow(command: Command): Command {
  return command.argument('<workflow>', 'id of the workflow');
}

function withNodes(command: Command, description: string): Command {
  return command.option('--node <name>', description, collect, []);
}

/** The nodes that are given; undefined for all. */
function nodesOf(names: readonly string[]): string[] | undefined {
  return names.length > 0 ? [...names] : undefined;
}
