/** `rhizome whoami`, `logout` and `token`: the identity that commands use. */
import type { Command } from 'commander';
import { type CommonFlags, type Session, type World, withSession } from '../../command.js';
import { credentialsFile, findConnection, tokenOf } from '../../config.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type Finish, wholeNumber } from '../../flags/flags.js';
import { claimsOf } from '../../login/bearer-token.js';
import { exchange, revoke } from '../../login/gateway-issuer.js';
import { loginAt, readLogins, removeLogin } from '../../login/logins-file.js';
import { CliViewerDocument, type CliViewerQuery } from '../../operations.generated.js';
import { type Output, printFields, printJson, printLine } from '../../output.js';

interface LogoutFlags extends CommonFlags {
  readonly local?: boolean;
}

interface TokenFlags extends CommonFlags {
  readonly for: readonly string[];
  readonly agent?: string;
  readonly audience?: string;
  readonly lifetime?: number;
}

/** Adds the commands. */
export function addIdentity(program: Command, world: World, finish: Finish): void {
  const whoami = program.command('whoami').description('show who you are here, your roles, and until when');
  whoami.action(() => finish(withSession(whoami, world, showViewer)));
  const logout = program
    .command('logout')
    .description('end the login at a gateway with all its tokens, and remove it from the file')
    .option('--local', 'remove it from the file only');
  logout.action(() => finish(endLogin(logout.optsWithGlobals<LogoutFlags>(), world)));
  const token = program
    .command('token')
    .description('print a token, for use by another program')
    .option(
      '--for <scope>',
      'right that the token has, such as heron:READER or job:submit; may be repeated (default: all)',
      collect,
      [],
    )
    .option(
      '--audience <text>',
      'service that the token is for, one that the gateway knows (default: the gateway)',
    )
    .option('--agent <name>', 'name of the AI agent that acts for you with the token')
    .option('--lifetime <seconds>', 'lifetime of the token', wholeNumber(1, 86_400));
  token.action(() => finish(printToken(token.optsWithGlobals<TokenFlags>(), world)));
}

async function showViewer({ client, connection, output }: Session): Promise<ExitCode> {
  const { viewer } = await client.query(CliViewerDocument, {});
  const { iss = null, jti = '', expiresAt = null } = claimsOf(await tokenOf(connection));
  // Tokens of Rhizome name the issuer at which their holder logged in.
  const [, loggedInAt = null] = /^([a-z][a-z0-9-]{1,62})\//.exec(jti) ?? [];
  const { url, source } = connection;
  if (output.json) printJson(output, { ...viewer, expiresAt, issuer: iss, loggedInAt, url, source });
  else
    printFields(output, [
      ['Subject', viewer.subject],
      ['Kind', viewer.kind],
      ['Acts for', viewer.actsFor?.subject],
      [
        'Roles',
        viewer.grants.map(({ experimentName, roles }) => `${experimentName}: ${roles.join(', ')}`).join('; '),
      ],
      ['Elevated', elevatedText(viewer.elevation)],
      ['Linked', viewer.linkedIdentities.map(({ subject }) => subject).join(', ') || undefined],
      ['Token expires', expiresAt],
      ['Token issuer', iss],
      ['Logged in at', loggedInAt],
      ['Gateway', url],
      ['Source', source],
    ]);
  return exitCodes.ok;
}

function elevatedText(elevation: CliViewerQuery['viewer']['elevation']): string | undefined {
  if (!elevation) return undefined;
  const { id, roles, experimentName, expiresAt } = elevation;
  return `${experimentName}: ${roles.join(', ')} until ${expiresAt} (${id})`;
}

async function endLogin(flags: LogoutFlags, world: World): Promise<ExitCode> {
  const path = credentialsFile();
  const logins = readLogins(path);
  const login = flags.url === undefined ? logins[0] : loginAt(logins, flags.url);
  if (!login) {
    const where = flags.url === undefined ? '' : ` at ${flags.url}`;
    throw new CliError(exitCodes.notFound, `Login${where} not found in ${path}`);
  }
  if (flags.local !== true && login.elevation) await revoke(login.url, login.elevation.token, world.signal);
  if (flags.local !== true) await revoke(login.url, login.refreshToken ?? login.token, world.signal);
  await removeLogin(path, login.url, world.signal);
  world.stdout.write(`Logged out of ${login.url}\n`);
  return exitCodes.ok;
}

async function printToken(flags: TokenFlags, world: World): Promise<ExitCode> {
  const connection = findConnection(flags, world.cwd, world.signal);
  const output: Output = { json: flags.json === true, stream: world.stdout, errors: world.stderr };
  const held = await tokenOf(connection);
  const { agent, audience, lifetime: lifetimeSeconds } = flags;
  if (flags.for.length === 0 && (agent ?? audience ?? lifetimeSeconds) === undefined) {
    if (output.json) printJson(output, { token: held });
    else printLine(output, held);
    return exitCodes.ok;
  }
  const options = { subjectToken: held, scope: flags.for.join(' '), agent, audience, lifetimeSeconds };
  const { token, scope, expiresAt } = await exchange(connection.url, options, world.signal);
  if (output.json) printJson(output, { token, scope, expiresAt: new Date(expiresAt).toISOString() });
  else printLine(output, token);
  return exitCodes.ok;
}
