/** Canary jobs and health of a queue in outputs. */
import type { CliQueueDetailsFragment, CliQueueHealthFragment } from '../../operations.generated.js';

/** Health of a queue in a table, such as `98 % of 144`; `-` if it has no canary jobs now. */
export function healthText(isOn: boolean, health: CliQueueHealthFragment | null): string {
  if (!health || !isOn) return '-';
  if (health.problem !== null) return 'not submitted';
  const { latest, canaryCount, successFraction } = health;
  if (successFraction === null) return latest ? latest.outcome : 'none yet';
  const share = `${Math.floor(successFraction * 100)} % of ${canaryCount}`;
  return latest?.outcome === 'FAILED' ? `FAILED, ${share}` : share;
}

/** Fields of the output of a queue. */
export function canaryFields({
  canary,
  health,
}: Pick<CliQueueDetailsFragment, 'canary' | 'health'>): readonly (readonly [string, string | null])[] {
  const { latest = null, openSince = null, problem = null, hostProblem = null } = health ?? {};
  return [
    ['canary', canary ? canaryText(canary) : 'off'],
    ...(health
      ? [
          ['health', healthText(canary !== null, health)] as const,
          ['latest canary', latest && latestText(latest)] as const,
          ['open canary', openSince && `since ${openSince}`] as const,
          ['canary problem', problem] as const,
          ['host test problem', hostProblem] as const,
        ]
      : []),
  ];
}

function canaryText(canary: NonNullable<CliQueueDetailsFragment['canary']>): string {
  const { command, arguments: given, sharePath, intervalSeconds, image } = canary;
  const where = image === null ? '' : ` in ${image}`;
  return `${[command, ...given].join(' ')}${where}, every ${intervalSeconds} s for ${sharePath}`;
}

function latestText(latest: NonNullable<CliQueueHealthFragment['latest']>): string {
  const { outcome, endedAt, hostName, runSeconds, errorCode, job } = latest;
  return [
    errorCode === null ? outcome : `${outcome} (${errorCode})`,
    `at ${endedAt}`,
    ...(hostName === null ? [] : [`on ${hostName}`]),
    ...(runSeconds === null ? [] : [`in ${Math.round(runSeconds)} s`]),
    ...(job ? [job.id] : []),
  ].join(' ');
}
