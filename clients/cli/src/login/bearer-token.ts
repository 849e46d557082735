/** Tokens that other tools leave for every program of this user (WLCG bearer token discovery). */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { TokenSource } from '@rhizome/client';
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.js';
import { exchange, gatewayMetadata } from './gateway-issuer.js';

/** The token in `BEARER_TOKEN`, or in the file that `BEARER_TOKEN_FILE` names. @throws CliError */
export function bearerInEnvironment(env: NodeJS.ProcessEnv): string | undefined {
  const { BEARER_TOKEN: token = '', BEARER_TOKEN_FILE: file = '' } = env;
  if (token.trim() !== '') return token.trim();
  if (file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch {
    throw new CliError(exitCodes.usage, `BEARER_TOKEN_FILE: ${file} cannot be read`);
  }
}

/**
 * The token in `$XDG_RUNTIME_DIR/bt_u<uid>`, or in `/tmp/bt_u<uid>`.
 * @throws CliError for a file of somebody else, or one that others may read
 */
export function bearerInFiles(env: NodeJS.ProcessEnv): string | undefined {
  const uid = process.getuid?.();
  if (uid === undefined) return undefined;
  const { XDG_RUNTIME_DIR: folder = '' } = env;
  const folders = [...(folder === '' ? [] : [folder]), '/tmp'];
  for (const one of folders) {
    const token = readOwn(join(one, `bt_u${uid}`), uid);
    if (token !== undefined) return token;
  }
  return undefined;
}

/** Everybody can make a file in `/tmp`: its owner and its mode are checked on the open file. */
function readOwn(path: string, uid: number): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CliError(exitCodes.denied, `Token file ${path} is not used: it cannot be opened (${code})`);
  }
  try {
    const why = reasonAgainst(fstatSync(file), uid);
    if (why !== undefined) throw new CliError(exitCodes.denied, `Token file ${path} is not used: ${why}`);
    return readFileSync(file, 'utf8').trim() || undefined;
  } finally {
    closeSync(file);
  }
}

function reasonAgainst(found: Stats, uid: number): string | undefined {
  if (found.uid !== uid) return 'it belongs to another user';
  if (!found.isFile()) return 'it is not a regular file';
  return (found.mode & 0o077) === 0 ? undefined : 'others may read it; make it 0600';
}

/** A token of an outside issuer is exchanged before its first use; one of the gateway is used as it is. */
export function exchangedToken(
  url: string,
  read: () => string | undefined,
  signal: AbortSignal,
): TokenSource {
  let next: Promise<string> | undefined;
  return (expired) => {
    // Tools renew the token in its file.
    if (expired) next = undefined;
    next ??= exchanged(url, read() ?? '', signal);
    return next;
  };
}

async function exchanged(url: string, token: string, signal: AbortSignal): Promise<string> {
  const { iss } = claimsOf(token);
  const metadata = iss === undefined ? undefined : await gatewayMetadata(url, signal);
  if (!metadata || metadata.issuer === iss) return token;
  try {
    return (await exchange(url, { subjectToken: token }, signal)).token;
  } catch (error) {
    // The gateway may accept the token directly.
    if (error instanceof CliError && error.exitCode === exitCodes.denied) return token;
    throw error;
  }
}

const claimsSchema = z.object({
  iss: z.string().optional(),
  jti: z.string().optional(),
  exp: z.number().max(8.64e12).optional(),
});

/** Claims that are shown to the holder of a token. */
export interface ShownClaims {
  readonly iss?: string | undefined;
  readonly jti?: string | undefined;
  /** The time of `exp`. */
  readonly expiresAt?: string | undefined;
}

/** The claims of a token; nothing is verified. Empty for text that is no JSON Web Token. */
export function claimsOf(token: string): ShownClaims {
  try {
    const [, body = ''] = token.split('.');
    const { exp, ...claims } = claimsSchema.parse(
      JSON.parse(Buffer.from(body, 'base64url').toString('utf8')),
    );
    return exp === undefined ? claims : { ...claims, expiresAt: new Date(exp * 1000).toISOString() };
  } catch {
    return {};
  }
}
