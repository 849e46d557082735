/** `rhizome queue`: creates queues, and changes their state, settings and downtimes. */
import { randomUUID } from 'node:crypto';
import { Argument, type Command, Option } from 'commander';
import { type Session, type World, printErrors, withSession } from '../../command.js';
import { type PolicyFlags, policyOf, withPolicy } from '../../flags/continuity-flags.js';
import type { ExitCode } from '../../exit-codes.js';
import {
  collect,
  collectPairs,
  type Finish,
  numberOr,
  type OptionalNumber,
  type Pair,
  wholeNumber,
} from '../../flags/flags.js';
import {
  CliCreateQueueDocument,
  CliSetQueueStateDocument,
  CliUpdateQueueDocument,
  type QueueExecutor,
  type QueueExperimentLimitsInput,
  type QueueIsolation,
  type QueueLimitsInput,
  type QueueState,
} from '../../operations.generated.js';
import { queueExecutors, queueIsolations, queueStates } from '../../states.js';
import { addCanary } from './canary.js';
import { addDowntime } from './downtime.js';
import { collectExperimentLimits } from './experiment-limits.js';
import { printQueue } from './queue-fields.js';

interface SettingFlags extends PolicyFlags {
  readonly experiment: readonly string[];
  readonly executor?: QueueExecutor;
  readonly label: readonly Pair[];
  readonly maxCores?: number;
  readonly maxMemory?: number;
  readonly maxWalltime?: number;
  readonly maxNotice?: number;
  readonly preemption?: OptionalNumber;
  readonly maxRunning?: number;
  readonly experimentLimit: readonly QueueExperimentLimitsInput[];
  readonly gpuSharing?: boolean;
  readonly isolation?: QueueIsolation;
  readonly heartbeat?: number;
  readonly lease?: number;
  readonly logInterval?: number;
}

interface CreateFlags extends SettingFlags {
  readonly site: string;
  readonly state?: QueueState;
}

interface UpdateFlags extends SettingFlags {
  readonly site?: string;
  readonly expectedRevision?: number;
}

/** Adds the commands. */
export function addQueue(program: Command, world: World, finish: Finish): void {
  const group = program
    .command('queue')
    .description('create queues, and change their state, settings and downtimes');
  const creating = withSettings(group.command('create').argument('<name>', 'unique name of the queue'))
    .description('create a queue')
    .requiredOption('--site <name>', 'site of the queue')
    .addOption(new Option('--state <state>', 'initial state (default: ONLINE)').choices(queueStates));
  creating.action((name: string, flags: CreateFlags) =>
    finish(withSession(creating, world, (session) => create(session, name, flags))),
  );
  const updating = withSettings(group.command('update').argument('<name>', 'name of the queue'))
    .description('change settings of a queue; others stay as they are')
    .option('--site <name>', 'new site of the queue')
    .option(
      '--expected-revision <n>',
      'refuse if the queue has another revision',
      wholeNumber(1, 2_147_483_647),
    );
  updating.action((name: string, flags: UpdateFlags) =>
    finish(withSession(updating, world, (session) => update(session, name, flags))),
  );
  const setting = group
    .command('set-state')
    .description('change the state of a queue')
    .argument('<name>', 'name of the queue')
    .addArgument(new Argument('<state>', 'new state').choices(queueStates))
    .requiredOption('--reason <text>', 'reason, shown with the queue');
  setting.action((name: string, state: QueueState, flags: { readonly reason: string }) =>
    finish(withSession(setting, world, (session) => setState(session, { name, state, ...flags }))),
  );
  addCanary(group, world, finish);
  addDowntime(group, world, finish);
}

