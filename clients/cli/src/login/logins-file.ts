/** The file with the logins of this user: one for each gateway, the last one first. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.js';
import { workloadKinds } from './workload-token.js';

const loginSchema = z.object({
  url: z.url(),
  wsUrl: z.url().optional(),
  token: z.string().min(1),
  /** Null for a token that cannot be renewed by it. */
  refreshToken: z.string().min(1).nullable().default(null),
  /** Milliseconds since 1970; null if unknown. */
  expiresAt: z.number().nullable().default(null),
  renewAt: z.number().nullable().default(null),
  /** Name of the issuer at which the person logged in. */
  issuer: z.string().nullable().default(null),
  /** A CI service whose jobs get their tokens from their environment. */
  workload: z
    .object({ kind: z.enum(workloadKinds), audience: z.string(), variable: z.string() })
    .nullable()
    .default(null),
  /** A robot that signs a request for each token. */
  robot: z
    .object({ id: z.string().min(1), keyFile: z.string().min(1) })
    .nullable()
    .default(null),
  /** Roles that the person took for a short time; null for none. */
  elevation: z
    .object({ id: z.string().min(1), token: z.string().min(1), expiresAt: z.number() })
    .nullable()
    .default(null),
  /** Scope of a token that is exchanged again. */
  scope: z.string().default(''),
  isPlainTextPermitted: z.boolean().default(false),
});
const fileSchema = z.union([
  z.object({ logins: z.array(loginSchema) }),
  // Written by earlier versions.
  loginSchema.transform((login) => ({ logins: [login] })),
]);

/** A stored login. */
export type StoredLogin = z.output<typeof loginSchema>;
/** A login to store; left-out fields are null. */
export type NewLogin = z.input<typeof loginSchema>;

const lockPollMs = 50;
/** Age of a lock whose process has died: a renewal ends earlier by its own limit. */
const lockStaleMs = 60_000;

/** The stored logins; none without a file. @throws CliError if the file cannot be read */
export function readLogins(path: string): readonly StoredLogin[] {
  if (!statSync(path, { throwIfNoEntry: false })) return [];
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).logins;
  } catch {
    throw new CliError(
      exitCodes.usage,
      `${path} cannot be read; must be JSON with "logins"; remove it and log in again`,
    );
  }
}

/** The login at a gateway. */
export function loginAt(logins: readonly StoredLogin[], url: string): StoredLogin | undefined {
  return logins.find((one) => isSameGateway(one.url, url));
}

/** Returns true if two addresses name the same gateway. */
export function isSameGateway(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin;
}

/** Stores a login, which replaces the one at the same gateway and becomes the first. */
export function storeLogin(path: string, login: NewLogin, signal: AbortSignal): Promise<void> {
  return withLock(path, signal, () => {
    const others = readLogins(path).filter(({ url }) => !isSameGateway(url, login.url));
    writeLogins(path, [loginSchema.parse(login), ...others]);
  });
}

/** Stores the elevation of a login, or removes it. Nothing happens without the login. */
export function storeElevation(
  path: string,
  url: string,
  elevation: StoredLogin['elevation'],
  signal: AbortSignal,
): Promise<void> {
  return withLock(path, signal, () => {
    const login = loginAt(readLogins(path), url);
    if (login) replaceLogin(path, { ...login, elevation });
  });
}

/** Removes the login at a gateway. */
export function removeLogin(path: string, url: string, signal: AbortSignal): Promise<void> {
  return withLock(path, signal, () => {
    const others = readLogins(path).filter((one) => !isSameGateway(one.url, url));
    if (others.length > 0) writeLogins(path, others);
    else rmSync(path, { force: true });
  });
}

/** Changes a login in its position. Call it under {@link withLock}. */
export function replaceLogin(path: string, login: StoredLogin): void {
  writeLogins(
    path,
    readLogins(path).map((one) => (isSameGateway(one.url, login.url) ? login : one)),
  );
}

/** Written aside for its owner alone and renamed: readers see the old file or the new one. */
function writeLogins(path: string, logins: readonly StoredLogin[]): void {
  const aside = `${path}.${process.pid}.new`;
  rmSync(aside, { force: true });
  const file = openSync(aside, 'wx', 0o600);
  try {
    writeSync(file, `${JSON.stringify({ logins }, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(aside, path);
}

/** Runs while no other process of this user changes the file: each refresh token is used once. */
export async function withLock<T>(path: string, signal: AbortSignal, run: () => T | Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  while (!acquire(lock)) await delay(lockPollMs, undefined, { signal });
  try {
    return await run();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function acquire(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
  if (since === undefined || Date.now() - since < lockStaleMs) return false;
  try {
    // Of several processes that find the lock stale, one moves it away.
    renameSync(lock, `${lock}.${process.pid}`);
    rmSync(`${lock}.${process.pid}`, { recursive: true, force: true });
  } catch {
    return false;
  }
  return false;
}
