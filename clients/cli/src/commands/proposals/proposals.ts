/** `rhizome proposals`: changes that agents and people propose, and decisions about them. */
import { type Command, Option } from 'commander';
import { printErrors, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { type Finish, pagesUpTo, wholeNumber } from '../../flags/flags.js';
import {
  CliApproveProposalDocument,
  type CliApproveProposalMutation,
  CliDenyProposalDocument,
  type CliDenyProposalMutation,
  type CliProposalDetailsFragment,
  CliProposalDocument,
  type CliProposalLineFragment,
  CliProposalsDocument,
  CliWithdrawProposalDocument,
  type CliWithdrawProposalMutation,
  type ProposalStatus,
} from '../../operations.generated.js';
import { ago, type Output, printFields, printJson, printTable } from '../../output.js';
import { proposalStatuses } from '../../states.js';

interface ListFlags {
  readonly status?: ProposalStatus;
  readonly all?: boolean;
  readonly experiment?: string;
  readonly limit: number;
}

/** Adds the commands. */
export function addProposals(program: Command, world: World, finish: Finish): void {
  const group = program.command('proposals').description('show and decide changes that agents propose');
  const listing = group
    .command('list')
    .description('list proposals that wait for a decision, newest first')
    .addOption(new Option('--status <status>', 'only this status').choices(proposalStatuses))
    .option('-a, --all', 'also those that have ended')
    .option('-e, --experiment <name>', 'only changes that concern this experiment')
    .option('-n, --limit <n>', 'largest number of rows, 1 to 1000', wholeNumber(1, 1000), 50);
  listing.action((flags: ListFlags) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  const showing = group
    .command('show')
    .argument('<proposal>', 'id or short name, such as pr-4k7f02mx')
    .description('show a proposal with its variables, effects and evidence');
  showing.action((id: string) => finish(withSession(showing, world, (session) => show(session, id))));
  addDecision(group, world, finish, {
    name: 'approve',
    description: 'approve a proposal; its mutation runs at once with your rights',
    decide: approve,
  });
  addDecision(group, world, finish, {
    name: 'deny',
    description: 'deny a proposal; the same change cannot be proposed again for some days',
    decide: deny,
  });
  const withdrawing = group
    .command('withdraw')
    .argument('<proposal>', 'id or short name')
    .description('withdraw a proposal that you or your agent made');
  withdrawing.action((id: string) =>
    finish(withSession(withdrawing, world, (session) => withdraw(session, id))),
  );
}

interface DecisionCommand {
  readonly name: string;
  readonly description: string;
  readonly decide: (session: Session, id: string, note: string | null) => Promise<ExitCode>;
}

function addDecision(
  group: Command,
  world: World,
  finish: Finish,
  { name, description, decide }: DecisionCommand,
): void {
  const command = group
    .command(name)
    .argument('<proposal>', 'id or short name')
    .description(description)
    .option('--note <text>', 'note for the proposer');
  command.action((id: string, { note }: { readonly note?: string }) =>
    finish(withSession(command, world, (session) => decide(session, id, note ?? null))),
  );
}

async function list(session: Session, { status, all, experiment, limit }: ListFlags): Promise<ExitCode> {
  const { client, output, now } = session;
  const statuses: ProposalStatus[] | null =
    status === undefined ? (all ? null : ['PROPOSED', 'EXECUTING']) : [status];
  const filter = { statuses, experiment: experiment ?? null };
  const found = await pagesUpTo(limit, async (first, after) => {
    const { proposals } = await client.query(CliProposalsDocument, { filter, first, after });
    if (!proposals) throw new CliError(exitCodes.failed, 'the gateway keeps no proposals');
    return proposals;
  });
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['PROPOSAL', 'AGO', 'STATUS', 'BY', 'CHANGE', 'STAKES', 'REASON'],
      found.map((one) => [
        ...[one.ref, ago(one.createdAt, now()), one.status, originOf(one), changeOf(one), one.stakes],
        onOneLine(one.reason),
      ]),
    );
  return exitCodes.ok;
}

async function show({ client, output, now }: Session, id: string): Promise<ExitCode> {
  const { proposal } = await client.query(CliProposalDocument, { id });
  if (!proposal) throw new CliError(exitCodes.notFound, `Proposal "${id}" not found, or you may not see it.`);
  if (output.json) printJson(output, proposal);
  else printProposal(output, proposal, now());
  return exitCodes.ok;
}

async function approve(session: Session, id: string, note: string | null): Promise<ExitCode> {
  const variables = { input: { id, note } };
  // Repeated after a lost answer, it returns the proposal as it is then.
  const { approveProposal } = await session.client.mutate(CliApproveProposalDocument, variables, {
    idempotent: true,
  });
  return printDecided(session, approveProposal);
}

async function deny(session: Session, id: string, note: string | null): Promise<ExitCode> {
  const variables = { input: { id, note } };
  const { denyProposal } = await session.client.mutate(CliDenyProposalDocument, variables, {
    idempotent: true,
  });
  return printDecided(session, denyProposal);
}

async function withdraw(session: Session, id: string): Promise<ExitCode> {
  const { withdrawProposal } = await session.client.mutate(
    CliWithdrawProposalDocument,
    { input: { id } },
    { idempotent: true },
  );
  return printDecided(session, withdrawProposal);
}

type Decided =
  | CliApproveProposalMutation['approveProposal']
  | CliDenyProposalMutation['denyProposal']
  | CliWithdrawProposalMutation['withdrawProposal'];

function printDecided({ output, now }: Session, { proposal, userErrors }: Decided): ExitCode {
  printErrors(output, userErrors);
  if (!proposal) return exitCodes.notFound;
  if (output.json) printJson(output, proposal);
  else if (userErrors.length === 0) printProposal(output, proposal, now());
  return userErrors.length > 0 || proposal.status === 'FAILED' ? exitCodes.failed : exitCodes.ok;
}

function printProposal(output: Output, proposal: CliProposalDetailsFragment, now: number): void {
  const { preview, decision, outcome } = proposal;
  const note = decision?.note == null ? '' : `: ${onOneLine(decision.note)}`;
  printFields(output, [
    ['proposal', `${proposal.ref}  ${proposal.id}`],
    ['status', proposal.status],
    ['by', `${originOf(proposal)}, ${ago(proposal.createdAt, now)} ago`],
    ['change', changeOf(proposal)],
    ['stakes', `${proposal.stakes}${proposal.isFourEyes ? ', another person must decide' : ''}`],
    ['reason', onOneLine(proposal.reason)],
    ...proposal.evidence.map(
      ({ text, url }) => ['evidence', onOneLine(url === null ? text : `${text} (${url})`)] as const,
    ),
    ...(preview.targets.length > 0
      ? [['first targets', preview.targets.map(({ id, state }) => `${id} ${state}`).join(', ')] as const]
      : []),
    ['variables', JSON.stringify(proposal.variables)],
    ...(preview.isDryRun ? [['dry run', JSON.stringify(preview.dryRun)] as const] : []),
    ['expires', proposal.expiresAt],
    ...(decision
      ? [
          [
            'decision',
            `${decision.isApproval ? 'approved' : 'denied'} by ${decision.by.subject}${note}`,
          ] as const,
        ]
      : []),
    ...(outcome ? [['outcome', outcome.isUnknown ? 'unknown' : JSON.stringify(outcome.data)] as const] : []),
    ...(outcome?.errors ?? []).map(
      ({ code, message }) => ['error', `${code ?? ''} ${onOneLine(message)}`.trim()] as const,
    ),
  ]);
}

function originOf({ agent, person }: Pick<CliProposalLineFragment, 'agent' | 'person'>): string {
  return agent ? `${agent.subject} for ${person.subject}` : person.subject;
}

function changeOf({ mutation, preview }: Pick<CliProposalLineFragment, 'mutation' | 'preview'>): string {
  const { targetCount, coreHours, gpuHours, refusedCount } = preview;
  const parts = [
    mutation,
    ...(targetCount === null ? [] : [`of ${targetCount}`]),
    ...(refusedCount > 0 ? [`(${refusedCount} refused)`] : []),
    ...(coreHours === null ? [] : [`${coreHours} core-hours`]),
    ...(gpuHours ? [`${gpuHours} GPU-hours`] : []),
  ];
  return parts.join(' ');
}

/** Texts of proposers must not look like further lines of the output. */
function onOneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ');
}
