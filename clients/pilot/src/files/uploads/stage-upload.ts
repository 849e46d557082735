/** Fetches the upload of a job into its working folder. */
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ManifestPart, parseManifest, type UploadManifest } from '@rhizome/storage';
import { AttemptError } from '../../payload/attempt-error.js';
import type { AttemptFolders } from '../scratch.js';
import type { SignedFiles } from '../signed-files.js';
import { UploadWriter, WrongContent } from './upload-writer.js';

/** Upload of a job. */
export interface UploadPlan {
  readonly uploadId: string;
  /** Names of the inputs, which come to the same folder. */
  readonly inputNames: readonly string[];
  /** Disk space of the job. */
  readonly diskMiB: number;
}

/** Name of the manifest in calls for addresses. */
const manifestName = 'manifest';
/** Parts that are fetched at the same time; each has at most 1 GiB, and is removed when it is unpacked. */
const partsAhead = 4;
const piece = 256 * 1024;
/** Errors of file systems for names that are too long, equal to others, or in no valid encoding. */
const wrongNames: ReadonlySet<string> = new Set(['ENAMETOOLONG', 'EEXIST', 'EILSEQ']);

/**
 * Fetches an upload, and moves its files into the working folder when all are there. May be repeated.
 * @throws AttemptError DATA; the signal's reason
 */
export async function stageUpload(
  plan: UploadPlan,
  folders: Pick<AttemptFolders, 'root' | 'work'>,
  signed: Pick<SignedFiles, 'reader'>,
  signal: AbortSignal,
): Promise<void> {
  const { uploadId } = plan;
  const place = join(folders.root, 'upload');
  const files = join(place, 'files');
  await rm(place, { recursive: true, force: true });
  try {
    await mkdir(files, { recursive: true });
    const manifestFile = join(place, manifestName);
    const read = { name: manifestName, jobId: null, uploadId };
    await signed.reader([read]).fetch(read, manifestFile, signal, undefined);
    const manifest = parsed(await readFile(manifestFile, 'utf8'), plan);
    const writer = new UploadWriter(manifest, files);
    try {
      await unpack(manifest.parts, writer, { uploadId, place, signed, signal });
    } finally {
      await writer.close();
    }
    for (const name of await readdir(files)) {
      // From an earlier try.
      await rm(join(folders.work, name), { recursive: true, force: true });
      await rename(join(files, name), join(folders.work, name));
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof AttemptError ? error : notUnpacked(uploadId, error);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

function parsed(text: string, { uploadId, inputNames, diskMiB }: UploadPlan): UploadManifest {
  let manifest: UploadManifest;
  try {
    manifest = parseManifest(text);
  } catch (error) {
    throw invalid(uploadId, (error as Error).message);
  }
  const sizeBytes = manifest.parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (sizeBytes > diskMiB * 1024 ** 2)
    throw invalid(uploadId, `its files have ${sizeBytes} bytes, but the job asks for ${diskMiB} MiB of disk`);
  const { files, links, folders } = manifest;
  const names = [...files, ...links].map(({ path }) => path).concat(folders);
  const top = new Set(names.map((path) => path.split('/')[0] ?? ''));
  const both = inputNames.find((name) => top.has(name));
  if (both !== undefined) throw invalid(uploadId, `it has ${JSON.stringify(both)}, which is an input, too`);
  return manifest;
}

/** Fetches some parts ahead, and writes them in order. */
async function unpack(
  parts: readonly ManifestPart[],
  writer: UploadWriter,
  {
    uploadId,
    place,
    signed,
    signal,
  }: {
    readonly uploadId: string;
    readonly place: string;
    readonly signed: Pick<SignedFiles, 'reader'>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const reads = [...new Set(parts.map(({ sha256 }) => sha256))];
  const reader = signed.reader(reads.map((name) => ({ name, jobId: null, uploadId })));
  const fetching: Promise<string>[] = [];
  const fetchPart = async (part: ManifestPart, at: number): Promise<string> => {
    const path = join(place, `part-${at}`);
    const { sizeBytes, sha256 } = part;
    const expected = { sizeBytes, checksums: [{ kind: 'SHA256', value: sha256 } as const] };
    await reader.fetch({ name: part.sha256, jobId: null, uploadId }, path, until, { expected });
    return path;
  };
  try {
    for (const [at] of parts.entries()) {
      for (let next = fetching.length; next < Math.min(parts.length, at + partsAhead); next += 1) {
        const started = fetchPart(parts[next] as ManifestPart, next);
        // A failure counts when its turn comes.
        started.catch(() => undefined);
        fetching.push(started);
      }
      const path = (await fetching[at]) as string;
      for await (const bytes of createReadStream(path, { highWaterMark: piece, signal }))
        await writer.write(bytes as Buffer);
      await rm(path);
    }
    await writer.end();
  } finally {
    stop.abort(new Error('the upload was given up'));
    await Promise.allSettled(fetching);
  }
}

function invalid(uploadId: string, reason: string): AttemptError {
  return new AttemptError('DATA', 'INPUT_INVALID', `Upload ${uploadId} cannot be unpacked: ${reason}`, false);
}

function notUnpacked(uploadId: string, error: unknown): AttemptError {
  const reason = error instanceof Error ? error.message : String(error);
  const { code } = error as NodeJS.ErrnoException;
  // No worker can have these names.
  if (error instanceof WrongContent || (code !== undefined && wrongNames.has(code)))
    return invalid(uploadId, reason);
  const text = `Upload ${uploadId} could not be unpacked: ${reason}`;
  return new AttemptError('DATA', 'INPUT_UNAVAILABLE', text, true, { cause: error });
}
