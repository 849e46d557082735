/**
 * Packs the files of a folder: computes digests, and cuts the contents into parts. The same files give the
 * same parts, and most parts stay the same when a file is added or changed.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { checkManifest, type ManifestFile, type ManifestPart, type UploadManifest } from '@rhizome/storage';
import { CliError, exitCodes } from '../exit-codes.js';
import type { FoundFile, FoundFolder } from './find-files.js';
import { inspectedBytes, secretByContent } from './secret-files.js';

/** Bytes of a file that belong to a part. */
export interface Slice {
  readonly file: FoundFile;
  readonly start: number;
  readonly length: number;
}

/** A part with the place of its bytes. */
export interface PackedPart extends ManifestPart {
  readonly slices: readonly Slice[];
}

/** A packed folder. */
export interface PackedFolder {
  readonly manifest: UploadManifest;
  readonly parts: readonly PackedPart[];
  readonly sizeBytes: number;
  /** Files that seem to have secrets: their paths, with what they have. */
  readonly secrets: readonly (readonly [path: string, what: string])[];
}

/** Options of {@link packFolder}. */
export interface PackOptions {
  readonly signal: AbortSignal;
  /** Called with the number of bytes that were read. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

const mib = 1024 ** 2;
/** Files from this size on have parts of their own. */
const largeBytes = 8 * mib;
/** Size of the parts of large files. */
const largePartBytes = 32 * mib;
/** A part with small files ends after one whose path says so, from this size on … */
const smallPartBytes = mib / 2;
/** … and at the latest after this one. */
const longestPartBytes = 8 * mib;
/** One of this number of paths ends a part. */
const pathsPerPart = 64;
/** Parts of an upload: the sizes above grow with it, so that there are at most about twice as many. */
const mostParts = 400;
/** Largest part that core accepts. */
const largestPartBytes = 1024 * mib;
/** Largest manifest that core accepts … */
const largestManifestBytes = 32 * mib;
/** … in which a file takes about this many bytes besides its path. */
const entryBytes = 130;
const readBytes = mib;

/** @throws CliError if a file changes meanwhile, or the paths of all files are too long together */
export async function packFolder(
  { files, folders, links }: FoundFolder,
  { signal, onRead }: PackOptions,
): Promise<PackedFolder> {
  checkManifestSize(files);
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const unit = Math.ceil(sizeBytes / mostParts);
  const isLarge = (file: FoundFile): boolean => file.sizeBytes >= Math.max(largeBytes, unit);
  const ordered = [...files].sort(
    (a, b) => Number(isLarge(a)) - Number(isLarge(b)) || compare(a.path, b.path),
  );
  const packer = new Packer({ unit, signal, onRead });
  for (const file of ordered) await packer.add(file, isLarge(file));
  packer.endPart();
  const parts = packer.parts.map((part) => ({ sizeBytes: part.sizeBytes, sha256: part.sha256 }));
  const byPath = <T extends { readonly path: string }>(list: readonly T[]): readonly T[] =>
    [...list].sort((a, b) => compare(a.path, b.path));
  const manifest: UploadManifest = {
    ...{ version: 1, files: packer.files, folders: [...folders].sort(compare) },
    ...{ links: byPath(links), parts },
  };
  checkManifest(manifest);
  return { manifest, parts: packer.parts, sizeBytes, secrets: packer.secrets };
}

class Packer {
  readonly files: ManifestFile[] = [];
  readonly parts: PackedPart[] = [];
  readonly secrets: (readonly [string, string])[] = [];
  readonly #unit: number;
  readonly #options: PackOptions;
  readonly #buffer = Buffer.allocUnsafe(readBytes);
  #hash: Hash = createHash('sha256');
  #slices: Slice[] = [];
  #sizeBytes = 0;

  constructor({ unit, ...options }: PackOptions & { readonly unit: number }) {
    this.#unit = unit;
    this.#options = options;
  }

