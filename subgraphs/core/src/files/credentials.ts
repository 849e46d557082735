/**
 * Credentials of storages: one file each, in a folder that the configuration names. The file `NAME.json` has
 * one object, such as `{"kind": "S3", "accessKeyId": "…", "secretAccessKey": "…"}`.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from '@rhizome/config';
import { parseSigningKeys, type StorageCredential, StorageError } from '@rhizome/storage';

const text = z.string().min(1);
const schema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('S3'),
    accessKeyId: text,
    secretAccessKey: text,
    sessionToken: text.optional(),
  }),
  z.strictObject({ kind: z.literal('TOKEN_FILE'), file: text }),
  z.strictObject({
    kind: z.literal('TOKEN_SERVICE'),
    tokenUrl: z.url(),
    clientId: text,
    clientSecret: text,
    audience: text.optional(),
  }),
  /** Keys of the file service: a file with one a line, in base64; the first one signs. */
  z.strictObject({ kind: z.literal('SIGNING_KEYS'), keyFile: text }),
]);

/** A credential, and when its files were written. */
export interface ReadCredential {
  readonly credential: StorageCredential;
  /** Changes when the credential is replaced. */
  readonly version: string;
}

/** Reads a credential. @throws StorageError INVALID with the reason, without any content */
export async function readCredential(folder: string | undefined, name: string): Promise<ReadCredential> {
  const invalid = (reason: string): StorageError =>
    new StorageError('INVALID', `Credential ${JSON.stringify(name)} ${reason}`);
  if (folder === undefined)
    throw invalid('cannot be read: core has no folder of credentials; set files.credentialFolder');
  const file = join(folder, `${name}.json`);
  // First, so that a file that is replaced meanwhile is read again the next time.
  const written = await versionOf(file);
  const content = await readText(file, (code) => invalid(`cannot be read: ${code}`));
  const parsed = schema.safeParse(parseJson(content));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`is not valid at ${issue?.path.join('.') || 'its beginning'}`);
  }
  const { data } = parsed;
  if (data.kind !== 'SIGNING_KEYS') return { credential: data as StorageCredential, version: written };
  const keysWritten = await versionOf(data.keyFile);
  const lines = await readText(data.keyFile, (code) =>
    invalid(`has a key file that cannot be read: ${code}`),
  );
  const keys = parseSigningKeys(lines);
  const version = `${written} ${keysWritten}`;
  return { credential: { kind: 'SIGNING_KEYS', keys }, version };
}

/** Of a missing file, '' : to read it fails with a better error. */
async function versionOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  return found ? `${found.ino}:${found.mtimeMs}` : '';
}

async function readText(file: string, failed: (code: string) => StorageError): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw failed(String((error as NodeJS.ErrnoException).code ?? 'unknown error'));
  }
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}
