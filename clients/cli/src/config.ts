/**
 * Gateway and token of the command line: from flags, the environment, the playground, the login, or a token
 * that other tools left, in this order.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { assertSecureAddress, type TokenSource } from '@rhizome/client';
import { environmentName, loadConfig } from '@rhizome/config';
import { z } from 'zod';
import { CliError, exitCodes } from './exit-codes.js';
import { bearerInEnvironment, bearerInFiles, exchangedToken } from './login/bearer-token.js';
import { isSameGateway, loginAt, readLogins, type StoredLogin } from './login/logins-file.js';
import { renewedTokens } from './login/renewal.js';

/** A gateway and the token to use with it. */
export interface Connection {
  readonly url: string;
  readonly wsUrl?: string | undefined;
  readonly token: TokenSource;
  /** Source of the token, for messages. */
  readonly source: string;
}

/** Flags that every command takes. */
export interface ConnectionFlags {
  readonly url?: string;
  readonly tokenFile?: string;
  /** Permits plain `http:` to another host. */
  readonly insecureTransport?: boolean;
}

const prefix = 'RHIZOME_';
const environment = z.object({
  url: z.url().optional().describe('URL of the gateway, such as http://host:4000/graphql'),
  token: z.string().min(1).optional(),
  tokenFile: z.string().min(1).optional(),
  configDir: z.string().min(1).optional(),
  mongoUri: z.string().min(1).optional(),
  mongoUriFile: z.string().min(1).optional(),
  insecureTransport: z.boolean().default(false).describe('permits an http: URL of another host'),
});
const playground = z.object({ url: z.url(), wsUrl: z.url().optional(), token: z.string().min(1) });
const noSignal: AbortSignal = new AbortController().signal;

/**
 * Environment variables: RHIZOME_URL, RHIZOME_TOKEN, RHIZOME_TOKEN_FILE, RHIZOME_CONFIG_DIR,
 * RHIZOME_INSECURE_TRANSPORT, RHIZOME_MONGO_URI, RHIZOME_MONGO_URI_FILE.
 */
function readEnvironment(): z.infer<typeof environment> {
  return loadConfig({ schema: environment, env: process.env, prefix, secrets: ['token', 'mongoUri'] });
}

/** Flags of the commands that work on the databases themselves. */
export interface StoreFlags {
  readonly mongoUriFile?: string;
}

/**
 * Connection string of MongoDB: from a file, RHIZOME_MONGO_URI, or the file that RHIZOME_MONGO_URI_FILE
 * names. It is no flag, since other users of the host can read those.
 * @throws CliError if there is none
 */
export function storeUri({ mongoUriFile }: StoreFlags, cwd: string): string {
  const { mongoUri, mongoUriFile: named } = readEnvironment();
  if (mongoUriFile === undefined && mongoUri !== undefined) return mongoUri;
  const file = mongoUriFile ?? named;
  if (file === undefined)
    throw new CliError(
      exitCodes.usage,
      'No connection string of MongoDB found: set --mongo-uri-file, RHIZOME_MONGO_URI or RHIZOME_MONGO_URI_FILE',
    );
  const path = resolve(cwd, file);
  const text = readText(path).trim();
  if (/^mongodb(\+srv)?:\/\/\S+$/.test(text)) return text;
  throw new CliError(
    exitCodes.usage,
    `${path} has no connection string; must be one line that begins with mongodb:// or mongodb+srv://`,
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(exitCodes.usage, `${path} cannot be read: ${code ?? message}`);
  }
}

/** The file of the logins. */
export function credentialsFile(): string {
  const folder =
    readEnvironment().configDir ??
    join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'rhizome');
  return join(folder, 'credentials.json');
}

/**
 * Finds the gateway and the token. A stored token goes only to the gateway that it was stored for.
 * @param signal ends renewals
 * @throws CliError that lists the locations that were searched
 */
export function findConnection(
  flags: ConnectionFlags,
  cwd: string,
  signal: AbortSignal = noSignal,
): Connection {
  const named = flags.url ?? readEnvironment().url;
  const known = storedFor(named, cwd, signal);
  const url = named ?? known?.url;
  if (url === undefined) throw notFound('gateway');
  const isStored = known?.url === url;
  assertSecure(url, flags, isStored && known.isPlainTextPermitted);
  const found = givenToken(flags, url, signal) ?? known ?? leftToken(url, signal);
  if (!found) throw notFound(`token for ${url}`);
  const { token, source } = found;
  return { url, token, source, wsUrl: isStored ? known.wsUrl : undefined };
}

function notFound(missing: string): CliError {
  return new CliError(
    exitCodes.denied,
    `No ${missing} found: start the playground (npm run playground), or run "rhizome login --url URL", or set RHIZOME_URL and RHIZOME_TOKEN_FILE`,
  );
}

