/** Key files of robots, and the tokens that a robot gets with its key. */
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createProofKey, openProofKey, type ProofJwk, type ProofKey } from '@rhizome/client';
import { CliError, exitCodes } from '../exit-codes.js';
import { clientCredentials, gatewayMetadata, type GatewayTokens } from './gateway-issuer.js';

/** A robot whose key is in a file on this machine. */
export interface RobotLogin {
  readonly id: string;
  readonly keyFile: string;
}

/** Time for which an assertion is valid, in seconds. */
const assertionSeconds = 60;

/** Makes a key in a new file that only this user may read. Returns the public key. @throws CliError */
export function createKeyFile(path: string): Omit<ProofJwk, 'd'> {
  const { d, ...publicKey } = createProofKey().export();
  try {
    writeFileSync(path, `${JSON.stringify({ ...publicKey, d }, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'it exists; each key has a file of its own' : String(code);
    throw new CliError(exitCodes.usage, `Key file ${path} cannot be made: ${why}`);
  }
  return publicKey;
}

/** The key in a file. @throws CliError for a file that others may read, or with another content */
export function readKeyFile(path: string): ProofKey {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) throw unusable(path, 'it does not exist; make it by "rhizome robot key"');
  if ((mode & 0o077) !== 0) throw unusable(path, 'others may read it; make it 0600');
  try {
    return openProofKey(JSON.parse(readFileSync(path, 'utf8')) as ProofJwk);
  } catch {
    throw unusable(path, 'it has no private P-256 key as JSON Web Key');
  }
}

/** A token of a robot. @throws CliError */
export async function robotToken(
  url: string,
  { id, keyFile }: RobotLogin,
  options: { readonly scope: string; readonly lifetimeSeconds?: number | undefined },
  signal: AbortSignal,
): Promise<GatewayTokens> {
  const key = readKeyFile(keyFile);
  const metadata = await gatewayMetadata(url, signal);
  if (!metadata) throw new CliError(exitCodes.failed, `${url} gives no tokens to robots`);
  const exp = Math.floor(Date.now() / 1000) + assertionSeconds;
  const claims = { iss: id, sub: id, aud: metadata.issuer, jti: randomUUID(), exp };
  return clientCredentials(url, { ...options, assertion: key.statement('JWT', claims) }, signal);
}

function unusable(path: string, why: string): CliError {
  return new CliError(exitCodes.usage, `Key file ${path} cannot be used: ${why}`);
}
