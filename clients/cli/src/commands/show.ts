/** `rhizome show`: everything about a job, or a task's progress. */
import type { Command } from 'commander';
import { printPreferences } from '../flags/preference-flags.js';
import { type Session, type World, withSession } from '../command.js';
import { continuityText } from '../flags/continuity-flags.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import { gpuText } from '../flags/gpu-requirement.js';
import type { Finish } from '../flags/flags.js';
import { noticeText } from './notice-flags.js';
import { percent, progressText } from './job-progress.js';
import {
  CliShowJobDocument,
  type CliShowJobQuery,
  CliShowTaskDocument,
  type CliShowTaskQuery,
} from '../operations.generated.js';
import { type Output, bar, bytes, printLine, printFields, printJson, printTable } from '../output.js';
import { printScoutResult } from './task/scout-result.js';
import { changeText } from './task/change-text.js';

/** Adds the command. */
export function addShow(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('show')
    .description('show a job or a task')
    .argument('<id>', 'id of a job or a task');
  command.action((id: string) =>
    finish(
      withSession(command, world, (session) =>
        id.startsWith('task_') ? showTask(session, id) : showJob(session, id),
      ),
    ),
  );
}

async function showJob({ client, output }: Session, id: string): Promise<ExitCode> {
  const { job } = await client.query(CliShowJobDocument, { id });
  if (!job) throw new CliError(exitCodes.notFound, `Job "${id}" not found, or you may not see it.`);
  if (output.json) printJson(output, job);
  else printJob({ ...output, escapes: 'ALWAYS' }, job);
  return exitCodes.ok;
}

type Job = NonNullable<CliShowJobQuery['job']>;

function printJob(output: Output, job: Job): void {
  const { requirements, payload, metrics } = job;
  printFields(output, [
    ['job', job.id],
    ['name', job.name],
    ['experiment', job.experiment.name],
    ['task', job.task && `${job.task.id} [${job.taskIndex}]`],
    ['owner', job.owner.subject],
    ['share', job.sharePath],
    ['priority', job.priority],
    ['state', job.state],
    ['hold', job.hold && `by ${job.hold.by.subject} since ${job.hold.at}: ${job.hold.reason}`],
    ['not before', job.notBefore],
    ['progress', job.progress && progressText(job.progress)],
    ['exit code', job.exitCode],
    ['error', job.error && `${job.error.family} ${job.error.code}: ${job.error.message}`],
    ['labels', job.labels.map(({ key, value }) => `${key}=${value}`).join(' ')],
    [
      'requirements',
      `${requirements.cores} cores, ${requirements.memoryMiB} MiB memory, ${requirements.diskMiB} MiB disk, ${requirements.walltimeSeconds} s`,
    ],
    ['gpus', requirements.gpu && gpuText(requirements.gpu)],
    ['selector', requirements.selector],
    [
      'preferences',
      requirements.preferences.map(({ expression, weight }) => `${weight}: ${expression}`).join('; '),
    ],
    ['preemptible', requirements.isPreemptible ? 'yes' : null],
    ['without contact', continuityText(job.continuity)],
    ['notice', payload.notice && noticeText(payload.notice)],
    ['command', [payload.command, ...payload.arguments].join(' ')],
    ['image', payload.image],
    ['used', metrics && usage(metrics)],
    ['retry of', job.retryOf?.id],
    ['submitted', job.createdAt],
  ]);
  if (job.dependsOn.length > 0) {
    printLine(output, '');
    printTable(
      output,
      ['PARENT', 'NAME', 'STATE'],
      job.dependsOn.map(({ id, name, state }) => [id, name, state]),
    );
  }
  printAttempts(output, job);
  if (job.checkpoints.length > 0) {
    printLine(output, '');
    printTable(
      output,
      ['CHECKPOINT', 'MADE', 'ATTEMPT', 'PROGRESS', 'SIZE', 'FILES'],
      job.checkpoints.map(({ step, madeAt, attempt, fraction, sizeBytes, files }) => [
        step === null ? '' : `step ${step}`,
        madeAt,
        String(attempt),
        fraction === null ? '' : percent(fraction),
        bytes(sizeBytes),
        files.map(({ name }) => name).join(' '),
      ]),
    );
  }
  if (job.outputs.length > 0) {
    printLine(output, '');
    printTable(
      output,
      ['OUTPUT', 'SIZE', 'LOCATION'],
      job.outputs.map(({ name, sizeBytes, location }) => [name, bytes(sizeBytes), location]),
    );
  }
  printLine(output, '');
  printTable(
    output,
    ['WHEN', 'FROM', 'TO', 'BY', 'WHY'],
    job.transitions.map(({ at, from, to, actor, reason }) => [at, from, to, actor.subject, reason ?? '']),
  );
}

function usage(metrics: NonNullable<Job['metrics']>): string {
  const partial = metrics.isPartial ? ' (partial: too short to measure fully)' : '';
  const seconds = (value: number | null) => (value === null ? '?' : Number(value.toFixed(3)));
  return `${seconds(metrics.cpuSeconds)} s CPU in ${seconds(metrics.wallSeconds)} s, ${metrics.peakMemoryMiB ?? '?'} MiB, read ${bytes(metrics.readBytes)}, written ${bytes(metrics.writeBytes)}, scratch ${metrics.peakDiskMiB ?? '?'} MiB${partial}`;
}

