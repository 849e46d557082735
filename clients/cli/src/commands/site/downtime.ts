/** `rhizome queue downtime`: times in which queues and sites run no jobs. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { z } from 'zod';
import {
  type MutationError,
  printChange,
  printErrors,
  type Session,
  type World,
  withSession,
} from '../../command.js';
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
  CliCancelDowntimeDocument,
  CliChangeDowntimeDocument,
  CliDeclareDowntimeDocument,
  type CliDowntimeFragment,
  CliDowntimesDocument,
  CliImportDowntimesDocument,
  type DowntimeState,
} from '../../operations.generated.js';
import { type Output, printJson, printLine, printTable } from '../../output.js';
import { downtimeStates } from '../../states.js';
import { readYamlFile } from '../../files/yaml-file.js';

const maxListed = 1000;

interface WindowFlags {
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
}

interface AddFlags extends Required<WindowFlags>, DryRunFlags {
  readonly site?: string;
}

interface ImportFlags extends DryRunFlags {
  readonly file: string;
}

interface ListFlags {
  readonly queue: readonly string[];
  readonly site: readonly string[];
  readonly state: readonly DowntimeState[];
}

/** The file of `import`; the API validates the values. */
const listFile = z.strictObject({
  downtimes: z.array(
    z
      .strictObject({
        id: z.union([z.string(), z.int()]).transform(String),
        queue: z.string().optional(),
        site: z.string().optional(),
        from: z.iso.datetime({ offset: true }),
        to: z.iso.datetime({ offset: true }),
        reason: z.string(),
      })
      .refine(({ queue, site }) => (queue === undefined) !== (site === undefined), {
        message: 'give either queue or site',
      }),
  ),
});

