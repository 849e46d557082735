/** `rhizome enrolment`: invites workers, and decides about their enrolments. */
import { Argument, type Command, Option } from 'commander';
import { type Session, type World, printChange, printErrors, withSession } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { collect, type Finish, pagesUpTo, wholeNumber } from '../flags/flags.js';
import {
  CliDecideEnrolmentDocument,
  type CliDecideEnrolmentMutation,
  CliEndEnrolmentDocument,
  type CliEndEnrolmentMutation,
  CliEnrolmentsDocument,
  CliInviteWorkersDocument,
  type WorkerEnrolmentState,
} from '../operations.generated.js';
import { type Output, printJson, printLine, printTable } from '../output.js';
import { enrolmentStates } from '../states.js';

const maxListed = 1000;

interface InviteFlags {
  readonly experiment: readonly string[];
  readonly uses: number;
  readonly ttl: number;
  readonly netblock?: string;
}

interface ListFlags {
  readonly queue?: string;
  readonly state?: WorkerEnrolmentState;
}

/** Adds the commands. */
export function addEnrolment(program: Command, world: World, finish: Finish): void {
  const group = program.command('enrolment').description('invite workers, and decide about their enrolments');
  const inviting = withExperiments(
    group.command('invite').argument('<queue>', 'queue that the workers serve'),
  )
    .description('make a code by which workers of a queue enrol')
    .option('--uses <n>', 'number of workers', wholeNumber(1, 10_000), 1)
    .option('--ttl <seconds>', 'time for which the code is valid', wholeNumber(60, 604_800), 3600)
    .option('--netblock <cidr>', 'addresses from which it may be used, such as 192.0.2.0/24');
  inviting.action((queue: string, flags: InviteFlags) =>
    finish(withSession(inviting, world, (session) => invite(session, queue, flags))),
  );
  const listing = group
    .command('list')
    .description('list enrolments with the thumbprints of their keys')
    .option('-q, --queue <name>', 'queue of the enrolments')
    .addOption(new Option('--state <state>', 'state of the enrolments').choices(enrolmentStates));
  listing.action((flags: ListFlags) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  const deciding = withExperiments(group.command('decide').argument('<enrolment>', 'enrolment id'))
    .addArgument(new Argument('<decision>', 'decision').choices(['approve', 'refuse']))
    .description('approve or refuse a request; compare the thumbprint with the one that the pilot shows');
  deciding.action((id: string, decision: string, { experiment }: InviteFlags) =>
    finish(
      withSession(deciding, world, (session) => decide(session, id, decision === 'approve', experiment)),
    ),
  );
  const ending = group
    .command('end')
    .description('end an enrolment; its credential is refused within seconds')
    .argument('<enrolment>', 'enrolment id');
  ending.action((id: string) => finish(withSession(ending, world, (session) => end(session, id))));
}

function withExperiments(command: Command): Command {
  return command.option(
    '-e, --experiment <name>',
    'experiment whose jobs the workers run; may be repeated (default: all)',
    collect,
    [],
  );
}

const orAll = (experiments: readonly string[]): string[] =>
  experiments.length === 0 ? ['*'] : [...experiments];

async function invite({ client, output }: Session, queue: string, flags: InviteFlags): Promise<ExitCode> {
  const { experiment, uses, ttl: ttlSeconds, netblock } = flags;
  const input = { queue, experiments: orAll(experiment), uses, ttlSeconds, netblock: netblock ?? null };
  const { inviteWorkers } = await client.mutate(CliInviteWorkersDocument, { input }, { idempotent: false });
  printErrors(output, inviteWorkers.userErrors);
  const { code, expiresAt } = inviteWorkers;
  if (code === null) return exitCodes.failed;
  if (output.json) printJson(output, { code, expiresAt });
  else printLine(output, code);
  return exitCodes.ok;
}

async function list({ client, output }: Session, { queue, state }: ListFlags): Promise<ExitCode> {
  const found = await pagesUpTo(maxListed, async (first, after) => {
    const variables = { queue: queue ?? null, state: state ?? null, first, after };
    const { workerEnrolments } = await client.query(CliEnrolmentsDocument, variables);
    return workerEnrolments;
  });
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['ID', 'QUEUE', 'STATE', 'HOST', 'ADDRESS', 'KEY', 'WORKER'],
      found.map(({ id, queueName, state: now, host, address, thumbprint, workerId }) => [
        id,
        queueName,
        now,
        host,
        address,
        thumbprint,
        workerId ?? '',
      ]),
    );
  return exitCodes.ok;
}

async function decide(
  { client, output }: Session,
  id: string,
  isApproved: boolean,
  experiments: readonly string[],
): Promise<ExitCode> {
  const input = { id, isApproved, experiments: orAll(experiments) };
  const { decideEnrolment } = await client.mutate(
    CliDecideEnrolmentDocument,
    { input },
    { idempotent: false },
  );
  return printDecision(output, decideEnrolment);
}

async function end({ client, output }: Session, id: string): Promise<ExitCode> {
  const { endEnrolment } = await client.mutate(
    CliEndEnrolmentDocument,
    { input: { id } },
    { idempotent: true },
  );
  return printDecision(output, endEnrolment);
}

function printDecision(
  output: Output,
  {
    enrolment,
    userErrors,
  }: CliDecideEnrolmentMutation['decideEnrolment'] | CliEndEnrolmentMutation['endEnrolment'],
): ExitCode {
  return printChange(output, enrolment, userErrors, ({ id, state }) => `${id}  ${state}`);
}
