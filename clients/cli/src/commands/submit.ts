/** `rhizome submit`: one job or a task of equal jobs by flags, or one task from a YAML file. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../command.js';
import { type JobContinuityFlags, jobContinuityOf, withJobContinuity } from '../flags/continuity-flags.js';
import { type ExitCode, CliError, exitCodes } from '../exit-codes.js';
import { type Finish, type Pair, collect, collectPairs, givenFlags, wholeNumber } from '../flags/flags.js';
import { type DatasetFlags, datasetOf, withDataset } from '../flags/dataset-flags.js';
import { collectGpu, type GpuFlags, gpuRequirementOf } from '../flags/gpu-requirement.js';
import {
  CliSubmitJobsDocument,
  CliSubmitTaskDocument,
  type JobInput,
  type JobPreferenceInput,
  type JobSecretInput,
  type SubmitTaskInput,
} from '../operations.generated.js';
import { type NoticeFlags, noticeOf, withNotice } from './notice-flags.js';
import { printLine, printJson } from '../output.js';
import { collectPreference } from '../flags/preference-flags.js';
import { type SizeFlags, sizeOf, withSize } from '../flags/size-flags.js';
import { readTaskFile } from '../task-file.js';
import { watchJob, watchTask } from './watch.js';

/** Flags of one job. */
export interface JobFlags extends JobContinuityFlags, NoticeFlags, SizeFlags {
  readonly experiment?: string;
  readonly name?: string;
  readonly share?: string;
  readonly priority?: number;
  readonly label: readonly Pair[];
  readonly gpus?: number;
  readonly gpu?: GpuFlags;
  readonly queue?: string;
  readonly selector?: string;
  readonly preemptible?: boolean;
  readonly prefer: readonly JobPreferenceInput[];
  readonly env: readonly Pair[];
  readonly secretVariable: readonly JobSecretInput[];
  readonly secretFile: readonly JobSecretInput[];
  readonly jobToken?: boolean;
  readonly output: readonly string[];
  readonly outputDataset: readonly Pair[];
  readonly keepOnFailure: readonly string[];
  readonly after: readonly string[];
  readonly attempts?: number;
  readonly image?: string;
  readonly key?: string;
}

interface SubmitFlags extends DatasetFlags, JobFlags {
  readonly file?: string;
  readonly count?: number;
  readonly scouts?: number;
  readonly maxFailed?: number;
  readonly maxRunning?: number;
  readonly watch?: boolean;
}

/** Adds the command. */
export function addSubmit(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('submit')
    .description(
      'submit a job (rhizome submit -e EXPERIMENT [flags] -- COMMAND [ARGUMENT…]) or a task (rhizome submit -f task.yaml)',
    )
    .argument('[command...]', 'command and its arguments')
    .option('-f, --file <file>', 'YAML file of one task')
    .option(
      '-c, --count <n>',
      'number of identical jobs to submit as one task; {{index}} is replaced in arguments',
      wholeNumber(1, 1_000_000),
    )
    .option(
      '--scouts <n>',
      'with --count or --dataset: number of jobs that run first; the requirements of the others follow from their use',
      wholeNumber(1, 1000),
    )
    .option(
      '--max-failed <n>',
      'with --count or --dataset: more failed jobs than this pause the task',
      wholeNumber(0, 1_000_000),
    )
    .option(
      '--max-running <n>',
      'with --count or --dataset: run at most this number of jobs at a time',
      wholeNumber(1, 1_000_000),
    );
  withDataset(withJob(command)).option('-w, --watch', 'watch until the end');
  command.action((words: readonly string[], flags: SubmitFlags) =>
    finish(withSession(command, world, (session) => submit(session, words, flags))),
  );
}

