/** The programs of XRootD's client, which is a package of the platform. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Readable } from 'node:stream';
import { StorageError, type StorageErrorKind } from '../storage-error.js';

/** Time for a command that transfers no file, in milliseconds. */
const commandMs = 60_000;
/** Largest output of a command, in bytes. */
const longestOutput = 64 * 1024 * 1024;
/** Largest part of an explanation, in characters. */
const longestExplanation = 2000;

export type XRootDProgram = 'xrdfs' | 'xrdcp';

export interface ClientOptions {
  /** File with a bearer token; it is read by the programs, and is in no argument. */
  readonly tokenFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A running program, which ends with its signal. */
export interface RunningClient {
  readonly process: ChildProcessWithoutNullStreams;
  /** Fulfilled when the program has ended without an error. */
  readonly ended: Promise<void>;
}

/** Starts a program. @param what names the action in errors */
export function startClient(
  program: XRootDProgram,
  args: readonly string[],
  { what, tokenFile, signal }: ClientOptions & { readonly what: string },
): RunningClient {
  const child = spawn(program, args, {
    stdio: 'pipe',
    env: environment(tokenFile),
    signal,
    killSignal: 'SIGKILL',
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-longestExplanation);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? missing(program, error) : error);
    });
    child.once('close', (code) => (code === 0 ? resolve() : reject(clientError(what, code, said))));
  });
  return { process: child, ended };
}

/** Output of a command that transfers no file. @throws StorageError */
export async function runClient(
  program: XRootDProgram,
  args: readonly string[],
  options: ClientOptions & { readonly what: string },
): Promise<string> {
  const limit = AbortSignal.timeout(commandMs);
  const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]);
  const { process, ended } = startClient(program, args, { ...options, signal });
  process.stdin.end();
  const output = collect(process.stdout);
  try {
    await ended;
    return await output;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (limit.aborted) throw new StorageError('SLOW', `${options.what} took more than ${commandMs / 1000} s`);
    throw error;
  }
}

async function collect(stream: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream) {
    size += (piece as Buffer).length;
    if (size <= longestOutput) pieces.push(piece as Buffer);
  }
  if (size > longestOutput)
    throw new StorageError('INVALID', `The list has more than ${longestOutput} bytes`);
  return Buffer.concat(pieces).toString('utf8');
}

/** Variables that the programs need; the token is in a file. */
function environment(tokenFile: string | undefined): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'X509_CERT_DIR', 'X509_USER_PROXY', 'LD_LIBRARY_PATH'];
  // eslint-disable-next-line no-restricted-properties -- what the programs of the platform inherit
  const own = process.env;
  return {
    ...Object.fromEntries(names.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]]))),
    LC_ALL: 'C.UTF-8',
    // Failures are reported at once, and not after the half hour that is usual.
    XRD_CONNECTIONWINDOW: '10',
    XRD_CONNECTIONRETRY: '2',
    XRD_REQUESTTIMEOUT: '60',
    XRD_STREAMTIMEOUT: '60',
    XRD_STREAMERRORWINDOW: '0',
    ...(tokenFile !== undefined && { BEARER_TOKEN_FILE: tokenFile }),
  };
}

function missing(program: XRootDProgram, cause: Error): StorageError {
  const text = `${program} was not found; install XRootD's client, on Debian the package xrootd-client`;
  return new StorageError('INVALID', text, { cause, mayHelpElsewhere: true });
}

const explanations: readonly (readonly [RegExp, StorageErrorKind])[] = [
  [/\[3011\]|no such file|not found/i, 'GONE'],
  [/\[3010\]|permission denied|not authorized|auth failed|\[3030\]/i, 'DENIED'],
  [/\[3009\]|no space|\[3021\]|quota/i, 'FULL'],
  [/\[3018\]|file exists/i, 'EXISTS'],
  [/checksum|\[3019\]/i, 'CORRUPT'],
  [/invalid arg|\[3000\]|\[3005\]|invalid address/i, 'INVALID'],
];

function clientError(what: string, code: number | null, said: string): StorageError {
  const text = said.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  const kind = explanations.find(([pattern]) => pattern.test(text))?.[1] ?? 'SLOW';
  return new StorageError(kind, `${what} failed: ${text === '' ? `exit code ${code}` : text.slice(-300)}`);
}
