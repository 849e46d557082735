/** `rhizome why`: why a job waits or has failed, or why the jobs of a task wait. */
import { failedJobStates } from '@rhizome/client/states';
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import type { Finish } from '../flags/flags.js';
import {
  CliDiagnoseJobDocument,
  CliWhyDocument,
  type CliWhyQuery,
  CliWhyTaskDocument,
} from '../operations.generated.js';
import { type Output, printLine, printJson, printTable } from '../output.js';
import { placementOf, printPlacement } from './placement.js';
import { printDiagnosis } from './diagnosis/print-diagnosis.js';
import { printPreferences } from '../flags/preference-flags.js';
import { commandText } from './show.js';
import { changeText } from './task/change-text.js';

/** Adds the command. */
export function addWhy(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('why')
    .description('explain why a job waits or has failed, or why the jobs of a task wait')
    .argument('<id>', 'id of a job or task');
  command.action((id: string) =>
    finish(
      withSession(command, world, (session) =>
        id.startsWith('task_') ? whyTask(session, id) : why(session, id),
      ),
    ),
  );
}

async function whyTask({ client, output }: Session, id: string): Promise<ExitCode> {
  const { task } = await client.query(CliWhyTaskDocument, { id });
  if (!task) throw new CliError(exitCodes.notFound, `Task "${id}" not found, or you may not see it.`);
  if (output.json) printJson(output, task);
  else {
    printLine(output, `${task.name} is ${task.state}.`);
    if (task.control) printLine(output, `Command: ${commandText(task.control)}`);
    if (task.scouts) printLine(output, task.scouts.summary);
    for (const change of task.changes) printLine(output, `Change: ${changeText(change)}`);
  }
  return exitCodes.ok;
}

async function why({ client, output }: Session, id: string): Promise<ExitCode> {
  const { job } = await client.query(CliWhyDocument, { id });
  if (!job) throw new CliError(exitCodes.notFound, `Job "${id}" not found, or you may not see it.`);
  const placement = await placementOf(client, id);
  const diagnosis = failedStates.has(job.state) ? await diagnosisOf(client, id) : null;
  if (output.json) printJson(output, { ...job, placement, diagnosis });
  else {
    printJob(output, job, diagnosis !== null);
    if (diagnosis) printDiagnosis({ ...output, escapes: 'ALWAYS' }, diagnosis);
    printPlacement(output, placement);
  }
  return exitCodes.ok;
}

const failedStates: ReadonlySet<string> = new Set(failedJobStates);

async function diagnosisOf(client: Session['client'], id: string) {
  const { job } = await client.query(CliDiagnoseJobDocument, { id });
  return job?.diagnosis ?? null;
}

function printJob(output: Output, job: NonNullable<CliWhyQuery['job']>, isDiagnosed: boolean): void {
  printLine(output, `${job.name} is ${job.state}.`);
  const waiting = job.dependsOn.filter(({ state }) => state !== 'FINISHED');
  if (waiting.length > 0) {
    printTable(
      output,
      ['WAITS FOR', 'NAME', 'STATE'],
      waiting.map(({ id, name, state }) => [id, name, state]),
    );
  }
  printPreferences(output, job.requirements.preferences, job.attempts.slice(-1));
  if (job.pending) printPending(output, job.sharePath, job.pending);
  else if (!isDiagnosed) printLine(output, 'The job is no longer pending.');
}

type Pending = NonNullable<NonNullable<CliWhyQuery['job']>['pending']>;

function printPending(output: Output, share: string, pending: Pending): void {
  printLine(output, pending.summary);
  if (pending.workersConsidered > 0) printWorkers(output, pending);
  if (pending.preferences.length > 0) {
    printTable(
      output,
      ['PREFERENCE', 'WEIGHT', 'SHARE', 'WORKERS'],
      pending.preferences.map(({ expression, weight, share, workersThatMeet, isEstimated }) => [
        expression,
        String(weight),
        `${Math.round(share * 100)} %`,
        `${isEstimated ? 'about ' : ''}${workersThatMeet}/${pending.workersThatFit}`,
      ]),
    );
  }
  if (pending.relaxations.length > 0) {
    printTable(
      output,
      ['SUGGESTED CHANGE', 'QUEUES', 'WORKERS', 'DEVICES'],
      pending.relaxations.map(({ change, queuesGained, workersGained, devicesGained }) => [
        change,
        `+${queuesGained}`,
        `+${workersGained}`,
        `+${devicesGained}`,
      ]),
    );
  }
  const { position, isPositionEstimated } = pending;
  if (position === 0 && !isPositionEstimated) printLine(output, `It is the next job of share ${share}.`);
  else if (position !== null) {
    const about = isPositionEstimated ? 'About ' : '';
    printLine(output, `${about}${count(position, 'ready job', 'ready jobs')} of share ${share} before it.`);
  }
  if (pending.isShareBorrowing)
    printLine(output, `Share ${share} is over its nominal quota: other shares come first.`);
  printLine(output, waitOf(pending.wait));
}

/** Left out if there is no worker to look at, as on excluded hosts: all numbers would be zero. */
function printWorkers(output: Output, pending: Pending): void {
  if (pending.constraints.length > 0) printConstraints(output, pending);
  const { workersThatFit, workersFreeNow } = pending;
  printLine(
    output,
    `${count(workersThatFit, 'worker fits', 'workers fit')} when empty, ${workersFreeNow} now.`,
  );
}

/**
 * For each constraint: the workers that meet it alone, those that meet it and all constraints above it, and
 * why the others do not. The constraint that most workers fail is marked.
 */
function printConstraints(output: Output, pending: Pending): void {
  const { queuesConsidered, workersConsidered, devicesConsidered } = pending;
  printTable(
    output,
    ['', 'CONSTRAINT', 'QUEUES', 'WORKERS', 'DEVICES', 'TOGETHER', 'WHY NOT'],
    [
      ['', 'all', String(queuesConsidered), String(workersConsidered), String(devicesConsidered), '', ''],
      ...pending.constraints.map((one) => [
        one.constraint === pending.mostFailed ? '>' : '',
        one.constraint,
        String(one.queuesThatPass),
        String(one.workersThatPass),
        String(one.devicesThatPass),
        `${one.queuesTogether}/${one.workersTogether}/${one.devicesTogether}`,
        one.reasons.join('; '),
      ]),
    ],
  );
}

function waitOf({ kind, seconds, lowSeconds, highSeconds, basedOnGrants, reason }: Pending['wait']): string {
  if (kind !== 'ESTIMATED' || seconds === null) return `Expected waiting time: unknown; ${reason}`;
  const interval =
    lowSeconds === null || highSeconds === null
      ? ''
      : ` (${duration(lowSeconds)} to ${duration(highSeconds)} in eight of ten cases)`;
  return `Expected waiting time: ${duration(seconds)}${interval}, based on the last ${basedOnGrants} starts of similar jobs.`;
}

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function count(amount: number, one: string, several: string): string {
  return `${amount} ${amount === 1 ? one : several}`;
}
