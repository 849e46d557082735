/** `rhizome access`: access of people and groups to jobs of other owners. */
import { type Command, Option } from 'commander';
import { printChange, type Session, type World, withSession } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { type Finish, pagesUpTo, wholeNumber } from '../flags/flags.js';
import {
  type CliJobAccessFragment,
  CliGrantJobAccessDocument,
  CliJobAccessListDocument,
  CliRevokeJobAccessDocument,
} from '../operations.generated.js';
import { printJson, printTable } from '../output.js';

const maxListed = 1000;

interface GrantFlags {
  readonly job?: string;
  readonly task?: string;
  readonly share?: string;
  readonly owner?: string;
  readonly manage?: boolean;
  readonly days?: number;
  readonly reason?: string;
}

/** Adds the commands. */
export function addAccess(program: Command, world: World, finish: Finish): void {
  const group = program.command('access').description('give others access to jobs, and list and end it');
  const listing = group
    .command('list')
    .description('list grants of access that you gave or hold, newest first');
  listing.action(() => finish(withSession(listing, world, list)));
  const granting = withTarget(group.command('grant'))
    .argument('<experiment>', 'experiment of the jobs')
    .argument('<holder>', 'subject of a person or service, or group id')
    .description(
      'let a person, a service or a group read the environment variables of jobs, and change the jobs',
    )
    .option('--manage', 'let the holder also change the jobs')
    .option('--days <n>', 'days until the access ends (default: 30)', wholeNumber(1, 400))
    .option('--reason <text>', 'reason');
  granting.action((experiment: string, holder: string, flags: GrantFlags) =>
    finish(withSession(granting, world, (session) => grant(session, experiment, holder, flags))),
  );
  const revoking = group
    .command('revoke')
    .argument('<access>', 'access id, such as access_…')
    .description('end a grant of access at once');
  revoking.action((id: string) => finish(withSession(revoking, world, (session) => revoke(session, id))));
}

function withTarget(command: Command): Command {
  const targets = ['job', 'task', 'share'];
  for (const [target, value] of [
    ['job', 'id'],
    ['task', 'id'],
    ['share', 'path'],
  ] as const) {
    const option = new Option(`--${target} <${value}>`, `only this ${target} (default: all your jobs)`);
    command.addOption(option.conflicts(targets.filter((one) => one !== target)));
  }
  return command.option('--owner <subject>', 'owner of the jobs, if you manage the jobs of others');
}

async function list({ client, output }: Session): Promise<ExitCode> {
  const found = await pagesUpTo(maxListed, async (first, after) => {
    const { jobAccess } = await client.query(CliJobAccessListDocument, { first, after });
    return jobAccess;
  });
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['ID', 'EXPERIMENT', 'OWNER', 'JOBS', 'HOLDER', 'LEVEL', 'END'],
      found.map((access) => [
        access.id,
        access.experimentName,
        access.owner?.subject ?? 'all',
        jobsOf(access),
        access.grantee?.subject ?? access.groupId ?? '',
        access.level,
        access.expiresAt,
      ]),
    );
  return exitCodes.ok;
}

function jobsOf({ jobId, taskId, sharePath }: CliJobAccessFragment): string {
  return jobId ?? taskId ?? sharePath ?? 'all';
}

async function grant(
  { client, output }: Session,
  experiment: string,
  holder: string,
  { job, task, share, owner, manage = false, days, reason }: GrantFlags,
): Promise<ExitCode> {
  const jobs =
    job !== undefined
      ? { jobId: job }
      : task !== undefined
        ? { taskId: task }
        : share !== undefined
          ? { share }
          : null;
  const input = {
    ...{ experiment, jobs, owner: owner ?? null, reason: reason ?? null },
    grantee: holder.startsWith('grp_') ? { groupId: holder } : { subject: holder },
    level: manage ? ('MANAGE' as const) : ('READ' as const),
    ...(days === undefined ? {} : { days }),
  };
  const { grantJobAccess } = await client.mutate(CliGrantJobAccessDocument, { input }, { idempotent: true });
  const { access, userErrors } = grantJobAccess;
  return printChange(output, access, userErrors, ({ id, expiresAt }) => `${id}  until ${expiresAt}`);
}

async function revoke({ client, output }: Session, id: string): Promise<ExitCode> {
  const { revokeJobAccess } = await client.mutate(
    CliRevokeJobAccessDocument,
    { input: { id } },
    { idempotent: false },
  );
  return printChange(output, revokeJobAccess.access, revokeJobAccess.userErrors, () => `${id}  ended`);
}