function withSettings(command: Command): Command {
  const amount = wholeNumber(1, 2_147_483_647);
  return withPolicy(command)
    .option('-e, --experiment <name>', 'admit this experiment; may be repeated (default: all)', collect, [])
    .addOption(
      new Option('--executor <executor>', 'system by which the site starts workers').choices(queueExecutors),
    )
    .addOption(
      new Option('--isolation <isolation>', 'whether payloads must be isolated (default: NONE)').choices(
        queueIsolations,
      ),
    )
    .option('-l, --label <key=value>', 'label; may be repeated', collectPairs, [])
    .option('--max-cores <n>', 'largest number of cores of a job', amount)
    .option('--max-memory <MiB>', 'largest memory of a job', amount)
    .option('--max-walltime <seconds>', 'longest walltime of a job', amount)
    .option(
      '--max-notice <seconds>',
      'longest time between the notice that a payload receives and its end',
      amount,
    )
    .option(
      '--preemption <n>',
      'end at most this many preemptible jobs in a minute for jobs of a higher priority class; off for none',
      numberOr('off', 1, 1000),
    )
    .option('--max-running <n>', 'largest number of jobs that run at once', amount)
    .option(
      '--experiment-limit <limits>',
      'limits of an experiment, such as alpha:jobs=100,cores=400,gpus=8, or alpha:none; may be repeated',
      collectExperimentLimits,
      [],
    )
    .option('--gpu-sharing', 'let jobs with a share of a GPU use one device together')
    .option('--no-gpu-sharing', 'give each device to one job')
    .option('--heartbeat <seconds>', 'time between heartbeats of a worker', amount)
    .option('--lease <seconds>', 'time without a heartbeat after which contact with a worker is lost', amount)
    .option(
      '--log-interval <ms>',
      'longest time for which a worker collects output before it sends it',
      amount,
    );
}

function settingsOf(flags: SettingFlags) {
  const limits: QueueLimitsInput = {
    ...(flags.maxCores === undefined ? {} : { maxCores: flags.maxCores }),
    ...(flags.maxMemory === undefined ? {} : { maxMemoryMiB: flags.maxMemory }),
    ...(flags.maxWalltime === undefined ? {} : { maxWalltimeSeconds: flags.maxWalltime }),
    ...(flags.maxNotice === undefined ? {} : { maxNoticeSeconds: flags.maxNotice }),
    ...(flags.preemption && { maxPreemptionsPerMinute: flags.preemption.value }),
    ...(flags.maxRunning === undefined ? {} : { maxRunningJobs: flags.maxRunning }),
    ...(flags.gpuSharing === undefined ? {} : { isGpuSharingEnabled: flags.gpuSharing }),
    ...(flags.heartbeat === undefined ? {} : { heartbeatSeconds: flags.heartbeat }),
    ...(flags.lease === undefined ? {} : { leaseSeconds: flags.lease }),
    ...(flags.logInterval === undefined ? {} : { logIntervalMs: flags.logInterval }),
  };
  const continuity = policyOf(flags);
  return {
    ...(flags.experiment.length > 0 ? { experiments: [...flags.experiment] } : {}),
    ...(flags.executor === undefined ? {} : { executor: flags.executor }),
    ...(flags.isolation === undefined ? {} : { isolation: flags.isolation }),
    ...(flags.label.length > 0 ? { labels: [...flags.label] } : {}),
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    ...(flags.experimentLimit.length > 0 ? { experimentLimits: [...flags.experimentLimit] } : {}),
    ...(continuity && { continuity }),
  };
}

async function create({ client, output }: Session, name: string, flags: CreateFlags): Promise<ExitCode> {
  const input = {
    name,
    site: flags.site,
    ...settingsOf(flags),
    ...(flags.state === undefined ? {} : { state: flags.state }),
    idempotencyKey: randomUUID(),
  };
  const { createQueue } = await client.mutate(CliCreateQueueDocument, { input }, { idempotent: true });
  printErrors(output, createQueue.userErrors);
  return printQueue(output, createQueue.queue);
}

async function update({ client, output }: Session, name: string, flags: UpdateFlags): Promise<ExitCode> {
  const input = {
    name,
    ...(flags.site === undefined ? {} : { site: flags.site }),
    ...settingsOf(flags),
    ...(flags.expectedRevision === undefined ? {} : { expectedRevision: flags.expectedRevision }),
  };
  const { updateQueue } = await client.mutate(
    CliUpdateQueueDocument,
    { input },
    // Repeated with a revision, a change that was made would be refused.
    { idempotent: flags.expectedRevision === undefined },
  );
  printErrors(output, updateQueue.userErrors);
  return printQueue(output, updateQueue.queue);
}

async function setState(
  { client, output }: Session,
  input: { readonly name: string; readonly state: QueueState; readonly reason: string },
): Promise<ExitCode> {
  const { setQueueState } = await client.mutate(CliSetQueueStateDocument, { input }, { idempotent: true });
  printErrors(output, setQueueState.userErrors);
  return printQueue(output, setQueueState.queue);
}
