/** `rhizome fleet`: standing sets of jobs for pools of work units. */
import type { ApiClient } from '@rhizome/client';
import type { Command } from 'commander';
import {
  type MutationError,
  printChange,
  printChecked,
  type Session,
  type World,
  withSession,
} from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import {
  collect,
  type DryRunFlags,
  type Finish,
  pagesUpTo,
  wholeNumber,
  withDryRun,
} from '../../flags/flags.js';
import {
  CliCreateFleetDocument,
  CliDrainFleetDocument,
  CliFleetDocument,
  type CliFleetFragment,
  CliFleetsDocument,
  CliPauseFleetDocument,
  CliPrewarmFleetDocument,
  CliResumeFleetDocument,
  CliUpdateFleetDocument,
} from '../../operations.generated.js';
import { printFields, printJson, printTable } from '../../output.js';
import {
  day,
  type FleetJobFlags,
  jobOf,
  mostJobs,
  type SettingsFlags,
  settingsOf,
  refuseJobFlags,
  withJobs,
  withSettings,
} from './fleet-flags.js';

interface CreateFlags extends SettingsFlags, FleetJobFlags, DryRunFlags {
  readonly pool: string;
  readonly share?: string;
}

type SetFlags = SettingsFlags & FleetJobFlags & DryRunFlags;

interface Answer {
  readonly fleet: CliFleetFragment | null;
  readonly userErrors: readonly MutationError[];
}

const maxListed = 1000;
const idempotent = { idempotent: true } as const;

