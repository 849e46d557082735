/** `rhizome errors`: what fails, where, and since when. */
import { type Command, InvalidArgumentError } from 'commander';
import { type Session, type World, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, collectOneOf, type Finish, timeOf, wholeNumber } from '../../flags/flags.js';
import {
  CliErrorsDocument,
  type CliErrorsQuery,
  type ErrorFilter,
  type ErrorGrouping,
  type JobErrorFamily,
} from '../../operations.generated.js';
import { ago, type Output, printJson, printLine, printTable } from '../../output.js';
import { errorGroupings, jobErrorFamilies } from '../../states.js';

interface ErrorFlags {
  readonly since: Since;
  readonly until?: string;
  readonly by?: readonly ErrorGrouping[];
  readonly experiment: readonly string[];
  readonly site: readonly string[];
  readonly queue: readonly string[];
  readonly host: readonly string[];
  readonly task: readonly string[];
  readonly code: readonly string[];
  readonly family: readonly JobErrorFamily[];
  readonly exitCode: readonly number[];
  readonly image: readonly string[];
  readonly limit: number;
}

type Summary = CliErrorsQuery['errorSummary'];
type Group = Summary['groups'][number];

/** A time, or a number of seconds before the end of the interval. */
type Since = { readonly at: string } | { readonly seconds: number };

const unitSeconds: Readonly<Record<string, number>> = { h: 3600, d: 86_400 };

/** Adds the command. */
export function addErrors(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('errors')
    .description('count failures of jobs: what fails, where, since when, and what it costs')
    .option('--since <time>', 'start: 24h, 7d, or a time such as 2026-11-01T10:00Z', sinceOf, {
      seconds: 86_400,
    })
    .option('--until <time>', 'end, exclusive (default: now)', timeOf)
    .option(
      '--by <fields>',
      `groups, by up to 4 of ${errorGroupings.join(', ').toLowerCase()} (default: code,site; with --exit-code, --image or --task: code)`,
      fieldsOf,
    )
    .option('-e, --experiment <name>', 'only this experiment; may be repeated', collect, [])
    .option('--site <name>', 'only this site; may be repeated', collect, [])
    .option('-q, --queue <name>', 'only this queue; may be repeated', collect, [])
    .option('--host <name>', 'only this host; may be repeated', collect, [])
    .option('-t, --task <id>', 'only this task; may be repeated', collect, [])
    .option('--code <code>', 'only this code; may be repeated', collect, [])
    .option('--family <family>', 'only this family; may be repeated', collectOneOf(jobErrorFamilies), [])
    .option('--exit-code <n>', 'only this exit code; may be repeated', collectExitCodes, [])
    .option('--image <name>', 'only this container image; may be repeated', collect, [])
    .option('-n, --limit <n>', 'largest number of groups, 1 to 1000', wholeNumber(1, 1000), 20);
  command.action((flags: ErrorFlags) =>
    finish(withSession(command, world, (session) => errors(session, flags))),
  );
}

function sinceOf(text: string): Since {
  const [, count, unit = ''] = /^(\d{1,4})([hd])$/.exec(text) ?? [];
  return count === undefined ? { at: timeOf(text) } : { seconds: Number(count) * (unitSeconds[unit] ?? 1) };
}

const exitCodeOf = wholeNumber(0, 255);

function collectExitCodes(text: string, before: readonly number[]): readonly number[] {
  return [...before, exitCodeOf(text)];
}

function fieldsOf(text: string): readonly ErrorGrouping[] {
  return text.split(',').map((part) => {
    const wanted = part.trim().toUpperCase().replaceAll('-', '_');
    const found = errorGroupings.find((one) => one === wanted);
    if (found === undefined)
      throw new InvalidArgumentError(`Must be a list of ${errorGroupings.join(', ').toLowerCase()}.`);
    return found;
  });
}