/**
 * Requires TLS for a gateway on another host.
 * @param isPermitted true if plain text was permitted when the login was stored
 * @throws CliError
 */
export function assertSecure(url: string, flags: ConnectionFlags, isPermitted = false): void {
  const variable = environmentName(prefix, ['insecureTransport']);
  const permission = `--insecure-transport or ${variable}=true`;
  try {
    assertSecureAddress(url, { isPermitted: isPermitted || isPlainTextPermitted(flags), permission });
  } catch (error) {
    throw new CliError(exitCodes.usage, (error as Error).message);
  }
}

/** Returns true if plain text to other hosts is permitted for this call. */
export function isPlainTextPermitted(flags: ConnectionFlags): boolean {
  return flags.insecureTransport === true || readEnvironment().insecureTransport;
}

interface FoundToken {
  readonly token: TokenSource;
  readonly source: string;
}

/** The token that a flag or the environment gives to this program for this call. */
function ownToken({ tokenFile }: ConnectionFlags): { token: string; source: string } | undefined {
  const env = readEnvironment();
  if (tokenFile) return { token: readToken(tokenFile), source: tokenFile };
  if (env.token) return { token: env.token, source: 'RHIZOME_TOKEN' };
  return env.tokenFile ? { token: readToken(env.tokenFile), source: env.tokenFile } : undefined;
}

/** The token that a flag or the environment gives for this call, whatever it calls. */
function givenToken(flags: ConnectionFlags, url: string, signal: AbortSignal): FoundToken | undefined {
  return ownToken(flags) ?? bearer(() => bearerInEnvironment(process.env), 'BEARER_TOKEN', url, signal);
}

/** The same token as it is: one of another issuer is not exchanged. @throws CliError */
export function tokenAsGiven(flags: ConnectionFlags): string | undefined {
  return ownToken(flags)?.token ?? bearerInEnvironment(process.env);
}

/** The token that another tool left for every program of this user. */
function leftToken(url: string, signal: AbortSignal): FoundToken | undefined {
  return bearer(() => bearerInFiles(process.env), 'bearer token file', url, signal);
}

function bearer(
  read: () => string | undefined,
  source: string,
  url: string,
  signal: AbortSignal,
): FoundToken | undefined {
  return read() === undefined ? undefined : { token: exchangedToken(url, read, signal), source };
}

/** The token for a call of something else than a gateway: as given, or as stored. @throws CliError */
export async function findToken(flags: ConnectionFlags, cwd: string, signal: AbortSignal): Promise<string> {
  return tokenAsGiven(flags) ?? tokenOf(findConnection({}, cwd, signal));
}

/** The stored login that a connection has its token of; undefined if the token has another source. */
export function storedLogin({ url, source }: Connection): StoredLogin | undefined {
  const path = credentialsFile();
  return source === path ? loginAt(readLogins(path), url) : undefined;
}

/** Variables of the process. */
export const variables: NodeJS.ProcessEnv = process.env;

/** The token of a connection now. */
export async function tokenOf({ token }: Pick<Connection, 'token'>): Promise<string> {
  return typeof token === 'string' ? token : token(false);
}

interface StoredConnection extends Connection {
  readonly isPlainTextPermitted: boolean;
}

/** Connection that the playground or the login stored for a gateway; the first one if no gateway is named. */
function storedFor(url: string | undefined, cwd: string, signal: AbortSignal): StoredConnection | undefined {
  const local = readPlayground(findPlaygroundFile(cwd));
  if (local && (url === undefined || isSameGateway(local.url, url))) return local;
  const path = credentialsFile();
  const logins = readLogins(path);
  const login = url === undefined ? logins[0] : loginAt(logins, url);
  if (!login) return undefined;
  const token = renewedTokens({ path, url: login.url, env: process.env, signal });
  return { ...login, token, source: path };
}

/** The playground's file in this folder or one above; null if there is none. */
function findPlaygroundFile(from: string): string | null {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const file = join(folder, '.rhizome', 'playground.json');
    if (existsSync(file)) return file;
    if (dirname(folder) === folder) return null;
  }
}

function readPlayground(path: string | null): StoredConnection | undefined {
  if (path === null) return undefined;
  try {
    const found = playground.parse(JSON.parse(readFileSync(path, 'utf8')));
    return { ...found, source: path, isPlainTextPermitted: false };
  } catch {
    throw new CliError(
      exitCodes.usage,
      `${path} cannot be read; must be JSON with "url" and "token"; start the playground again`,
    );
  }
}

/**
 * The token in a file.
 * @throws CliError if the file cannot be read
 */
export function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new CliError(exitCodes.usage, `Token file ${path} cannot be read`);
  }
}
