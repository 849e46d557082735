/** `rhizome mandates`: changes of agents that people approve in advance. */
import { type Command, InvalidArgumentError } from 'commander';
import { printErrors, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type Finish, pagesUpTo, timeOf, wholeNumber } from '../../flags/flags.js';
import {
  CliGrantMandateDocument,
  type CliMandateFragment,
  CliMandatesDocument,
  CliRevokeMandateDocument,
} from '../../operations.generated.js';
import { type Output, printFields, printJson, printTable } from '../../output.js';

interface ListFlags {
  readonly all?: boolean;
  readonly experiment?: string;
  readonly limit: number;
}

interface GrantFlags {
  readonly experiment: string;
  readonly input?: object;
  readonly free: readonly string[];
  readonly maxPerDay: number;
  readonly until: string;
  readonly reason: string;
}

/** Adds the commands. */
export function addMandates(program: Command, world: World, finish: Finish): void {
  const group = program.command('mandates').description('approve changes of agents in advance');
  const listing = group
    .command('list')
    .description('list mandates that hold, newest first')
    .option('-a, --all', 'also those that have ended')
    .option('-e, --experiment <name>', 'only those of this experiment')
    .option('-n, --limit <n>', 'largest number of rows, 1 to 1000', wholeNumber(1, 1000), 50);
  listing.action((flags: ListFlags) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  const granting = group
    .command('grant')
    .argument('<agent>', 'subject of the agent')
    .argument('<mutation>', 'name of the mutation, such as retryJobs')
    .description('run proposals of an agent at once, with your rights, if they fit')
    .requiredOption('-e, --experiment <name>', 'experiment that the changes concern')
    .requiredOption('--max-per-day <n>', 'largest number of objects changed in a day', wholeNumber(1, 10_000))
    .requiredOption('--until <time>', 'time at which it ends, within 30 days', timeOf)
    .requiredOption('--reason <text>', 'reason')
    .option('--input <json>', 'fields of the input that must be as given', objectOf)
    .option('--free <field>', 'field that the agent chooses; repeat it for several', collect, []);
  granting.action((agent: string, mutation: string, flags: GrantFlags) =>
    finish(withSession(granting, world, (session) => grant(session, { agent, mutation, ...flags }))),
  );
  const revoking = group
    .command('revoke')
    .argument('<mandate>', 'id of the mandate')
    .description('revoke a mandate at once, also for changes that have not started');
  revoking.action((id: string) => finish(withSession(revoking, world, (session) => revoke(session, id))));
}

async function list(session: Session, { all, experiment, limit }: ListFlags): Promise<ExitCode> {
  const { client, output } = session;
  const filter = { isActive: all ? null : true, experiment: experiment ?? null };
  const found = await pagesUpTo(limit, async (first, after) => {
    const { mandates } = await client.query(CliMandatesDocument, { filter, first, after });
    if (!mandates) throw new CliError(exitCodes.failed, 'the gateway keeps no mandates');
    return mandates;
  });
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['MANDATE', 'AGENT', 'BY', 'EXPERIMENT', 'MUTATION', 'TODAY', 'STATE', 'UNTIL'],
      found.map((one) => [
        ...[one.id, one.agent.subject, one.grantor.subject, one.experimentName, one.mutation],
        ...[`${one.usedToday}/${one.maxPerDay}`, stateOf(one), one.expiresAt],
      ]),
    );
  return exitCodes.ok;
}

async function grant(
  { client, output }: Session,
  { until, input, free, ...given }: GrantFlags & { readonly agent: string; readonly mutation: string },
): Promise<ExitCode> {
  const variables = { input: { ...given, input: input ?? null, free: [...free], expiresAt: until } };
  // A repeated call sets the same limits.
  const { grantMandate } = await client.mutate(CliGrantMandateDocument, variables, { idempotent: true });
  printErrors(output, grantMandate.userErrors);
  if (!grantMandate.mandate) return exitCodes.failed;
  print(output, grantMandate.mandate);
  return exitCodes.ok;
}

async function revoke({ client, output }: Session, id: string): Promise<ExitCode> {
  const { revokeMandate } = await client.mutate(
    CliRevokeMandateDocument,
    { input: { id } },
    { idempotent: true },
  );
  printErrors(output, revokeMandate.userErrors);
  if (!revokeMandate.mandate) return exitCodes.notFound;
  print(output, revokeMandate.mandate);
  return exitCodes.ok;
}

function print(output: Output, mandate: CliMandateFragment): void {
  if (output.json) {
    printJson(output, mandate);
    return;
  }
  printFields(output, [
    ['mandate', mandate.id],
    ['state', stateOf(mandate)],
    ['agent', mandate.agent.subject],
    ['by', mandate.grantor.subject],
    ['change', `${mandate.mutation} in ${mandate.experimentName}`],
    ['input', JSON.stringify(mandate.input)],
    ['free', mandate.free.join(', ')],
    ['today', `${mandate.usedToday} of ${mandate.maxPerDay} objects`],
    ['until', mandate.expiresAt],
  ]);
}

function stateOf({ isActive, revokedAt }: CliMandateFragment): string {
  if (isActive) return 'ACTIVE';
  return revokedAt === null ? 'ENDED' : 'REVOKED';
}

function objectOf(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Not JSON.
  }
  throw new InvalidArgumentError('must be a JSON object.');
}