async function errors({ client, output, now }: Session, flags: ErrorFlags): Promise<ExitCode> {
  const filter = filterOf(flags, now());
  const { host, task, exitCode, image, limit } = flags;
  const hasSites = [task, exitCode, image].every((values) => values.length === 0);
  const by = flags.by ?? (hasSites ? ['CODE', 'SITE'] : ['CODE']);
  // Codes that are new are known by site and queue, not by host or task.
  const withNew = hasSites && host.length === 0 && !by.some((one) => apart.has(one));
  const { errorSummary } = await client.query(CliErrorsDocument, { filter, by: [...by], limit, withNew });
  if (output.json) printJson(output, errorSummary);
  else print(output, errorSummary, by, now());
  return exitCodes.ok;
}

const apart: ReadonlySet<ErrorGrouping> = new Set<ErrorGrouping>(['HOST', 'TASK', 'IMAGE', 'EXIT_CODE']);

function filterOf(flags: ErrorFlags, now: number): ErrorFilter {
  const { since, until, experiment, site, queue, host, task, code, family, exitCode, image } = flags;
  const end = until === undefined ? now : Date.parse(until);
  const from = 'at' in since ? since.at : new Date(end - since.seconds * 1000).toISOString();
  const given = <T>(values: readonly T[]) => (values.length > 0 ? [...values] : null);
  return {
    from,
    before: until ?? null,
    experiments: given(experiment),
    sites: given(site),
    queues: given(queue),
    hosts: given(host),
    taskIds: given(task),
    codes: given(code),
    families: given(family),
    exitCodes: given(exitCode),
    images: given(image),
  };
}

const cellOf: Readonly<Record<ErrorGrouping, (group: Group) => string | number | null>> = {
  FAMILY: ({ family }) => family,
  CODE: ({ code }) => code,
  EXIT_CODE: ({ exitCode }) => exitCode,
  EXPERIMENT: ({ experimentName }) => experimentName,
  TASK: ({ taskId }) => taskId,
  QUEUE: ({ queueName }) => queueName,
  SITE: ({ site }) => site?.name ?? null,
  HOST: ({ host }) => host,
  IMAGE: ({ image }) => image,
  HOUR: ({ hour }) => hour,
};

function print(output: Output, summary: Summary, by: readonly ErrorGrouping[], now: number): void {
  const { count, groups, waste, newErrors = [], gaps } = summary;
  if (count === 0) printLine(output, 'No failures.');
  else printGroups(output, groups, by, now);
  for (const { experimentName, site, code, firstAt } of newErrors)
    printLine(
      output,
      `new: ${code} of ${experimentName} at ${site?.name ?? 'an unknown site'}, never before ${firstAt}`,
    );
  if (waste.length > 0) {
    printLine(output, '');
    const rows = waste.map((row) => [row.reason, String(row.count), ...hoursOf(row)]);
    printTable(output, ['LOST BY', 'ATTEMPTS', 'CORE HOURS', 'GPU HOURS'], rows);
  }
  for (const { from, to } of gaps)
    if (from < summary.before && to > summary.from) printLine(output, `not counted: ${from} to ${to}`);
}

function printGroups(
  output: Output,
  groups: readonly Group[],
  by: readonly ErrorGrouping[],
  now: number,
): void {
  const fields = by.map((one) => one.replace('_', ' '));
  printTable(
    output,
    [...fields, 'FAILED', 'CORE HOURS', 'GPU HOURS', 'LAST', 'JOB'],
    groups.map((group) => [
      ...by.map((one) => String(cellOf[one](group) ?? '')),
      String(group.count),
      ...hoursOf(group),
      ago(group.lastAt, now),
      group.sampleJobs[0]?.id ?? '',
    ]),
  );
}

function hoursOf(row: { readonly coreHours: number; readonly gpuHours: number }): readonly string[] {
  return [row.coreHours.toFixed(2), row.gpuHours.toFixed(2)];
}
