import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError } from '@rhizome/errors';

/** A file with a key, which only its owner may read. */
export interface PrivateFile {
  readonly path: string;
  /** Setting that names the file. */
  readonly field: string;
  /** Content that is right, for the message of an error. */
  readonly expected: string;
  /** Content of a new file. */
  readonly create: () => string | Promise<string>;
}

/**
 * Reads the file, which is created with mode 0600 if there is none.
 *
 * @throws DomainError CONFIG_INVALID if others may read it
 */
export async function readPrivateFile(file: PrivateFile): Promise<string> {
  const { path } = file;
  const found = await stat(path).catch(() => undefined);
  if (!found) await writeNew(path, await file.create());
  else if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
    throw unusableFile(file, `its mode is ${mode}; others must not read it, so make it 0600`);
  }
  return readFile(path, 'utf8');
}

/** Written aside and linked into place, so that two processes that start at once end up with one key. */
async function writeNew(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${randomUUID()}.new`;
  const handle = await open(aside, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(aside, 0o600);
  await link(aside, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(aside);
}

/** The error for a file that cannot be used. */
export function unusableFile({ path, field, expected }: PrivateFile, why: string): DomainError {
  return new DomainError('CONFIG_INVALID', `Key file ${path} cannot be used: ${why}`, {
    field,
    value: path,
    expected: `${expected}, with mode 0600`,
  });
}
