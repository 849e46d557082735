/** `rhizome login`: gets tokens of a gateway for a person or a CI job, and stores them for later commands. */
import { resolve } from 'node:path';
import { createClient, isRhizomeApiError } from '@rhizome/client';
import { type Command, Option } from 'commander';
import { type World, withSession } from '../../command.js';
import {
  assertSecure,
  type ConnectionFlags,
  credentialsFile,
  isPlainTextPermitted,
  readToken,
  variables,
} from '../../config.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type Finish, wholeNumber } from '../../flags/flags.js';
import { claimsOf } from '../../login/bearer-token.js';
import {
  accessTokenType,
  exchange,
  gatewayMetadata,
  type GatewayMetadata,
  type GatewayTokens,
  jwtType,
  type LoginIssuer,
} from '../../login/gateway-issuer.js';
import { type NewLogin, storeLogin } from '../../login/logins-file.js';
import { hasDisplay } from '../../login/loopback.js';
import { canRenew } from '../../login/renewal.js';
import { robotToken } from '../../login/robot-key.js';
import type { LoginWay } from '../../login/outside-login.js';
import {
  defaultTokenVariable,
  type Workload,
  workloadKinds,
  workloadToken,
} from '../../login/workload-token.js';
import { CliViewerDocument } from '../../operations.generated.js';
import { linkIdentity } from './links.js';
import { readStandardInput } from '../../standard-input.js';
import { cliName } from '../../version.js';

interface LoginFlags extends ConnectionFlags {
  readonly device?: boolean;
  readonly browser?: boolean;
  readonly withToken?: boolean;
  readonly oidc?: Workload['kind'];
  readonly audience?: string;
  readonly tokenVariable: string;
  readonly robot?: string;
  readonly key?: string;
  readonly scope: readonly string[];
  readonly lifetime?: number;
  readonly link?: boolean;
}

const tokenPrompt = 'Paste the token, then Enter and Ctrl-D: ';

/** A login that starts. */
interface Starting {
  readonly url: string;
  readonly flags: LoginFlags;
  readonly world: World;
}

/** Adds the command. */
export function addLogin(program: Command, world: World, finish: Finish): void {
  program
    .command('login')
    .argument('[issuer]', 'name of the issuer at which you have an account; needed if there are several')
    .description('log in at a gateway for later commands: at your institute, with a token, or as a CI job')
    .addOption(new Option('--browser', 'log in with the browser of this machine').conflicts('device'))
    .option('--device', 'log in with a browser on any machine, by a code')
    .option('--with-token', 'read a token from standard input; --token-file reads it from a file')
    .addOption(new Option('--oidc <service>', 'log in as a CI job').choices(workloadKinds))
    .option('--audience <text>', "audience of the CI job's token (default: from the gateway)")
    .option('--token-variable <name>', "variable with the CI job's token, for GitLab", defaultTokenVariable)
    .addOption(new Option('--robot <id>', 'log in as a robot, such as svc_…; needs --key'))
    .option('--key <file>', 'file with the private key of the robot, from "rhizome robot key"')
    .option(
      '--scope <scope>',
      'right that the tokens have, such as heron:READER or job:submit; may be repeated (default: all)',
      collect,
      [],
    )
    .option('--lifetime <seconds>', 'lifetime of each token', wholeNumber(1, 86_400))
    .addOption(
      new Option('--link', 'link this account to the identity of the current login, which stays').conflicts([
        'oidc',
        'robot',
        'scope',
        'lifetime',
      ]),
    )
    .action((issuer: string | undefined, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<LoginFlags>();
      return finish(flags.link === true ? link(command, flags, issuer, world) : login(flags, issuer, world));
    });
}

async function login(flags: LoginFlags, name: string | undefined, world: World): Promise<ExitCode> {
  const { url } = flags;
  if (url === undefined)
    throw new CliError(exitCodes.usage, 'login needs --url, such as --url https://host/graphql');
  assertSecure(url, flags);
  const starting = { url, flags, world };
  if (flags.withToken === true || flags.tokenFile !== undefined) return withGivenToken(starting);
  if (flags.robot !== undefined) return asRobot(starting, flags.robot);
  const metadata = await gatewayMetadata(url, world.signal);
  if (flags.oidc !== undefined) return asWorkload(starting, flags.oidc, metadata);
  const offered = loginIssuersIn(metadata);
  // A gateway that offers no login, such as the playground, accepts tokens from elsewhere.
  if (offered.length === 0 && name === undefined) return withGivenToken(starting);
  return atIssuer(starting, issuerOf(starting, name, offered));
}

/** Links a second account to the identity of the current login. */
async function link(
  command: Command,
  flags: LoginFlags,
  name: string | undefined,
  world: World,
): Promise<ExitCode> {
  return withSession(command, world, async (session) => {
    const { url } = session.connection;
    if (flags.withToken === true)
      return linkIdentity(session, (await readStandardInput(world, tokenPrompt)).trim());
    const starting = { url, flags, world };
    const offered = loginIssuersIn(await gatewayMetadata(url, world.signal));
    return linkIdentity(session, await tokenAt(starting, issuerOf(starting, name, offered)));
  });
}

/** Issuers at which this program can log in. */
function loginIssuersIn(metadata: GatewayMetadata | undefined): readonly LoginIssuer[] {
  return (metadata?.loginIssuers ?? []).filter(({ clientId }) => clientId !== undefined);
}

