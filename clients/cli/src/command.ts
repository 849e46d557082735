/** Connection, output and error handling that all commands share. */
import { type ApiClient, createClient, isRhizomeApiError } from '@rhizome/client';
import type { Command } from 'commander';
import {
  type Connection,
  type ConnectionFlags,
  credentialsFile,
  findConnection,
  storedLogin,
} from './config.js';
import { CliError, type ExitCode, exitCodes } from './exit-codes.js';
import { storeElevation } from './login/logins-file.js';
import { type Output, printable, printJson, printLine } from './output.js';
import { cliName } from './version.js';

/** Connection and output of one command. */
export interface Session {
  readonly client: ApiClient;
  /** The gateway and the token of the client. */
  readonly connection: Connection;
  readonly output: Output;
  readonly cwd: string;
  /** The time now, in milliseconds. */
  readonly now: () => number;
}

/** Streams, folder, clock and signal of the process; `bin.ts` passes the real ones. */
export interface World {
  readonly stdout: Output['stream'];
  readonly stderr: Output['errors'];
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly cwd: string;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** Flags of every command. */
export interface CommonFlags extends ConnectionFlags {
  readonly json?: boolean;
}

/** Runs a command's action with a client, then closes the client. Returns the exit code. */
export async function withSession(
  command: Command,
  world: World,
  action: (session: Session) => Promise<ExitCode>,
): Promise<ExitCode> {
  const flags = command.optsWithGlobals<CommonFlags>();
  const connection = findConnection(flags, world.cwd, world.signal);
  const output: Output = { json: flags.json === true, stream: world.stdout, errors: world.stderr };
  const client = createClient({
    url: connection.url,
    wsUrl: connection.wsUrl,
    token: connection.token,
    client: cliName,
  });
  try {
    return await action({
      client: untilAborted(client, world.signal),
      connection,
      output,
      cwd: world.cwd,
      now: world.now,
    });
  } catch (error) {
    const isRevoked = isRhizomeApiError(error) && error.code === 'TOKEN_REVOKED';
    if (!isRevoked || !(await forgetElevation(connection, world.signal))) throw error;
    throw new CliError(exitCodes.denied, 'Your elevation has ended; the next command uses your login');
  } finally {
    await client.close();
  }
}

/** Removes the elevation of a stored login after its token was refused. Returns false if there is none. */
async function forgetElevation(connection: Connection, signal: AbortSignal): Promise<boolean> {
  const login = storedLogin(connection);
  if (!login?.elevation) return false;
  await storeElevation(credentialsFile(), login.url, null, signal);
  return true;
}

/**
 * The client with requests that end with the signal, so that Ctrl-C does not wait for a gateway that does not
 * answer.
 */
function untilAborted(client: ApiClient, signal: AbortSignal): ApiClient {
  return {
    query: (document, variables, options) => client.query(document, variables, { signal, ...options }),
    mutate: (document, variables, options) => client.mutate(document, variables, { signal, ...options }),
    execute: (document, variables, options) => client.execute(document, variables, { signal, ...options }),
    subscribe: (document, variables, options) =>
      client.subscribe(document, variables, { signal, ...options }),
    subscribeResumable: (document, variables, options) =>
      client.subscribeResumable(document, variables, { signal, ...options }),
    close: () => client.close(),
  };
}

const denied = new Set(['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN']);

/** The exit code and the message of an error. */
export function explain(error: unknown): { readonly exitCode: ExitCode; readonly message: string } {
  if (error instanceof CliError) return { exitCode: error.exitCode, message: error.message };
  if (isRhizomeApiError(error)) {
    const request = error.requestId ? ` (request ${error.requestId})` : '';
    const message = `${error.message}${request}`;
    if (denied.has(error.code)) return { exitCode: exitCodes.denied, message };
    if (/(^|_)NOT_FOUND$/.test(error.code)) return { exitCode: exitCodes.notFound, message };
    if (error.retry !== 'never') return { exitCode: exitCodes.unavailable, message };
    return { exitCode: exitCodes.failed, message };
  }
  return { exitCode: exitCodes.unavailable, message: error instanceof Error ? error.message : String(error) };
}

/** One user error of a mutation. */
export interface MutationError {
  readonly message: string;
  readonly path: readonly string[];
  readonly code: string;
}

/** Prints user errors to the error stream, at most 20 of them. */
export function printErrors(output: Output, refusals: readonly MutationError[]): void {
  for (const { message, code } of refusals.slice(0, 20))
    output.errors.write(`refused: ${printable(message, output.errors)} [${code}]\n`);
  if (refusals.length > 20) output.errors.write(`refused: ${refusals.length - 20} more\n`);
}

/**
 * Prints the errors of a mutation, and what it changed.
 * @param changed null if the mutation was refused
 * @param textOf the line for people
 */
export function printChange<T extends object>(
  output: Output,
  changed: T | null,
  refusals: readonly MutationError[],
  textOf: (changed: T) => string,
): ExitCode {
  printErrors(output, refusals);
  if (!changed) return exitCodes.failed;
  if (output.json) printJson(output, changed);
  else printLine(output, textOf(changed));
  return exitCodes.ok;
}

/** Prints the result of a change that was only checked. */
export function printChecked(output: Output, userErrors: readonly MutationError[], text: string): ExitCode {
  const checked = userErrors.length > 0 ? null : { isDryRun: true };
  return printChange(output, checked, userErrors, () => text);
}
