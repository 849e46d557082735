import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError } from '@rhizome/errors';
import { exportJWK, generateKeyPair, type JWK } from 'jose';

/** The public half of an ES256 key, as it is published. */
export function publicJwk({ kty, crv, x, y }: JWK, kid: string): JWK {
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } as JWK;
}

/**
 * Reads a private ES256 key, which is created with mode 0600 if there is none.
 *
 * @throws DomainError CONFIG_INVALID if the file is no such key, or others may read it
 */
export async function loadKey(file: string): Promise<JWK> {
  const found = await stat(file).catch(() => undefined);
  if (!found) await writeNewKey(file);
  else if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
    throw wrongKey(file, `its mode is ${mode}; others must not read it, so make it 0600`);
  }
  const text = await readFile(file, 'utf8');
  const jwk = parseKey(text);
  if (jwk?.kty !== 'EC' || jwk.crv !== 'P-256' || !jwk.d)
    throw wrongKey(file, 'it holds no private P-256 JWK');
  return jwk;
}

function parseKey(text: string): JWK | undefined {
  try {
    return JSON.parse(text) as JWK;
  } catch {
    return undefined;
  }
}

/** Written aside and linked into place, so that two processes that start at once end up with one key. */
async function writeNewKey(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const aside = `${file}.${randomUUID()}.new`;
  const handle = await open(aside, 'wx', 0o600);
  try {
    await handle.writeFile(JSON.stringify(await exportJWK(privateKey)));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(aside, 0o600);
  await link(aside, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(aside);
}

function wrongKey(file: string, why: string): DomainError {
  return new DomainError('CONFIG_INVALID', `Key file ${file} cannot be used: ${why}`, {
    field: 'keyFile',
    value: file,
    expected: 'a private ES256 JWK with mode 0600',
  });
}
