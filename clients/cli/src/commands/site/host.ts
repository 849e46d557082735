/** `rhizome host`: hosts that are not healthy, and decisions of operators about them. */
import { Argument, type Command } from 'commander';
import { type MutationError, printChange, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import {
  collect,
  collectOneOf,
  type DryRunFlags,
  type Finish,
  pagesUpTo,
  timeOf,
  withDryRun,
} from '../../flags/flags.js';
import {
  CliClearHostDocument,
  CliExcludeHostDocument,
  type CliHostFragment,
  CliHostsDocument,
  CliPinHostDocument,
  type HostState,
} from '../../operations.generated.js';
import { type Output, printFields, printJson, printLine, printTable } from '../../output.js';
import { hostStates } from '../../states.js';

const maxListed = 1000;

interface ListFlags {
  readonly queue: readonly string[];
  readonly state: readonly HostState[];
}

interface DecisionFlags extends DryRunFlags {
  readonly reason: string;
  readonly until?: string;
}

/** Adds the commands. */
export function addHost(program: Command, world: World, finish: Finish): void {
  const group = program
    .command('host')
    .description('list hosts that fail jobs, exclude, pin and clear hosts');
  const listing = group
    .command('list')
    .description('list hosts that are not healthy, were not until lately, or are pinned')
    .option('-q, --queue <name>', 'only of this queue; may be repeated', collect, [])
    .option('-s, --state <state>', 'in this state; may be repeated', collectOneOf(hostStates), []);
  listing.action((flags: ListFlags) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  const showing = named(group.command('show')).description('show a host with the failures it had');
  showing.action((queue: string, host: string) =>
    finish(withSession(showing, world, (session) => show(session, queue, host))),
  );
  addDecisions(group, world, finish);
}

function addDecisions(group: Command, world: World, finish: Finish): void {
  const excluding = withDecision(named(group.command('exclude')))
    .description('exclude a host: it gets no jobs, and is tested afterwards')
    .option('--until <time>', 'time at which it is tested; without it, when it is cleared', timeOf);
  excluding.action((queue: string, host: string, flags: DecisionFlags) =>
    finish(withSession(excluding, world, (session) => exclude(session, { queue, host }, flags))),
  );
  const direction = new Argument('<direction>', 'whether the host gets jobs').choices(['in', 'out']);
  const pinning = withDecision(named(group.command('pin')).addArgument(direction))
    .description('keep a host in or out, whatever Rhizome finds about it')
    .option('--until <time>', 'time at which the pin ends', timeOf);
  pinning.action((queue: string, host: string, to: 'in' | 'out', flags: DecisionFlags) =>
    finish(withSession(pinning, world, (session) => pin(session, { queue, host }, to, flags))),
  );
  const clearing = withDryRun(named(group.command('clear'))).description(
    'end the exclusion and the pin of a host: it gets jobs at once',
  );
  clearing.action((queue: string, host: string, flags: DryRunFlags) =>
    finish(withSession(clearing, world, (session) => clear(session, { queue, host }, flags))),
  );
}

function named(command: Command): Command {
  return command.argument('<queue>', 'queue of its workers').argument('<host>', 'name of the host');
}

function withDecision(command: Command): Command {
  return withDryRun(command).requiredOption('--reason <text>', 'reason, which owners of waiting jobs see');
}

async function list({ client, output }: Session, { queue, state }: ListFlags): Promise<ExitCode> {
  const filter = {
    ...(queue.length > 0 ? { queues: [...queue] } : {}),
    ...(state.length > 0 ? { states: [...state] } : {}),
  };
  const found = await pagesUpTo(
    maxListed,
    async (first, after) => (await client.query(CliHostsDocument, { filter, first, after })).hosts,
  );
  if (output.json) printJson(output, found);
  else if (found.length === 0)
    printLine(output, 'No hosts found that fail jobs, are excluded or are pinned.');
  else
    printTable(
      output,
      ['QUEUE', 'HOST', 'STATE', 'UNTIL', 'REASON'],
      found.map(({ queue: { name: queueName }, name, state: now, until, reason, pin: pinned }) => [
        ...[queueName, name, pinned ? `${now}, pinned` : now, until ?? '', reason],
      ]),
    );
  return exitCodes.ok;
}

async function show({ client, output }: Session, queue: string, host: string): Promise<ExitCode> {
  const filter = { queues: [queue], hosts: [host] };
  const { hosts } = await client.query(CliHostsDocument, { filter, first: 1 });
  const [found] = hosts.nodes;
  if (!found)
    throw new CliError(
      exitCodes.failed,
      `Host "${host}" of queue "${queue}" has no record: it is healthy, or you may not see it.`,
    );
  if (output.json) printJson(output, found);
  else printFields(output, fieldsOf(found));
  return exitCodes.ok;
}

function fieldsOf(host: CliHostFragment): readonly (readonly [string, string | number | null | undefined])[] {
  const { pin: pinned, evidence } = host;
  return [
    ['host', host.name],
    ['queue', host.queue.name],
    ['state', host.state],
    ['since', host.since],
    ['until', host.until],
    ['reason', host.reason],
    ['decided by', host.decidedBy.id],
    ['exclusions', host.exclusionCount],
    ['pinned', pinned ? `${pinned.to} by ${pinned.setBy.id}: ${pinned.reason}` : undefined],
    [
      'failures',
      evidence ? `${evidence.failureCount}, ${evidence.firstAt} to ${evidence.lastAt}` : undefined,
    ],
    ['codes', evidence?.codes.map(({ code, count }) => `${code} (${count})`).join(', ')],
    ['jobs', evidence?.jobIds.join(' ')],
    [
      'elsewhere',
      evidence ? `${evidence.lastedElsewhere} lasted, ${evidence.failedElsewhere} failed` : undefined,
    ],
  ];
}

interface HostNames {
  readonly queue: string;
  readonly host: string;
}

async function exclude(
  { client, output }: Session,
  host: HostNames,
  { reason, until, dryRun: isDryRun = false }: DecisionFlags,
): Promise<ExitCode> {
  const input = { ...host, reason, isDryRun, ...(until === undefined ? {} : { until }) };
  const { excludeHost } = await client.mutate(CliExcludeHostDocument, { input }, { idempotent: true });
  return printHost(output, excludeHost, isDryRun);
}

async function pin(
  { client, output }: Session,
  host: HostNames,
  to: 'in' | 'out',
  { reason, until, dryRun: isDryRun = false }: DecisionFlags,
): Promise<ExitCode> {
  const direction = to === 'in' ? 'IN' : 'OUT';
  const input = {
    ...host,
    to: direction,
    reason,
    isDryRun,
    ...(until === undefined ? {} : { until }),
  } as const;
  const { pinHost } = await client.mutate(CliPinHostDocument, { input }, { idempotent: true });
  return printHost(output, pinHost, isDryRun);
}

async function clear(
  { client, output }: Session,
  host: HostNames,
  { dryRun: isDryRun = false }: DryRunFlags,
): Promise<ExitCode> {
  const input = { ...host, isDryRun };
  const { clearHost } = await client.mutate(CliClearHostDocument, { input }, { idempotent: true });
  return printHost(output, clearHost, isDryRun);
}

interface ChangedHost {
  readonly host: CliHostFragment | null;
  readonly workerCount: number;
  readonly runningJobCount: number;
  readonly userErrors: readonly MutationError[];
}

function printHost(
  output: Output,
  { host, workerCount, runningJobCount, userErrors }: ChangedHost,
  isDryRun: boolean,
): ExitCode {
  const changed = host && { ...host, workerCount, runningJobCount };
  return printChange(output, changed, userErrors, ({ name, state, until }) => {
    const [workers, jobs] = [count(workerCount, 'worker'), count(runningJobCount, 'running job')];
    const end = until === null ? '' : ` until ${until}`;
    return `${isDryRun ? 'dry run' : name}  ${state}${end}\n${workers}, ${jobs}`;
  });
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
