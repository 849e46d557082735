/** `rhizome elevation`: takes roles for a short time, with a reason (break-glass). */
import type { Command } from 'commander';
import { type CommonFlags, printErrors, type Session, type World, withSession } from '../../command.js';
import { credentialsFile, findConnection } from '../../config.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collectOneOf, type Finish, pagesUpTo, wholeNumber } from '../../flags.js';
import { loginAt, readLogins, storeElevation } from '../../login/logins-file.js';
import {
  CliElevationsDocument,
  CliEndElevationDocument,
  CliStartElevationDocument,
  type GrantableRole,
} from '../../operations.generated.js';
import { printFields, printJson, printLine, printTable } from '../../output.js';
import { grantableRoles } from '../../states.js';

const maxListed = 1000;

interface StartFlags extends CommonFlags {
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
    .description('take roles that a membership holds ready; later commands have them until the end')
    .option('--role <role>', 'role to take; may be repeated', collectOneOf(grantableRoles), [])
    .requiredOption('--reason <text>', 'reason, at least 10 characters; it is recorded in the audit log')
    .option('--minutes <n>', 'time until the end', wholeNumber(1, 60), 60);
  starting.action((experiment: string, flags: StartFlags) =>
    finish(withSession(starting, world, (session) => start(session, starting, world, experiment, flags))),
  );
  const listing = group.command('list').description('list elevations, the newest first');
  listing.action(() => finish(withSession(listing, world, list)));
  const ending = group
    .command('end')
    .argument('[elevation]', 'elevation id (default: the one of your login)')
    .description('end an elevation; its token is refused within seconds');
  ending.action((id: string | undefined) =>
    finish(withSession(ending, world, (session) => end(session, ending, world, id))),
  );
}

async function start(
  { client, output }: Session,
  command: Command,
  world: World,
  experiment: string,
  { role: roles, reason, minutes }: StartFlags,
): Promise<ExitCode> {
  const input = { experiment, roles: [...roles], reason, minutes };
  const { startElevation } = await client.mutate(CliStartElevationDocument, { input }, { idempotent: false });
  const { elevation, accessToken: token, userErrors } = startElevation;
  printErrors(output, userErrors);
  if (!elevation || token === null) return exitCodes.failed;
  const { id, expiresAt } = elevation;
  const login = storedLogin(command, world);
  if (login) {
    const stored = { id, token, expiresAt: Date.parse(expiresAt) };
    await storeElevation(login.path, login.url, stored, world.signal);
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

/** The login that the command uses; undefined if its token has another source. */
function storedLogin(
  command: Command,
  world: World,
): { readonly path: string; readonly url: string; readonly elevationId: string | undefined } | undefined {
  const { url, source } = findConnection(command.optsWithGlobals<CommonFlags>(), world.cwd, world.signal);
  const path = credentialsFile();
  const login = source === path ? loginAt(readLogins(path), url) : undefined;
  return login && { path, url: login.url, elevationId: login.elevation?.id };
}

async function list({ client, output }: Session): Promise<ExitCode> {
  const found = await pagesUpTo(maxListed, async (first, after) => {
    const { elevations } = await client.query(CliElevationsDocument, { first, after });
    return elevations ?? { nodes: [], pageInfo: { endCursor: null, hasNextPage: false } };
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
  { client, output }: Session,
  command: Command,
  world: World,
  given: string | undefined,
): Promise<ExitCode> {
  const login = storedLogin(command, world);
  const id = given ?? login?.elevationId;
  if (id === undefined)
    throw new CliError(exitCodes.usage, 'The login has no elevation; name one, see "rhizome elevation list"');
  // The call itself would end with the token of the elevation: from here on, the login has its own again.
  if (login && login.elevationId === id) await storeElevation(login.path, login.url, null, world.signal);
  const { endElevation } = await client.mutate(
    CliEndElevationDocument,
    { input: { id } },
    { idempotent: false },
  );
  printErrors(output, endElevation.userErrors);
  if (!endElevation.elevation) return exitCodes.failed;
  if (output.json) printJson(output, endElevation.elevation);
  else printLine(output, `${id} ended`);
  return exitCodes.ok;
}