  async add(file: FoundFile, isLarge: boolean): Promise<void> {
    if (isLarge) this.endPart();
    else if (this.#sizeBytes + file.sizeBytes > largestPartBytes) this.endPart();
    const longest = isLarge ? Math.min(largestPartBytes, Math.max(largePartBytes, this.#unit)) : Infinity;
    const hash = createHash('sha256');
    await withFile(file, async (handle) => {
      for (let at = 0; at < file.sizeBytes;) {
        const length = Math.min(readBytes, file.sizeBytes - at, longest - this.#sizeBytes);
        const { bytesRead } = await handle.read(this.#buffer, 0, length, at);
        this.#options.signal.throwIfAborted();
        if (bytesRead === 0) throw changed(file);
        const piece = this.#buffer.subarray(0, bytesRead);
        if (at === 0) this.#inspect(file, piece);
        hash.update(piece);
        this.#take(file, at, piece);
        at += bytesRead;
        this.#options.onRead?.(bytesRead);
        if (this.#sizeBytes >= longest) this.endPart();
      }
    });
    const { path, sizeBytes, isExecutable } = file;
    this.files.push({ path, sizeBytes, sha256: hash.digest('hex'), isExecutable });
    if (isLarge || this.#isEnd(path)) this.endPart();
  }

  /** Ends the current part, unless it is empty. */
  endPart(): void {
    if (this.#sizeBytes === 0) return;
    const [slices, sizeBytes, hash] = [this.#slices, this.#sizeBytes, this.#hash];
    [this.#slices, this.#sizeBytes, this.#hash] = [[], 0, createHash('sha256')];
    this.parts.push({ sizeBytes, sha256: hash.digest('hex'), slices });
  }

  #take(file: FoundFile, start: number, piece: Buffer): void {
    this.#hash.update(piece);
    this.#sizeBytes += piece.length;
    const last = this.#slices.at(-1);
    if (last?.file === file) this.#slices.splice(-1, 1, { ...last, length: last.length + piece.length });
    else this.#slices.push({ file, start, length: piece.length });
  }

  #isEnd(path: string): boolean {
    if (this.#sizeBytes >= Math.max(longestPartBytes, this.#unit)) return true;
    if (this.#sizeBytes < Math.max(smallPartBytes, this.#unit)) return false;
    return createHash('sha256').update(path).digest().readUInt32BE() % pathsPerPart === 0;
  }

  #inspect({ path }: FoundFile, beginning: Buffer): void {
    const what = secretByContent(beginning.subarray(0, inspectedBytes));
    if (what !== undefined) this.secrets.push([path, what]);
  }
}

/** Checked before anything is read. @throws CliError */
function checkManifestSize(files: readonly FoundFile[]): void {
  const bytes = files.reduce(
    (sum, { path }) => sum + Buffer.byteLength(JSON.stringify(path)) + entryBytes,
    0,
  );
  if (bytes <= largestManifestBytes) return;
  throw new CliError(
    exitCodes.usage,
    `The list of the ${files.length} files has about ${Math.ceil(bytes / mib)} MiB with their paths; must be at most ${largestManifestBytes / mib} MiB: leave files out in .rhizomeignore, or pack them into an archive`,
  );
}

/** The bytes of a part, read again. @throws CliError if a file has changed */
export async function* bytesOf({ slices }: PackedPart): AsyncGenerator<Buffer> {
  for (const { file, start, length } of slices) {
    const handle = await openFound(file);
    try {
      for (let at = 0; at < length;) {
        const piece = Buffer.allocUnsafe(Math.min(readBytes / 4, length - at));
        const { bytesRead } = await handle.read(piece, 0, piece.length, start + at);
        if (bytesRead === 0) throw changed(file);
        at += bytesRead;
        yield piece.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }
}

/** @throws CliError that names the files that have changed since they were found */
export async function assertUnchanged(files: readonly FoundFile[]): Promise<void> {
  const different: FoundFile[] = [];
  for (const file of files)
    if (!isSame(file, await lstat(file.place).catch(() => undefined))) different.push(file);
  if (different.length > 0) throw changed(...different);
}

async function withFile(file: FoundFile, use: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await openFound(file);
  try {
    await use(handle);
    if (!isSame(file, await handle.stat())) throw changed(file);
  } finally {
    await handle.close();
  }
}

/** Opens a file, and no link that has taken its place. */
async function openFound(file: FoundFile): Promise<FileHandle> {
  const handle = await open(file.place, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw changed(file);
    throw error;
  });
  if (isSame(file, await handle.stat())) return handle;
  await handle.close();
  throw changed(file);
}

function isSame(
  { sizeBytes, modifiedMs, inode }: FoundFile,
  found: { readonly size: number; readonly mtimeMs: number; readonly ino: number } | undefined,
): boolean {
  return found?.size === sizeBytes && found.mtimeMs === modifiedMs && found.ino === inode;
}

/** The error for files that changed while they were packed or uploaded. */
export function changed(...files: readonly FoundFile[]): CliError {
  const shown = files.slice(0, 5).map(({ path }) => JSON.stringify(path));
  const rest = files.length > 5 ? ` and ${files.length - 5} more` : '';
  return new CliError(
    exitCodes.failed,
    `${shown.join(', ')}${rest} changed meanwhile; run the command again when the files are at rest`,
  );
}

const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
