/** `rhizome worker`: drains workers, and reports the end of those that cannot report it. */
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type Finish, pagesUpTo } from '../../flags/flags.js';
import {
  CliDrainWorkerDocument,
  CliEndBatchJobsDocument,
  type CliEndedWorkerFragment,
  CliEndWorkerDocument,
  type CliWorkersQuery,
  CliWorkersDocument,
} from '../../operations.generated.js';
import { printJson, printLine } from '../../output.js';

interface DrainFlags {
  readonly queue?: string;
  readonly reason?: string;
}

interface EndFlags extends DrainFlags {
  readonly batchJob: readonly string[];
}

type Worker = CliWorkersQuery['workers']['nodes'][number];

/** Most live workers that are searched for a name. */
const maxWorkers = 100_000;

/** Adds the commands. */
export function addWorker(program: Command, world: World, finish: Finish): void {
  const group = program.command('worker').description('manage workers');
  const draining = group
    .command('drain')
    .description('drain workers: they take no more jobs and end once their jobs have ended')
    .argument('<worker...>', 'worker ids, or names of live workers')
    .option('-q, --queue <name>', 'queue of the named workers')
    .option('--reason <text>', 'reason, shown with the worker');
  draining.action((workers: readonly string[], flags: DrainFlags) =>
    finish(withSession(draining, world, (session) => drain(session, workers, flags))),
  );
  const ending = group
    .command('end')
    .description('report that workers have ended: their jobs go to other workers at once')
    .argument('[worker...]', 'worker ids, or names of live workers')
    .option('-q, --queue <name>', 'queue of the named workers, or of the batch jobs')
    .option('--batch-job <id>', 'all workers of this batch job of the queue; may be repeated', collect, [])
    .option('--reason <text>', 'reason, shown with the worker');
  ending.action((workers: readonly string[], flags: EndFlags) =>
    finish(withSession(ending, world, (session) => end(session, workers, flags))),
  );
}

async function drain(session: Session, given: readonly string[], flags: DrainFlags): Promise<ExitCode> {
  const { client, output } = session;
  const ids = await idsOf(session, given, flags.queue);
  const drained = [];
  for (const workerId of ids) {
    const input = { workerId, ...(flags.reason === undefined ? {} : { reason: flags.reason }) };
    const { drainWorker } = await client.mutate(CliDrainWorkerDocument, { input }, { idempotent: true });
    printErrors(output, drainWorker.userErrors);
    if (!drainWorker.worker) continue;
    drained.push(drainWorker.worker);
    if (!output.json) printLine(output, `${drainWorker.worker.name}  ${drainWorker.worker.state}`);
  }
  if (output.json) printJson(output, drained);
  return drained.length === ids.length ? exitCodes.ok : exitCodes.failed;
}

async function end(session: Session, given: readonly string[], flags: EndFlags): Promise<ExitCode> {
  const { output } = session;
  if (given.length === 0 && flags.batchJob.length === 0)
    throw new CliError(exitCodes.usage, 'worker end needs a worker, or --queue NAME and --batch-job ID');
  const ids = await idsOf(session, given, flags.queue);
  const ended = [...(await endBatchJobs(session, flags))];
  let refusals = 0;
  for (const id of ids) {
    const worker = await endWorker(session, id, flags.reason);
    if (worker) ended.push(worker);
    else refusals += 1;
  }
  if (output.json) printJson(output, ended);
  else
    for (const { name, state, batchJobId } of ended)
      printLine(output, [name, state, batchJobId ?? ''].join('  ').trimEnd());
  return refusals === 0 ? exitCodes.ok : exitCodes.failed;
}

async function endWorker(
  { client, output }: Session,
  workerId: string,
  reason: string | undefined,
): Promise<CliEndedWorkerFragment | null> {
  const input = { workerId, hasEnded: true, ...(reason === undefined ? {} : { reason }) };
  const { drainWorker } = await client.mutate(CliEndWorkerDocument, { input }, { idempotent: true });
  printErrors(output, drainWorker.userErrors);
  return drainWorker.worker;
}

async function endBatchJobs(
  { client, output }: Session,
  { batchJob, queue, reason }: EndFlags,
): Promise<readonly CliEndedWorkerFragment[]> {
  if (batchJob.length === 0) return [];
  if (queue === undefined) throw new CliError(exitCodes.usage, '--batch-job needs --queue NAME');
  const input = { queue, batchJobIds: [...batchJob], ...(reason === undefined ? {} : { reason }) };
  const { reportEndedBatchJobs: answer } = await client.mutate(
    CliEndBatchJobsDocument,
    { input },
    { idempotent: true },
  );
  printErrors(output, answer.userErrors);
  if (answer.userErrors.length > 0) throw new CliError(exitCodes.failed, 'No batch job was reported');
  return answer.workers;
}

/** Ids as given, and those of live workers with the given names. */
async function idsOf(
  { client }: Session,
  given: readonly string[],
  queue: string | undefined,
): Promise<readonly string[]> {
  if (given.every(isId)) return given;
  const filter = {
    ...(queue === undefined ? {} : { queues: [queue] }),
    states: ['READY' as const, 'DRAINING' as const, 'UNREACHABLE' as const],
  };
  const live = await pagesUpTo(
    maxWorkers,
    async (first, after) => (await client.query(CliWorkersDocument, { filter, first, after })).workers,
  );
  return given.map((one) => (isId(one) ? one : idOf(one, live)));
}

const isId = (text: string): boolean => /^worker_\w+$/.test(text);

function idOf(name: string, live: readonly Worker[]): string {
  const found = live.filter((worker) => worker.name === name);
  const [worker] = found;
  if (worker === undefined)
    throw new CliError(exitCodes.notFound, `Worker "${name}" not found, or you may not see it.`);
  if (found.length === 1) return worker.id;
  const queues = found.map((one) => one.queue.name).join(', ');
  throw new CliError(
    exitCodes.usage,
    `worker: ${name} is ambiguous; give its queue with --queue (${queues})`,
  );
}
