/** `rhizome queues` and `rhizome workers`. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import { type Finish, collectOneOf, pagesUpTo } from '../../flags/flags.js';
import {
  CliQueuesDocument,
  CliWorkersDocument,
  type QueueState,
  type WorkerState,
} from '../../operations.generated.js';
import { ago, printJson, printTable } from '../../output.js';
import { queueStates, workerStates } from '../../states.js';
import { healthText } from './canary-fields.js';

const most = 10_000;

interface QueueFlags {
  readonly site?: string;
  readonly state: readonly QueueState[];
}

interface WorkerFlags {
  readonly queue?: string;
  readonly state: readonly WorkerState[];
}

/** Adds `queues`. */
export function addQueues(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('queues')
    .description('list queues')
    .option('--site <name>', 'only this site')
    .option('-s, --state <state>', 'only this state; may be repeated', collectOneOf(queueStates), []);
  command.action((flags: QueueFlags) =>
    finish(withSession(command, world, (session) => queues(session, flags))),
  );
}

/** Adds `workers`. */
export function addWorkers(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('workers')
    .description('list workers (default: live ones)')
    .option('-q, --queue <name>', 'only this queue')
    .option('-s, --state <state>', 'only this state; may be repeated', collectOneOf(workerStates), []);
  command.action((flags: WorkerFlags) =>
    finish(withSession(command, world, (session) => workers(session, flags))),
  );
}

async function queues({ client, output }: Session, { site, state }: QueueFlags): Promise<ExitCode> {
  const filter = {
    ...(site ? { sites: [site] } : {}),
    ...(state.length > 0 ? { states: [...state] } : {}),
  };
  const found = await pagesUpTo(
    most,
    async (first, after) => (await client.query(CliQueuesDocument, { filter, first, after })).queues,
  );
  if (output.json) printJson(output, found);
  else {
    const rows = found.map((queue) => [
      queue.name,
      queue.site.name,
      queue.state,
      queue.executor,
      queue.experiments.map(({ name }) => name).join(',') || 'all',
      healthText(queue.canary !== null, queue.health),
      queue.stateReason ?? '',
    ]);
    printTable(output, ['QUEUE', 'SITE', 'STATE', 'EXECUTOR', 'EXPERIMENTS', 'HEALTH', 'REASON'], rows);
  }
  return exitCodes.ok;
}

async function workers({ client, output, now }: Session, { queue, state }: WorkerFlags): Promise<ExitCode> {
  const filter = {
    ...(queue ? { queues: [queue] } : {}),
    ...(state.length > 0 ? { states: [...state] } : {}),
  };
  const found = await pagesUpTo(
    most,
    async (first, after) => (await client.query(CliWorkersDocument, { filter, first, after })).workers,
  );
  if (output.json) printJson(output, found);
  else {
    const rows = found.map((worker) => [
      worker.name,
      worker.queue.name,
      worker.host,
      worker.state,
      `${worker.free.cores}/${worker.hardware.cores}`,
      `${worker.free.memoryMiB}/${worker.hardware.memoryMiB}`,
      worker.hardware.architectureLevel ?? worker.hardware.architecture,
      ago(worker.lastSeenAt, now()),
    ]);
    printTable(output, ['WORKER', 'QUEUE', 'HOST', 'STATE', 'CORES FREE', 'MIB FREE', 'CPU', 'SEEN'], rows);
  }
  return exitCodes.ok;
}
