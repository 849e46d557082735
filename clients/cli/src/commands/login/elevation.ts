/** `rhizome elevation`: takes roles for a short time, with a reason (break-glass). */
import type { Command } from 'commander';
import { printChange, printErrors, type Session, type World, withSession } from '../../command.js';
import { credentialsFile, storedLogin } from '../../config.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collectOneOf, type Finish, pagesUpTo, wholeNumber } from '../../flags/flags.js';
import { storeElevation } from '../../login/logins-file.js';
import {
  CliElevationsDocument,
  CliEndElevationDocument,
  CliStartElevationDocument,
  type GrantableRole,
} from '../../operations.generated.js';
import { printFields, printJson, printTable } from '../../output.js';
import { grantableRoles } from '../../states.js';

const maxListed = 1000;

interface StartFlags {
  readonly role: readonly GrantableRole[];
  readonly reason: string;
  readonly minutes: number;
}

/** Adds the commands. */
export function addElevation(program: Command, world: World, finish: Finish): void {
  const group = program
    .command('elevation')
    .description('take roles for a short time in an emergency, with a reason');
  const starting = group
    .command('start')
    .argument('<experiment>', 'experiment of the roles; "*" for all')
    .description('take elevatable roles of a membership; later commands have them until the end')
    .option('--role <role>', 'role to take; may be repeated', collectOneOf(grantableRoles), [])
    .requiredOption('--reason <text>', 'reason, at least 10 characters; it is recorded in the audit log')
    .option('--minutes <n>', 'time until the end', wholeNumber(1, 60), 60);
  starting.action((experiment: string, flags: StartFlags) =>
    finish(withSession(starting, world, (session) => start(session, world, experiment, flags))),
  );
  const listing = group.command('list').description('list elevations, the newest first');
  listing.action(() => finish(withSession(listing, world, list)));
  const ending = group
    .command('end')
    .argument('[elevation]', 'elevation id (default: the one of your login)')
    .description('end an elevation; its token is refused within seconds');
  ending.action((id: string | undefined) =>
    finish(withSession(ending, world, (session) => end(session, world, id))),
  );
}

async function start(
  { client, connection, output }: Session,
  { signal }: World,
  experiment: string,
  { role: roles, reason, minutes }: StartFlags,
): Promise<ExitCode> {
  const input = { experiment, roles: [...roles], reason, minutes };
  const { startElevation } = await client.mutate(CliStartElevationDocument, { input }, { idempotent: false });
  const { elevation, accessToken: token, userErrors } = startElevation;
  printErrors(output, userErrors);
  if (!elevation || token === null) return exitCodes.failed;
  const { id, expiresAt } = elevation;
  const login = storedLogin(connection);
  if (login) {
    const stored = { id, token, expiresAt: Date.parse(expiresAt) };
    await storeElevation(credentialsFile(), login.url, stored, signal);
  }
  if (output.json) printJson(output, login ? elevation : { ...elevation, accessToken: token });
  else
    printFields(output, [
      ['Elevation', id],
      ['Roles', `${experiment}: ${roles.join(', ')}`],
      ['Ends', expiresAt],
      // A token that a flag or the environment gave cannot be replaced.
      ['Token', login ? undefined : token],
    ]);
  return exitCodes.ok;
}

async function list({ client, output }: Session): Promise<ExitCode> {
  const found = await pagesUpTo(maxListed, async (first, after) => {
    const { elevations } = await client.query(CliElevationsDocument, { first, after });
    return elevations;
  });
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['ID', 'WHO', 'ROLES', 'START', 'END', 'REASON'],
      found.map(({ id, principal, experimentName, roles, startedAt, endedAt, expiresAt, reason }) => [
        id,
        principal.subject,
        `${experimentName}: ${roles.join(', ')}`,
        startedAt,
        endedAt ?? expiresAt,
        reason,
      ]),
    );
  return exitCodes.ok;
}

async function end(
  { client, connection, output }: Session,
  { signal }: World,
  given: string | undefined,
): Promise<ExitCode> {
  const login = storedLogin(connection);
  const id = given ?? login?.elevation?.id;
  if (id === undefined)
    throw new CliError(exitCodes.usage, 'The login has no elevation; name one, see "rhizome elevation list"');
  // The call itself would end with the token of the elevation: from here on, the login has its own again.
  if (login && login.elevation?.id === id) await storeElevation(credentialsFile(), login.url, null, signal);
  const { endElevation } = await client.mutate(
    CliEndElevationDocument,
    { input: { id } },
    { idempotent: false },
  );
  return printChange(output, endElevation.elevation, endElevation.userErrors, () => `${id} ended`);
}
