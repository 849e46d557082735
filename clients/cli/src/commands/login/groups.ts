/** `rhizome group`: groups of principals, which give their members roles. */
import type { Command } from 'commander';
import { printErrors, type Session, type World, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import { collectOneOf, type Finish, pagesUpTo, timeOf } from '../../flags/flags.js';
import {
  CliGroupsDocument,
  CliSetGroupDocument,
  CliSetGroupMemberDocument,
  type GrantableRole,
} from '../../operations.generated.js';
import { printJson, printLine, printTable } from '../../output.js';
import { grantableRoles } from '../../states.js';

const maxListed = 1000;

interface EndFlags {
  readonly until?: string;
  readonly reason?: string;
}

interface GroupFlags extends EndFlags {
  readonly role: readonly GrantableRole[];
}

/** Adds the commands. */
export function addGroups(program: Command, world: World, finish: Finish): void {
  const group = program.command('group').description('manage groups of principals and their roles');
  const listing = group.command('list').description('list groups, the newest first');
  listing.action(() => finish(withSession(listing, world, list)));
  const setting = withEnd(group.command('set'))
    .argument('<experiment>', 'experiment of the roles; "*" for all')
    .argument('<name>', 'name of the group')
    .description('create or change a group; without roles, remove it')
    .option('--role <role>', 'role of the members; may be repeated', collectOneOf(grantableRoles), []);
  setting.action((experiment: string, name: string, flags: GroupFlags) =>
    finish(withSession(setting, world, (session) => set(session, experiment, name, flags))),
  );
  const adding = withEnd(group.command('add'))
    .argument('<group>', 'group id')
    .argument('<principal>', 'principal id, such as usr_…')
    .description('add a member, or change the end of its membership');
  adding.action((id: string, principalId: string, flags: EndFlags) =>
    finish(withSession(adding, world, (session) => setMember(session, { id, principalId, flags }, true))),
  );
  const removing = group
    .command('remove')
    .argument('<group>', 'group id')
    .argument('<principal>', 'principal id, such as usr_…')
    .description('remove a member');
  removing.action((id: string, principalId: string) =>
    finish(
      withSession(removing, world, (session) => setMember(session, { id, principalId, flags: {} }, false)),
    ),
  );
}

function withEnd(command: Command): Command {
  return command
    .option('--until <time>', 'time of the end, such as 2030-01-31 (default: none)', timeOf)
    .option('--reason <text>', 'reason');
}

async function list({ client, output }: Session): Promise<ExitCode> {
  const found = await pagesUpTo(maxListed, async (first, after) => {
    const { groups } = await client.query(CliGroupsDocument, { first, after });
    return groups;
  });
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['ID', 'EXPERIMENT', 'NAME', 'ROLES', 'MEMBERS', 'END'],
      found.map(({ id, experimentName, name, roles, members, expiresAt }) => [
        id,
        experimentName,
        name,
        roles.join(', '),
        String(members.totalCount ?? '> 10000'),
        expiresAt ?? '',
      ]),
    );
  return exitCodes.ok;
}

async function set(
  { client, output }: Session,
  experiment: string,
  name: string,
  { role, until, reason }: GroupFlags,
): Promise<ExitCode> {
  const input = { experiment, name, roles: [...role], expiresAt: until ?? null, reason: reason ?? null };
  const { setGroup } = await client.mutate(CliSetGroupDocument, { input }, { idempotent: true });
  printErrors(output, setGroup.userErrors);
  if (setGroup.userErrors.length > 0) return exitCodes.failed;
  const { group } = setGroup;
  if (output.json) printJson(output, group);
  else printLine(output, group ? group.id : 'removed');
  return exitCodes.ok;
}

async function setMember(
  { client, output }: Session,
  {
    id: groupId,
    principalId,
    flags,
  }: { readonly id: string; readonly principalId: string; readonly flags: EndFlags },
  isMember: boolean,
): Promise<ExitCode> {
  const { until, reason } = flags;
  const input = { groupId, principalId, isMember, expiresAt: until ?? null, reason: reason ?? null };
  const { setGroupMember } = await client.mutate(CliSetGroupMemberDocument, { input }, { idempotent: true });
  printErrors(output, setGroupMember.userErrors);
  if (setGroupMember.userErrors.length > 0) return exitCodes.failed;
  if (output.json) printJson(output, setGroupMember.member);
  else printLine(output, `${principalId}  ${isMember ? 'added' : 'removed'}`);
  return exitCodes.ok;
}
