/** `rhizome list`: jobs or tasks that match a filter. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { type Finish, collectOneOf, givenFlags, oneOf, pagesUpTo, wholeNumber } from '../flags/flags.js';
import { addJobFilter, type JobFilterFlags, jobFilterOf } from '../job-filter.js';
import {
  CliListJobsDocument,
  CliListTasksDocument,
  type JobErrorFamily,
  type JobFilter,
} from '../operations.generated.js';
import { ago, printJson, printTable } from '../output.js';
import { jobErrorFamilies, jobStates, taskStates } from '../states.js';

interface ListFlags extends JobFilterFlags {
  readonly tasks?: boolean;
  readonly state: readonly string[];
  readonly family?: JobErrorFamily;
  readonly code?: string;
  readonly exitCode?: number;
  readonly site?: string;
  readonly host?: string;
  readonly image?: string;
  readonly text?: string;
  readonly oldest?: boolean;
  readonly limit: number;
}

/** Adds the command. */
export function addList(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('list')
    .alias('ls')
    .description('list jobs, newest first')
    .option('--tasks', 'list tasks instead');
  addJobFilter(command, 'only jobs')
    .option(
      '-s, --state <state>',
      'only this state; may be repeated',
      collectOneOf([...new Set([...jobStates, ...taskStates])]),
      [],
    )
    .option('--family <family>', 'only jobs with an error of this family', oneOf(jobErrorFamilies))
    .option('--code <code>', 'only jobs with an error of this code')
    .option('--exit-code <n>', 'only jobs with this exit code', wholeNumber(0, 255))
    .option('--site <name>', 'only jobs with an attempt at this site')
    .option('--host <name>', 'only jobs with an attempt on this host')
    .option('--image <name>', 'only jobs with this container image')
    .option('--text <text>', 'only jobs with this text in their name or in the message of an error')
    .option('--oldest', 'list the oldest first')
    .option('-n, --limit <n>', 'largest number of rows, 1 to 10000', wholeNumber(1, 10_000), 20);
  command.action((flags: ListFlags) =>
    finish(
      withSession(command, world, (session) =>
        flags.tasks ? listTasks(session, flags) : listJobs(session, flags),
      ),
    ),
  );
}

async function listJobs({ client, output, now }: Session, flags: ListFlags) {
  const filter = {
    ...jobFilterOf(flags),
    ...searchOf(flags),
    ...(flags.state.length > 0 ? { states: ofKind('jobs', flags.state, jobStates) } : {}),
  };
  const order = flags.oldest ? 'OLDEST' : 'NEWEST';
  const jobs = await pagesUpTo(
    flags.limit,
    async (first, after) => (await client.query(CliListJobsDocument, { filter, order, first, after })).jobs,
  );
  if (output.json) printJson(output, jobs);
  else {
    const rows = jobs.map((job) => [
      job.id,
      job.experiment.name,
      job.name,
      job.state,
      String(job.attempt),
      job.exitCode === null ? '' : String(job.exitCode),
      job.queue?.name ?? '',
      ago(job.updatedAt, now()),
    ]);
    printTable(output, ['JOB', 'EXPERIMENT', 'NAME', 'STATE', 'ATTEMPT', 'EXIT', 'QUEUE', 'CHANGED'], rows);
  }
  return exitCodes.ok;
}

/** Conditions on attempts, which must be met by the same one, and on what a job runs. */
function searchOf({ family, code, exitCode, site, host, image, text }: ListFlags): JobFilter {
  const attempts = {
    ...(family === undefined ? {} : { errorFamilies: [family] }),
    ...(code === undefined ? {} : { errorCodes: [code] }),
    ...(exitCode === undefined ? {} : { exitCodes: [exitCode] }),
    ...(site === undefined ? {} : { sites: [site] }),
    ...(host === undefined ? {} : { hosts: [host] }),
  };
  return {
    ...(Object.keys(attempts).length > 0 ? { attempts } : {}),
    ...(image === undefined ? {} : { images: [image] }),
    ...(text === undefined ? {} : { text }),
  };
}

/** Flags of jobs that tasks have no filter for. */
const flagsOfJobs = [
  'task',
  'queue',
  'share',
  'label',
  'family',
  'code',
  'exitCode',
  'site',
  'host',
  'image',
  'text',
  'oldest',
] as const;

async function listTasks({ client, output, now }: Session, flags: ListFlags) {
  const given = givenFlags(flags, flagsOfJobs);
  if (given.length > 0) throw new CliError(exitCodes.usage, `Tasks cannot be listed by ${given.join(', ')}.`);
  const filter = {
    ...(flags.experiment.length > 0 ? { experiments: [...flags.experiment] } : {}),
    ...(flags.state.length > 0 ? { states: ofKind('tasks', flags.state, taskStates) } : {}),
    ...(flags.owner ? { owners: [flags.owner] } : {}),
  };
  const tasks = await pagesUpTo(
    flags.limit,
    async (first, after) => (await client.query(CliListTasksDocument, { filter, first, after })).tasks,
  );
  if (output.json) printJson(output, tasks);
  else {
    const rows = tasks.map((task) => [
      task.id,
      task.experiment.name,
      task.name,
      task.state,
      `${Math.round(task.progress.finishedFraction * 100)} %`,
      String(task.progress.totalJobs),
      ago(task.createdAt, now()),
    ]);
    printTable(output, ['TASK', 'EXPERIMENT', 'NAME', 'STATE', 'FINISHED', 'JOBS', 'AGE'], rows);
  }
  return exitCodes.ok;
}

function ofKind<T extends string>(kind: string, given: readonly string[], words: readonly T[]): T[] {
  const wrong = given.find((state) => !(words as readonly string[]).includes(state));
  if (wrong === undefined) return given as T[];
  throw new CliError(
    exitCodes.usage,
    `state: ${wrong} is not a state of ${kind}; must be one of ${words.join(', ')}`,
  );
}