/** Adds the commands to the group of queues. */
export function addDowntime(queues: Command, world: World, finish: Finish): void {
  const group = queues.command('downtime').description('declare, list and cancel downtimes, and import them');
  addChanges(group, world, finish);
  const listing = group
    .command('list')
    .description('list downtimes that have not ended, by their start')
    .option('-q, --queue <name>', 'only of this queue and its site; may be repeated', collect, [])
    .option('--site <name>', 'only of this site and its queues; may be repeated', collect, [])
    .option('-s, --state <state>', 'in this state; may be repeated', collectOneOf(downtimeStates), []);
  listing.action((flags: ListFlags) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  const importing = withDryRun(group.command('import').argument('<source>', 'name of the list'))
    .description('take over a list of another system; downtimes that it no longer has are cancelled')
    .requiredOption(
      '-f, --file <file>',
      'YAML or JSON file with `downtimes`: id, queue or site, from, to and reason of each',
    );
  importing.action((source: string, flags: ImportFlags) =>
    finish(withSession(importing, world, (session) => importList(session, source, flags))),
  );
}

function addChanges(group: Command, world: World, finish: Finish): void {
  const adding = withDryRun(group.command('add').argument('[queue]', 'queue that is down'))
    .description('declare a downtime of a queue, or of all queues of a site')
    .option('--site <name>', 'site that is down, instead of a queue')
    .requiredOption('--from <time>', 'time at which it begins', timeOf)
    .requiredOption('--to <time>', 'time at which it ends', timeOf)
    .requiredOption('--reason <text>', 'reason, which owners of waiting jobs see');
  adding.action((queue: string | undefined, flags: AddFlags) =>
    finish(withSession(adding, world, (session) => add(session, queue, flags))),
  );
  const changing = withDryRun(group.command('change').argument('<id>', 'downtime id, such as downtime_…'))
    .description('change the time or the reason of a downtime')
    .option('--from <time>', 'time at which it begins', timeOf)
    .option('--to <time>', 'time at which it ends', timeOf)
    .option('--reason <text>', 'reason');
  changing.action((id: string, flags: WindowFlags & DryRunFlags) =>
    finish(withSession(changing, world, (session) => change(session, id, flags))),
  );
  const cancelling = withDryRun(
    group.command('cancel').argument('<id>', 'downtime id, such as downtime_…'),
  ).description('cancel a downtime: it ends now, or never begins');
  cancelling.action((id: string, { dryRun: isDryRun = false }: DryRunFlags) =>
    finish(withSession(cancelling, world, (session) => cancel(session, { id, isDryRun }))),
  );
}

async function list({ client, output }: Session, { queue, site, state }: ListFlags): Promise<ExitCode> {
  const filter = {
    ...(queue.length > 0 ? { queues: [...queue] } : {}),
    ...(site.length > 0 ? { sites: [...site] } : {}),
    ...(state.length > 0 ? { states: [...state] } : {}),
  };
  const found = await pagesUpTo(
    maxListed,
    async (first, after) => (await client.query(CliDowntimesDocument, { filter, first, after })).downtimes,
  );
  if (output.json) printJson(output, found);
  else printDowntimes(output, found);
  return exitCodes.ok;
}

async function add(
  { client, output }: Session,
  queue: string | undefined,
  { site, from: startsAt, to: endsAt, reason, dryRun: isDryRun = false }: AddFlags,
): Promise<ExitCode> {
  if ((queue === undefined) === (site === undefined))
    throw new CliError(exitCodes.usage, 'name either a queue or, with --site, a site');
  const target = queue === undefined ? { site: site ?? '' } : { queue };
  const input = { target, startsAt, endsAt, reason, isDryRun, idempotencyKey: randomUUID() };
  const { declareDowntime } = await client.mutate(
    CliDeclareDowntimeDocument,
    { input },
    { idempotent: true },
  );
  return printDowntime(output, declareDowntime, isDryRun);
}

async function change(
  { client, output }: Session,
  id: string,
  { from: startsAt, to: endsAt, reason, dryRun: isDryRun = false }: WindowFlags & DryRunFlags,
): Promise<ExitCode> {
  const window = {
    ...(startsAt === undefined ? {} : { startsAt }),
    ...(endsAt === undefined ? {} : { endsAt }),
    ...(reason === undefined ? {} : { reason }),
  };
  const input = { id, ...window, isDryRun };
  const { changeDowntime } = await client.mutate(CliChangeDowntimeDocument, { input }, { idempotent: true });
  return printDowntime(output, changeDowntime, isDryRun);
}

async function cancel(
  { client, output }: Session,
  input: { readonly id: string; readonly isDryRun: boolean },
): Promise<ExitCode> {
  const { cancelDowntime } = await client.mutate(CliCancelDowntimeDocument, { input }, { idempotent: true });
  return printDowntime(output, cancelDowntime, input.isDryRun);
}

async function importList(
  { client, output, cwd }: Session,
  source: string,
  { file, dryRun: isDryRun = false }: ImportFlags,
): Promise<ExitCode> {
  const { downtimes } = readYamlFile(file, cwd, listFile, 'list of downtimes');
  const entries = downtimes.map(({ id: sourceId, queue, site, from, to, reason }) => ({
    ...{ sourceId, reason, startsAt: new Date(from).toISOString(), endsAt: new Date(to).toISOString() },
    target: queue === undefined ? { site: site ?? '' } : { queue },
  }));
  const input = { source, downtimes: entries, isDryRun };
  const { importDowntimes } = await client.mutate(
    CliImportDowntimesDocument,
    { input },
    { idempotent: true },
  );
  const { created, changed, cancelled, unchangedCount, userErrors } = importDowntimes;
  printErrors(output, userErrors);
  if (userErrors.length > 0) return exitCodes.failed;
  if (output.json) printJson(output, { created, changed, cancelled, unchangedCount });
  else {
    const would = isDryRun ? 'would be ' : '';
    const counts = `${created.length} ${would}new, ${changed.length} ${would}changed, ${cancelled.length} ${would}cancelled, ${unchangedCount} unchanged`;
    printLine(output, counts);
    printDowntimes(output, [...created, ...changed, ...cancelled]);
  }
  return exitCodes.ok;
}

interface ChangedDowntime {
  readonly downtime: CliDowntimeFragment | null;
  readonly queues: readonly { readonly name: string }[];
  readonly userErrors: readonly MutationError[];
}

function printDowntime(
  output: Output,
  { downtime, queues, userErrors }: ChangedDowntime,
  isDryRun: boolean,
): ExitCode {
  const names = queues.map(({ name }) => name);
  const changed = downtime && { ...downtime, queues: names };
  return printChange(output, changed, userErrors, ({ id, state, startsAt, endsAt }) => {
    const count = `${names.length} ${names.length === 1 ? 'queue' : 'queues'}`;
    return `${isDryRun ? 'dry run' : id}  ${state}  ${startsAt} to ${endsAt}\n${count}: ${names.join(' ')}`;
  });
}

function printDowntimes(output: Output, downtimes: readonly CliDowntimeFragment[]): void {
  if (downtimes.length === 0) return;
  printTable(
    output,
    ['ID', 'STATE', 'DOWN', 'FROM', 'TO', 'SOURCE', 'REASON'],
    downtimes.map(({ id, state, queue, site, startsAt, endsAt, source, reason }) => [
      ...[id, state, queue?.name ?? `site ${site?.name}`, startsAt, endsAt, source ?? '', reason],
    ]),
  );
}