/** Adds the flags of one job. */
export function withJob(command: Command): Command {
  command
    .option('-e, --experiment <name>', 'experiment of the job')
    .option('--name <name>', 'name of the job (default: the command)')
    .option('--share <path>', 'share to charge')
    .option('--priority <n>', 'priority from -1000 to 1000; larger runs earlier', wholeNumber(-1000, 1000))
    .option('-l, --label <key=value>', 'label; may be repeated', collectPairs, []);
  addRequirements(command);
  command
    .option('--env <name=value>', 'environment variable; may be repeated', collectPairs, [])
    .option(
      '--secret-variable <name[=variable]>',
      'secret of yours, or of the experiment as experiment/NAME, that the job gets as a variable; may be repeated',
      collectSecrets('VARIABLE'),
      [],
    )
    .option(
      '--secret-file <name[=file]>',
      'the same as a file in the folder RHIZOME_SECRETS; may be repeated',
      collectSecrets('FILE'),
      [],
    )
    .option('--job-token', 'give the job a token that reads the job itself (RHIZOME_JOB_TOKEN)')
    .option(
      '-o, --output <name>',
      'file (hist.txt), folder (plots/) or pattern (plots/*.png) that the job writes to its output folder; may be repeated',
      collect,
      [],
    )
    .option(
      '--keep-on-failure <name>',
      'one of the outputs whose files are stored if an attempt fails, too; may be repeated',
      collect,
      [],
    )
    .option(
      '--output-dataset <output=dataset>',
      'dataset, by its id, that an output is added to; may be repeated',
      collectPairs,
      [],
    )
    .option('--after <job>', 'wait until this job has FINISHED; may be repeated', collect, [])
    .option('--attempts <n>', 'largest number of attempts, 1 to 20', wholeNumber(1, 20));
  return withNotice(withJobContinuity(command))
    .option('--image <image>', 'container image')
    .option('--key <key>', 'idempotency key: the same key never submits twice');
}

/** Requirements of the job. */
function addRequirements(command: Command): void {
  withSize(command)
    .option('--gpus <n>', 'number of GPUs on one host (default with --gpu: 1)', wholeNumber(1, 64))
    .option(
      '--gpu <name=value>',
      'requirement of each GPU, such as vendor=AMD, models=A100,H100, minMemoryMiB=40960, cudaRuntime=12.4, migProfile=1g.10gb; may be repeated',
      collectGpu,
    )
    .option('-q, --queue <name>', 'only this queue')
    .option('--selector <cel>', 'CEL expression over worker and queue')
    .option(
      '--prefer <[weight:]cel>',
      'CEL expression that the worker should meet, such as 3:worker.cpuVendor == "AMD"; may be repeated',
      collectPreference,
      [],
    )
    .option(
      '--preemptible',
      'core may end attempts of the job to free capacity for jobs of a higher priority class, in queues that allow it',
    );
}

async function submit(session: Session, words: readonly string[], flags: SubmitFlags): Promise<ExitCode> {
  const key = flags.key ?? randomUUID();
  if (flags.file) {
    refuseFlagsWithFile(words, flags);
    return submitTask(session, { ...readTaskFile(flags.file, session.cwd), idempotencyKey: key }, flags);
  }
  if (!flags.experiment)
    throw new CliError(exitCodes.usage, 'submit needs --experiment NAME, or a file with -f');
  const job = jobOf(words, flags);
  const dataset = datasetOf(flags);
  if (dataset && flags.count !== undefined)
    throw new CliError(exitCodes.usage, 'Give --count or --dataset, not both');
  const jobs = dataset ? { dataset } : flags.count === undefined ? undefined : { count: flags.count };
  if (jobs) {
    return submitTask(
      session,
      {
        experiment: flags.experiment,
        idempotencyKey: key,
        name: job.name,
        template: job,
        jobs,
        ...(flags.scouts === undefined ? {} : { scouts: { count: flags.scouts } }),
        ...(flags.maxFailed === undefined ? {} : { failureLimit: { maxFailedJobs: flags.maxFailed } }),
        ...(flags.maxRunning === undefined ? {} : { maxRunningJobs: flags.maxRunning }),
      },
      flags,
    );
  }
  if (flags.scouts !== undefined || flags.maxFailed !== undefined || flags.maxRunning !== undefined)
    throw new CliError(exitCodes.usage, '--scouts, --max-failed and --max-running need --count or --dataset');
  return submitJob(session, flags.experiment, key, job, flags);
}

/** Flags that may be used together with a file. */
const allowedWithFile = new Set<keyof SubmitFlags>(['file', 'key', 'watch']);

function refuseFlagsWithFile(words: readonly string[], flags: SubmitFlags): void {
  if (words.length > 0) throw new CliError(exitCodes.usage, 'Give a file or a command, not both');
  const names = Object.keys(flags) as (keyof SubmitFlags)[];
  const lost = givenFlags(
    flags,
    names.filter((name) => !allowedWithFile.has(name)),
  );
  if (lost.length === 0) return;
  throw new CliError(
    exitCodes.usage,
    `${lost.join(', ')} cannot be combined with --file; write the values into the file`,
  );
}

