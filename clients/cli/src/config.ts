/**
 * Gateway and token of the command line: from flags, the environment, the playground, or the login, in this
 * order.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { loadConfig } from '@rhizome/config';
import { z } from 'zod';
import { CliError, exitCodes } from './exit-codes.js';

/** A gateway and the token to use with it. */
export interface Connection {
  readonly url: string;
  readonly wsUrl?: string;
  readonly token: string;
  /** Source of the connection, for messages. */
  readonly source: string;
}

/** Flags that every command takes. */
export interface ConnectionFlags {
  readonly url?: string;
  readonly tokenFile?: string;
}

const environment = z.object({
  url: z.url().optional().describe('URL of the gateway, such as http://host:4000/graphql'),
  token: z.string().min(1).optional(),
  tokenFile: z.string().min(1).optional(),
  configDir: z.string().min(1).optional(),
});
const stored = z.object({ url: z.url(), wsUrl: z.url().optional(), token: z.string().min(1) });

/** Environment variables: RHIZOME_URL, RHIZOME_TOKEN, RHIZOME_TOKEN_FILE, RHIZOME_CONFIG_DIR. */
function readEnvironment(): z.infer<typeof environment> {
  return loadConfig({ schema: environment, env: process.env, prefix: 'RHIZOME_', secrets: ['token'] });
}

/** The file that `login` writes. */
export function credentialsFile(): string {
  const folder =
    readEnvironment().configDir ??
    join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'rhizome');
  return join(folder, 'credentials.json');
}

/**
 * Finds the gateway and the token. A stored token goes only to the gateway that it was stored for.
 * @throws CliError that lists the locations that were searched
 */
export function findConnection(flags: ConnectionFlags, cwd: string): Connection {
  const env = readEnvironment();
  const named = flags.url ?? env.url;
  const file = storedFor(named, cwd);
  const url = named ?? file?.url;
  const token = givenToken(flags) ?? file?.token;
  if (!url || !token) {
    const missing = url ? `token for ${url}` : 'gateway';
    throw new CliError(
      exitCodes.denied,
      `No ${missing} found: start the playground (npm run playground), or run "rhizome login --url URL", or set RHIZOME_URL and RHIZOME_TOKEN_FILE`,
    );
  }
  const sameGateway = file !== undefined && file.url === url;
  return {
    url,
    token,
    source: file?.path ?? 'environment',
    ...(sameGateway && file.wsUrl ? { wsUrl: file.wsUrl } : {}),
  };
}

/** The token that a flag or the environment gives for this call, whatever it calls. */
function givenToken({ tokenFile }: ConnectionFlags): string | undefined {
  const env = readEnvironment();
  if (tokenFile) return readToken(tokenFile);
  return env.token ?? (env.tokenFile ? readToken(env.tokenFile) : undefined);
}

/** Connection that the playground or the login stored for a gateway; the first one if no gateway is named. */
function storedFor(url: string | undefined, cwd: string): StoredConnection | undefined {
  const found = [findPlaygroundFile(cwd), credentialsFile()].flatMap((path) => readStored(path) ?? []);
  return url === undefined
    ? found[0]
    : found.find((one) => URL.canParse(url) && new URL(one.url).origin === new URL(url).origin);
}

/**
 * The token for a call of something else than a gateway: as given, or as stored.
 * @throws CliError if there is none
 */
export function findToken(flags: ConnectionFlags, cwd: string): string {
  return givenToken(flags) ?? findConnection({}, cwd).token;
}

/** The playground's file in this folder or one above; null if there is none. */
function findPlaygroundFile(from: string): string | null {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const file = join(folder, '.rhizome', 'playground.json');
    if (existsSync(file)) return file;
    if (dirname(folder) === folder) return null;
  }
}

type StoredConnection = z.infer<typeof stored> & { readonly path: string };

function readStored(path: string | null): StoredConnection | undefined {
  if (path === null || !existsSync(path)) return undefined;
  try {
    return { ...stored.parse(JSON.parse(readFileSync(path, 'utf8'))), path };
  } catch {
    throw new CliError(
      exitCodes.usage,
      `${path} cannot be read; must be JSON with "url" and "token"; start the playground or log in again`,
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