/** Adds the commands. */
export function addFleet(program: Command, world: World, finish: Finish): void {
  const group = program
    .command('fleet')
    .description('standing sets of jobs for pools of work units: create, show and change them');
  const listing = group
    .command('list')
    .description('list fleets')
    .option('-e, --experiment <name>', 'only of this experiment; may be repeated', collect, [])
    .option('--pool <id>', 'only of this pool; may be repeated', collect, []);
  listing.action((flags: { readonly experiment: readonly string[]; readonly pool: readonly string[] }) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  const showing = ofFleet(group.command('show'))
    .description('show a fleet with its latest decisions')
    .option('--decisions <n>', 'number of decisions, 1 to 100', wholeNumber(1, 100), 10);
  showing.action((id: string, { decisions }: { readonly decisions: number }) =>
    finish(withSession(showing, world, (session) => show(session, id, decisions))),
  );
  const creating = withJobs(withSettings(withDryRun(group.command('create'))))
    .description('create a fleet (rhizome fleet create NAME --pool POOL [flags] -- COMMAND [ARGUMENT…])')
    .argument('<name>', 'name of the fleet')
    .argument('<command...>', 'command of the jobs and its arguments')
    .requiredOption('--pool <id>', 'pool whose units the jobs work on')
    .option('--share <path>', 'share to charge');
  creating.action((name: string, words: readonly string[], flags: CreateFlags) =>
    finish(withSession(creating, world, (session) => create(session, name, words, flags))),
  );
  const setting = withJobs(withSettings(withDryRun(ofFleet(group.command('set')))))
    .description(
      'change settings, or give a new command with all flags of its jobs: they replace the earlier ones',
    )
    .argument('[command...]', 'new command of the jobs and its arguments');
  setting.action((id: string, words: readonly string[], flags: SetFlags) =>
    finish(withSession(setting, world, (session) => set(session, id, words, flags))),
  );
  addCommands(group, world, finish);
}

function addCommands(group: Command, world: World, finish: Finish): void {
  const add = <F>(
    command: Command,
    send: (client: ApiClient, fleetId: string, flags: F) => Promise<Answer>,
  ): void => {
    command.action((id: string, flags: F) =>
      finish(
        withSession(command, world, async ({ client, output }) => {
          const { fleet, userErrors } = await send(client, id, flags);
          return printChange(output, fleet, userErrors, ({ state }) => `${id}  ${state}`);
        }),
      ),
    );
  };
  interface Reasoned {
    readonly reason?: string;
  }
  const reasoned = (name: string, description: string): Command =>
    ofFleet(group.command(name)).description(description).option('--reason <text>', 'reason');
  add<Reasoned>(reasoned('pause', 'give the jobs no units'), async (client, fleetId, { reason }) => {
    const input = { fleetId, reason };
    return (await client.mutate(CliPauseFleetDocument, { input }, idempotent)).pauseFleet;
  });
  add<Reasoned>(reasoned('resume', 'give the jobs units again'), async (client, fleetId, { reason }) => {
    const input = { fleetId, reason };
    return (await client.mutate(CliResumeFleetDocument, { input }, idempotent)).resumeFleet;
  });
  add<Reasoned>(
    reasoned('drain', 'end a fleet, after the units that its jobs hold'),
    async (client, fleetId, { reason }) => {
      const input = { fleetId, reason };
      return (await client.mutate(CliDrainFleetDocument, { input }, idempotent)).drainFleet;
    },
  );
  const warming = ofFleet(group.command('prewarm'))
    .description('request jobs before there is work for them; 0 ends an earlier request')
    .requiredOption('--jobs <n>', 'fewest jobs', wholeNumber(0, mostJobs))
    .option('--for <seconds>', 'time for which they are kept', wholeNumber(1, day), 600);
  add<{ readonly jobs: number; readonly for: number }>(warming, async (client, fleetId, flags) => {
    const until = new Date(world.now() + flags.for * 1000).toISOString();
    const input = { fleetId, jobs: flags.jobs, until };
    return (await client.mutate(CliPrewarmFleetDocument, { input }, idempotent)).prewarmFleet;
  });
}

function ofFleet(command: Command): Command {
  return command.argument('<fleet>', 'id of the fleet');
}

async function list(
  { client, output }: Session,
  { experiment, pool }: { readonly experiment: readonly string[]; readonly pool: readonly string[] },
): Promise<ExitCode> {
  const filter = {
    ...(experiment.length > 0 ? { experiments: [...experiment] } : {}),
    ...(pool.length > 0 ? { poolIds: [...pool] } : {}),
  };
  const found = await pagesUpTo(
    maxListed,
    async (first, after) => (await client.query(CliFleetsDocument, { filter, first, after })).fleets,
  );
  if (output.json) printJson(output, found);
  else if (found.length > 0)
    printTable(
      output,
      ['ID', 'NAME', 'STATE', 'WANTED', 'WAITING', 'RUNNING', 'LATEST'],
      found.map(({ id, name, state, targetJobs, jobCounts, latestDecision }) => [
        ...[id, name, state, String(targetJobs), String(jobCounts.waiting), String(jobCounts.running)],
        latestDecision?.reason ?? '',
      ]),
    );
  return exitCodes.ok;
}

async function show({ client, output }: Session, id: string, decisions: number): Promise<ExitCode> {
  const { fleet } = await client.query(CliFleetDocument, { id, decisions });
  if (!fleet) throw new CliError(exitCodes.notFound, `Fleet "${id}" not found, or you may not see it.`);
  if (output.json) {
    printJson(output, fleet);
    return exitCodes.ok;
  }
  printFields(output, fieldsOf(fleet));
  if (fleet.decisions.nodes.length > 0)
    printTable(
      output,
      ['DECIDED', 'REASON', 'WANTED', 'STARTED', 'RELEASED', 'CANCELLED', 'MESSAGE'],
      fleet.decisions.nodes.map((one) => [
        ...[one.decidedAt, one.reason, `${one.previousTargetJobs} → ${one.targetJobs}`],
        ...[String(one.startedJobs), String(one.releasedJobs), String(one.cancelledJobs), one.message],
      ]),
    );
  return exitCodes.ok;
}

function fieldsOf(
  fleet: CliFleetFragment,
): readonly (readonly [string, string | number | null | undefined])[] {
  const { settings, jobCounts, prewarm } = fleet;
  const queues = settings.queues.map(({ queueName, max }) => `${queueName}=${max}`).join(', ');
  return [
    ['fleet', fleet.id],
    ['name', fleet.name],
    ['experiment', fleet.experiment.name],
    ['pool', `${fleet.pool.name} (${fleet.pool.id})`],
    ['owner', fleet.owner.id],
    ['share', fleet.sharePath],
    ['state', fleet.state],
    ['jobs', `${settings.min} to ${settings.max}, ${fleet.targetJobs} wanted`],
    ['queues', queues === '' ? undefined : queues],
    ['wanted lag', `${settings.targetLagSeconds} s`],
    ['waiting', jobCounts.waiting],
    ['running', jobCounts.running],
    ['released', jobCounts.released],
    ['outdated', jobCounts.outdated],
    ['version', fleet.jobVersion],
    ['command', fleet.command],
    ['image', fleet.image],
    ['pre-warmed', prewarm ? `${prewarm.jobs} jobs until ${prewarm.until}` : undefined],
    ['created', fleet.createdAt],
    ['ended', fleet.endedAt],
  ];
}

async function create(
  { client, output }: Session,
  name: string,
  words: readonly string[],
  { pool: poolId, share, dryRun = false, ...flags }: CreateFlags,
): Promise<ExitCode> {
  const job = jobOf(words, flags);
  const input = { poolId, name, share, settings: settingsOf(flags), job, isDryRun: dryRun };
  const { createFleet } = await client.mutate(CliCreateFleetDocument, { input }, idempotent);
  const { fleet, userErrors } = createFleet;
  if (!dryRun) return printChange(output, fleet, userErrors, ({ id }) => id);
  return printChecked(output, userErrors, `${name} would be created`);
}

async function set(
  { client, output }: Session,
  fleetId: string,
  words: readonly string[],
  { dryRun = false, ...flags }: SetFlags,
): Promise<ExitCode> {
  if (words.length === 0) refuseJobFlags(flags);
  const job = words.length > 0 ? jobOf(words, flags) : undefined;
  const input = { fleetId, settings: settingsOf(flags), job, isDryRun: dryRun };
  const { updateFleet } = await client.mutate(CliUpdateFleetDocument, { input }, { idempotent: false });
  const { fleet, userErrors } = updateFleet;
  if (dryRun) return printChecked(output, userErrors, `${fleetId} would be changed`);
  return printChange(output, fleet, userErrors, ({ jobVersion }) => `${fleetId}  version ${jobVersion}`);
}