/** The job that words and flags describe. @throws CliError without a command */
export function jobOf([command, ...args]: readonly string[], flags: JobFlags): JobInput {
  if (command === undefined)
    throw new CliError(
      exitCodes.usage,
      'submit needs a command after --, as: rhizome submit -e EXPERIMENT -- echo hello',
    );
  const requirements = {
    ...sizeOf(flags),
    ...gpuOf(flags),
    ...(flags.queue === undefined ? {} : { queue: flags.queue }),
    ...(flags.selector === undefined ? {} : { selector: flags.selector }),
    ...(flags.preemptible === true && { isPreemptible: true }),
    ...(flags.prefer.length > 0 && { preferences: [...flags.prefer] }),
  };
  const continuity = jobContinuityOf(flags);
  const notice = noticeOf(flags);
  return {
    name: flags.name ?? command,
    requirements,
    payload: {
      command,
      arguments: args,
      environment: flags.env.map(({ key, value }) => ({ name: key, value })),
      outputs: [...flags.output],
      ...(flags.outputDataset.length > 0 && {
        outputDatasets: flags.outputDataset.map(({ key, value }) => ({ output: key, datasetId: value })),
      }),
      ...(flags.keepOnFailure.length > 0 && { keepOnFailure: [...flags.keepOnFailure] }),
      secrets: [...flags.secretVariable, ...flags.secretFile],
      ...(flags.jobToken === true && { isTokenRequired: true }),
      ...(flags.image === undefined ? {} : { image: flags.image }),
      ...(notice && { notice }),
    },
    labels: [...flags.label],
    dependsOn: [...flags.after],
    ...(flags.share === undefined ? {} : { share: flags.share }),
    ...(flags.priority === undefined ? {} : { priority: flags.priority }),
    ...(flags.attempts === undefined ? {} : { retry: { maxAttempts: flags.attempts } }),
    ...(continuity && { continuity }),
  };
}

/** A parser of a repeated flag that names secrets. */
function collectSecrets(as: NonNullable<JobSecretInput['as']>) {
  return (text: string, before: readonly JobSecretInput[]): readonly JobSecretInput[] => {
    const [, prefix, name = '', target] = /^(experiment\/)?([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
    const scope = prefix === undefined ? 'USER' : 'EXPERIMENT';
    return [...before, { name, scope, as, ...(target !== undefined && { target }) }];
  };
}

function gpuOf({ gpus, gpu }: JobFlags): Pick<NonNullable<JobInput['requirements']>, 'gpu'> {
  if (gpus === undefined) return gpu === undefined ? {} : { gpu: gpuRequirementOf(gpu) };
  if (gpu?.count !== undefined) throw new CliError(exitCodes.usage, 'Give --gpus or --gpu count=, not both');
  return { gpu: { ...gpuRequirementOf(gpu ?? {}), count: gpus } };
}

async function submitJob(
  session: Session,
  experiment: string,
  key: string,
  job: JobInput,
  flags: SubmitFlags,
): Promise<ExitCode> {
  const { client, output } = session;
  const input = { experiment, idempotencyKey: key, jobs: [job] };
  const { submitJobs } = await client.mutate(CliSubmitJobsDocument, { input }, { idempotent: true });
  printErrors(output, submitJobs.userErrors);
  const [submitted] = submitJobs.jobs;
  if (!submitted) return exitCodes.failed;
  if (output.json) printJson(output, submitted, flags.watch);
  else printLine(output, submitted.id);
  return flags.watch ? watchJob(session, submitted.id) : exitCodes.ok;
}

async function submitTask(session: Session, input: SubmitTaskInput, flags: SubmitFlags): Promise<ExitCode> {
  const { client, output } = session;
  const { submitTask: answer } = await client.mutate(CliSubmitTaskDocument, { input }, { idempotent: true });
  printErrors(output, answer.userErrors);
  if (!answer.task) return exitCodes.failed;
  if (output.json) printJson(output, answer.task, flags.watch);
  else printLine(output, answer.task.id);
  return flags.watch ? watchTask(session, answer.task.id) : exitCodes.ok;
}