const memoryLimitTexts = { CONTROL_GROUP_V2: 'cgroup v2', SAMPLES: 'samples' } as const;

function memoryLimitText(method: Job['attempts'][number]['memoryLimit']): string {
  return method === null ? '' : memoryLimitTexts[method];
}

function printAttempts(output: Output, { attempts, requirements }: Job): void {
  if (attempts.length === 0) return;
  printLine(output, '');
  const rows = attempts.map((attempt) => [
    String(attempt.number),
    attempt.worker?.name ?? '',
    attempt.worker?.host ?? '',
    attempt.sentAt,
    attempt.endedAt ?? '',
    attempt.outcome ?? '',
    attempt.exitCode === null ? (attempt.signal ?? '') : String(attempt.exitCode),
    memoryLimitText(attempt.memoryLimit),
    attempt.error?.message ?? '',
  ]);
  printTable(
    output,
    ['ATTEMPT', 'WORKER', 'HOST', 'SENT', 'ENDED', 'OUTCOME', 'EXIT', 'MEMORY LIMIT', 'ERROR'],
    rows,
  );
  printPreferences(output, requirements.preferences, attempts);
  const decided = attempts.flatMap(({ number, decision }) => (decision ? [{ number, ...decision }] : []));
  if (decided.length === 0) return;
  printLine(output, '');
  printTable(
    output,
    ['ATTEMPT', 'DECISION', 'CHANGES', 'WHY'],
    decided.map(({ number, outcome, changes, reason, evidence, effects }) => [
      String(number),
      outcome,
      changes.map(({ field, before, after }) => `${field} ${before} to ${after}`).join(', '),
      [
        reason,
        ...evidence.map(({ criterion, value }) => `${criterion}: ${value}`),
        ...effects.map(
          (effect) =>
            `rule "${effect.rule}": ${effect.kind.toLowerCase().replaceAll('_', ' ')} ${effect.target}`,
        ),
      ].join('; '),
    ]),
  );
}

/** One line about a command to a task. */
export function commandText({ action, by, at, reason }: TaskCommand): string {
  return `${action.toLowerCase()} by ${by.subject} since ${at}${reason === null ? '' : `: ${reason}`}`;
}

function failureLimitText({ action, maxFailedJobs, maxFailedFraction, minEndedJobs }: FailureLimit): string {
  const limits = [
    ...(maxFailedJobs === null ? [] : [`more than ${maxFailedJobs} failed jobs`]),
    ...(maxFailedFraction === null
      ? []
      : [`more than ${maxFailedFraction * 100} % of at least ${minEndedJobs} ended jobs failed`]),
  ];
  return `${action.toLowerCase()} at ${limits.join(', or ')}`;
}

type FailureLimit = NonNullable<NonNullable<CliShowTaskQuery['task']>['failureLimit']>;

type TaskDataset = NonNullable<NonNullable<CliShowTaskQuery['task']>['dataset']>;
type TaskCommand = NonNullable<NonNullable<CliShowTaskQuery['task']>['control']>;

async function showTask({ client, output }: Session, id: string): Promise<ExitCode> {
  const { task } = await client.query(CliShowTaskDocument, { id });
  if (!task) throw new CliError(exitCodes.notFound, `Task "${id}" not found, or you may not see it.`);
  if (output.json) {
    printJson(output, task);
    return exitCodes.ok;
  }
  const { progress } = task;
  printFields({ ...output, escapes: 'ALWAYS' }, [
    ['task', task.id],
    ['name', task.name],
    ['experiment', task.experiment.name],
    ['owner', task.owner.subject],
    ['state', task.state],
    ['command', task.control && commandText(task.control)],
    ['dataset', task.dataset && datasetText(task.dataset)],
    ['waits for', task.dataset?.awaited?.summary],
    ['failure limit', task.failureLimit && failureLimitText(task.failureLimit)],
    ['running limit', task.maxRunningJobs],
    ['scouts', task.scouts?.summary],
    ...task.changes.map((change) => ['change', changeText(change)] as const),
    ['created', `${progress.createdJobs} of ${progress.totalJobs} jobs`],
    ['ended', `${bar(progress.endedFraction, 24)} ${Math.round(progress.endedFraction * 100)} %`],
    ['jobs', progress.counts.map(({ state, count }) => `${state.toLowerCase()} ${count}`).join(', ')],
    ['submitted', task.createdAt],
    ['ended at', task.endedAt],
  ]);
  if (task.scouts?.result) {
    printLine(output, '');
    printScoutResult(output, task.scouts.result);
  }
  return exitCodes.ok;
}

function datasetText({ datasetId, by, perJob, fileCount }: TaskDataset): string {
  return `${datasetId}, ${fileCount} files by ${by}${perJob === null ? '' : `=${perJob}`}`;
}
