/** `rhizome pool`: pools of work units. */
import type { Command } from 'commander';
import { printChange, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type Finish, pagesUpTo, wholeNumber } from '../../flags/flags.js';
import {
  CliClosePoolDocument,
  CliCreatePoolDocument,
  CliDeadUnitsDocument,
  CliPoolDocument,
  type CliPoolFragment,
  CliPoolsDocument,
  CliResubmitUnitsDocument,
} from '../../operations.generated.js';
import { printFields, printJson, printTable } from '../../output.js';
import { publish } from './publish.js';

const maxListed = 1000;

interface ListFlags {
  readonly experiment: readonly string[];
  readonly run: readonly string[];
}

interface CreateFlags {
  readonly experiment: string;
  readonly task?: string;
  readonly run?: string;
  readonly leaseSeconds?: number;
  readonly maxAttempts?: number;
  readonly maxWaiting?: number;
}

/** Adds the commands. */
export function addPool(program: Command, world: World, finish: Finish): void {
  const group = program.command('pool').description('create pools of work units, publish units, show them');
  const listing = group
    .command('list')
    .description('list pools')
    .option('-e, --experiment <name>', 'only of this experiment; may be repeated', collect, [])
    .option('--run <name>', 'only of this run; may be repeated', collect, []);
  listing.action((flags: ListFlags) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  addReads(group, world, finish);
  addChanges(group, world, finish);
}

function addReads(group: Command, world: World, finish: Finish): void {
  const showing = ofPool(group.command('show')).description('show a pool with the numbers of its units');
  showing.action((id: string) => finish(withSession(showing, world, (session) => show(session, id))));
  const dead = ofPool(group.command('dead-letters')).description(
    'list units that have failed and get no further attempt',
  );
  dead.action((id: string) => finish(withSession(dead, world, (session) => deadLetters(session, id))));
}

function addChanges(group: Command, world: World, finish: Finish): void {
  const creating = group
    .command('create')
    .description('create a pool')
    .argument('<name>', 'name of the pool')
    .requiredOption('-e, --experiment <name>', 'experiment that owns it')
    .option('--task <id>', 'task whose jobs work on the units')
    .option('--run <name>', 'run that the units belong to')
    .option('--lease-seconds <n>', 'time after which a silent unit is leased again', wholeNumber(5, 86_400))
    .option('--max-attempts <n>', 'attempts of a unit', wholeNumber(1, 100))
    .option('--max-waiting <n>', 'most units that may wait', wholeNumber(1, 100_000_000));
  creating.action((name: string, flags: CreateFlags) =>
    finish(withSession(creating, world, (session) => create(session, name, flags))),
  );
  const publishing = ofPool(group.command('publish'))
    .description('publish the units of a file, one JSON object on each line; waits while the pool is full')
    .argument('<file>', 'file with lines such as {"key": "a", "payload": "text"}');
  publishing.action((id: string, file: string) =>
    finish(withSession(publishing, world, (session) => publish(session, id, file, world.signal))),
  );
  const closing = ofPool(group.command('close')).description('close a pool: nothing more is published');
  closing.action((id: string) => finish(withSession(closing, world, (session) => close(session, id))));
  const resubmitting = ofPool(group.command('resubmit'))
    .description('let dead letters wait again; all of them, unless units are named')
    .argument('[unit...]', 'ids of units');
  resubmitting.action((id: string, units: readonly string[]) =>
    finish(withSession(resubmitting, world, (session) => resubmit(session, id, units))),
  );
}

function ofPool(command: Command): Command {
  return command.argument('<pool>', 'id of the pool');
}

async function list({ client, output }: Session, { experiment, run }: ListFlags): Promise<ExitCode> {
  const filter = {
    ...(experiment.length > 0 ? { experiments: [...experiment] } : {}),
    ...(run.length > 0 ? { runs: [...run] } : {}),
  };
  const found = await pagesUpTo(
    maxListed,
    async (first, after) => (await client.query(CliPoolsDocument, { filter, first, after })).workPools,
  );
  if (output.json) printJson(output, found);
  else if (found.length > 0)
    printTable(
      output,
      ['ID', 'NAME', 'STATE', 'WAITING', 'LEASED', 'COMPLETED', 'DEAD', 'LAG'],
      found.map(({ id, name, state, counts, lagSeconds }) => [
        ...[id, name, state, String(counts.waiting), String(counts.leased), String(counts.completed)],
        ...[String(counts.dead), `${Math.round(lagSeconds)} s`],
      ]),
    );
  return exitCodes.ok;
}

async function show({ client, output }: Session, id: string): Promise<ExitCode> {
  const { workPool } = await client.query(CliPoolDocument, { id });
  if (!workPool) throw notFound(id);
  if (output.json) printJson(output, workPool);
  else printFields(output, fieldsOf(workPool));
  return exitCodes.ok;
}

function fieldsOf(pool: CliPoolFragment): readonly (readonly [string, string | number | null | undefined])[] {
  const { counts } = pool;
  return [
    ['pool', pool.id],
    ['name', pool.name],
    ['experiment', pool.experiment.name],
    ['owner', pool.owner.id],
    ['state', pool.state],
    ['run', pool.run],
    ['task', pool.taskId],
    ['waiting', counts.waiting],
    ['leased', counts.leased],
    ['completed', counts.completed],
    ['dead letters', counts.dead],
    ['failed attempts', counts.failedAttempts],
    ['oldest waits', counts.waiting > 0 ? `${Math.round(pool.lagSeconds)} s` : undefined],
    ['created', pool.createdAt],
    ['closed', pool.closedAt],
  ];
}

async function deadLetters({ client, output }: Session, id: string): Promise<ExitCode> {
  const found = await pagesUpTo(maxListed, async (first, after) => {
    const { workPool } = await client.query(CliDeadUnitsDocument, { id, first, after });
    if (!workPool) throw notFound(id);
    return workPool.deadUnits;
  });
  if (output.json) printJson(output, found);
  else if (found.length > 0)
    printTable(
      output,
      ['UNIT', 'KEY', 'FAILED', 'ERROR', 'MESSAGE'],
      found.map(({ id: unit, key, error }) => [
        ...[unit, key, error?.failedAt ?? '', error?.code ?? '', error?.message ?? ''],
      ]),
    );
  return exitCodes.ok;
}

async function create(
  { client, output }: Session,
  name: string,
  { experiment, task, run, leaseSeconds, maxAttempts, maxWaiting }: CreateFlags,
): Promise<ExitCode> {
  const settings = {
    ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(maxWaiting === undefined ? {} : { maxWaitingUnits: maxWaiting }),
  };
  const input = {
    ...{ experiment, name, settings },
    ...(task === undefined ? {} : { taskId: task }),
    ...(run === undefined ? {} : { run }),
  };
  const { createWorkPool } = await client.mutate(CliCreatePoolDocument, { input }, { idempotent: true });
  return printChange(output, createWorkPool.pool, createWorkPool.userErrors, ({ id }) => id);
}

async function close({ client, output }: Session, poolId: string): Promise<ExitCode> {
  const { closeWorkPool } = await client.mutate(
    CliClosePoolDocument,
    { input: { poolId } },
    { idempotent: true },
  );
  const { pool, userErrors } = closeWorkPool;
  return printChange(output, pool, userErrors, ({ id, state }) => `${id}  ${state}`);
}

async function resubmit(
  { client, output }: Session,
  poolId: string,
  units: readonly string[],
): Promise<ExitCode> {
  let count = 0;
  for (;;) {
    const input = { poolId, ...(units.length > 0 ? { unitIds: [...units] } : {}) };
    const { resubmitWorkUnits } = await client.mutate(
      CliResubmitUnitsDocument,
      { input },
      { idempotent: true },
    );
    const { unitIds, hasMore, userErrors } = resubmitWorkUnits;
    count += unitIds.length;
    if (hasMore && unitIds.length > 0 && userErrors.length === 0) continue;
    const done = count > 0 || userErrors.length === 0 ? { resubmittedCount: count } : null;
    return printChange(output, done, userErrors, () => `${count} resubmitted`);
  }
}

function notFound(id: string): CliError {
  return new CliError(exitCodes.notFound, `Pool "${id}" not found, or you may not see it.`);
}
