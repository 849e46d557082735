/** `rhizome status`: whether the service can lose workers now, for operators. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import { CliStatusDocument, type CliStatusQuery } from '../../operations.generated.js';
import { ago, printFields, printJson } from '../../output.js';

/** Adds the command. */
export function addStatus(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('status')
    .description('show whether gateways accept pilots, and whether leases of silent workers end');
  command.action(() => finish(withSession(command, world, status)));
}

async function status({ client, output, now }: Session): Promise<ExitCode> {
  const { leaseClock } = await client.query(CliStatusDocument, {});
  if (output.json) printJson(output, leaseClock);
  else printFields(output, fieldsOf(leaseClock, now()));
  return exitCodes.ok;
}

/** Time without a report after which a gateway has ended, if another one reports. */
const silentGatewayMs = 10_000;

const meanings = {
  RUNNING: 'workers become UNREACHABLE when their leases end',
  STOPPED: 'no lease of a worker ends',
  POSTPONED: 'no lease of a worker ends for now',
} as const;

function fieldsOf(
  clock: CliStatusQuery['leaseClock'],
  now: number,
): readonly (readonly [string, string | number | null])[] {
  const [latest] = clock.gateways;
  // A gateway that was killed has said last that it accepts pilots.
  const since = Date.parse(latest?.reportedAt ?? '') - silentGatewayMs;
  const accepting = clock.gateways.filter(
    ({ isAcceptingPilots, reportedAt }) => isAcceptingPilots && Date.parse(reportedAt) > since,
  );
  return [
    ['lease clock', `${clock.state}: ${meanings[clock.state]}`],
    ['reason', clock.reason],
    ['since', clock.since],
    ['checked', clock.checkedAt === null ? 'never' : `${ago(clock.checkedAt, now)} ago`],
    ['silent workers', `${clock.silentWorkers} of ${clock.workers}`],
    ['postponed until', clock.postponedUntil],
    ['gateways', `${accepting.length} of ${clock.gateways.length} accept pilots`],
    ['latest report', latest ? `${ago(latest.reportedAt, now)} ago` : 'none'],
  ];
}