/** The issuer of this name, or the only one. @throws CliError that lists the issuers */
function issuerOf({ url }: Starting, name: string | undefined, offered: readonly LoginIssuer[]): LoginIssuer {
  const found = offered.filter((one) => name === undefined || one.name === name);
  const [only] = found;
  if (only && found.length === 1) return only;
  const names = offered.map((one) => one.name).join(', ');
  if (names === '')
    throw new CliError(exitCodes.failed, `${url} offers no login; give a token with --with-token`);
  if (name === undefined) throw new CliError(exitCodes.usage, `Name an issuer, one of: ${names}`);
  throw new CliError(exitCodes.notFound, `Issuer "${name}" not found; must be one of: ${names}`);
}

/** Logs in at an issuer; returns its token. */
async function tokenAt({ flags, world }: Starting, issuer: LoginIssuer): Promise<string> {
  // Loaded here, because other commands do not need it.
  const { logInOutside } = await import('../../login/outside-login.js');
  const way: LoginWay =
    flags.device === true || (flags.browser !== true && !hasDisplay(variables)) ? 'device' : 'browser';
  const show = (line: string): void => void world.stderr.write(`${line}\n`);
  return logInOutside({ issuer, way, show, env: variables, signal: world.signal });
}

async function atIssuer(starting: Starting, issuer: LoginIssuer): Promise<ExitCode> {
  const { url, flags, world } = starting;
  const subjectToken = await tokenAt(starting, issuer);
  const scope = ['offline_access', ...flags.scope].join(' ');
  const options = { subjectToken, tokenType: issuer.tokenType, scope, lifetimeSeconds: flags.lifetime };
  const tokens = await exchange(url, options, world.signal);
  return store(starting, loginOf(starting, tokens, { issuer: issuer.name }));
}

async function asWorkload(
  starting: Starting,
  kind: Workload['kind'],
  metadata: GatewayMetadata | undefined,
): Promise<ExitCode> {
  const { url, flags, world } = starting;
  const issuer = metadata?.loginIssuers.find(({ profile }) => profile === kind.toUpperCase());
  const audience = flags.audience ?? issuer?.audience;
  if (audience === undefined)
    throw new CliError(exitCodes.failed, `${url} has no issuer for jobs of ${kind}; name one by --audience`);
  const workload = { kind, audience, variable: flags.tokenVariable };
  const subjectToken = await workloadToken(workload, variables, world.signal);
  const scope = flags.scope.join(' ');
  const options = { subjectToken, tokenType: jwtType, scope, lifetimeSeconds: flags.lifetime };
  const tokens = await exchange(url, options, world.signal);
  return store(starting, loginOf(starting, tokens, { issuer: issuer?.name ?? kind, workload, scope }));
}

async function asRobot(starting: Starting, id: string): Promise<ExitCode> {
  const { url, flags, world } = starting;
  if (flags.key === undefined)
    throw new CliError(exitCodes.usage, '--robot needs --key FILE, the private key of the robot');
  // Later commands run in other folders.
  const robot = { id, keyFile: resolve(world.cwd, flags.key) };
  const scope = flags.scope.join(' ');
  const tokens = await robotToken(url, robot, { scope, lifetimeSeconds: flags.lifetime }, world.signal);
  return store(starting, loginOf(starting, tokens, { robot, scope }));
}

function loginOf(
  { url, flags }: Starting,
  { token, refreshToken, expiresAt, renewAt }: GatewayTokens,
  more: Partial<NewLogin>,
): NewLogin {
  const permitted = { isPlainTextPermitted: isPlainTextPermitted(flags) };
  return { url, token, refreshToken, expiresAt, renewAt, ...permitted, ...more };
}

/** Stores a token as it is; one of an outside issuer is exchanged first. */
async function withGivenToken(starting: Starting): Promise<ExitCode> {
  const { url, flags, world } = starting;
  const token = flags.tokenFile
    ? readToken(flags.tokenFile)
    : (await readStandardInput(world, tokenPrompt)).trim();
  if (token === '')
    throw new CliError(
      exitCodes.usage,
      'No token: give --token-file FILE, or write the token to standard input',
    );
  const isPermitted = isPlainTextPermitted(flags);
  try {
    return await store(starting, { url, token, isPlainTextPermitted: isPermitted });
  } catch (error) {
    if (!isRhizomeApiError(error) || error.code !== 'UNAUTHENTICATED') throw error;
    const scope = ['offline_access', ...flags.scope].join(' ');
    const options = { subjectToken: token, tokenType: accessTokenType, scope };
    const tokens = await exchange(url, options, world.signal).catch(() => undefined);
    if (!tokens) throw error;
    return store(starting, loginOf(starting, tokens, {}));
  }
}

/** Stores a login that the gateway accepts. */
async function store({ url, world }: Starting, login: NewLogin): Promise<ExitCode> {
  const client = createClient({ url, token: login.token, client: cliName });
  try {
    const { viewer } = await client.query(CliViewerDocument, {}, { signal: world.signal });
    const file = credentialsFile();
    await storeLogin(file, login, world.signal);
    const { expiresAt = null } = claimsOf(login.token);
    const until = canRenew(login) || expiresAt === null ? '' : ` until ${expiresAt}`;
    world.stdout.write(`Logged in as ${viewer.subject} (${viewer.kind})${until}; stored in ${file}\n`);
    return exitCodes.ok;
  } finally {
    await client.close();
  }
}
