import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ManifestFile, UploadManifest } from '@rhizome/storage';

/** Never follows a link, and replaces nothing. */
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** The content of a file differs from the manifest. */
export class WrongContent extends Error {}

/**
 * Writes the files of an upload from the bytes of its parts into a new folder. The manifest was checked: its
 * paths stay in the folder, and its links are made last, so that nothing is written through one.
 */
export class UploadWriter {
  readonly #manifest: UploadManifest;
  readonly #folder: string;
  readonly #folders = new Set<string>();
  /** Position of the next file that is not open yet. */
  #next = 0;
  #current: { readonly file: ManifestFile; readonly handle: FileHandle; readonly hash: Hash } | undefined;
  /** Bytes that the current file still needs. */
  #left = 0;

  constructor(manifest: UploadManifest, folder: string) {
    this.#manifest = manifest;
    this.#folder = folder;
  }

  /** Writes the next bytes. @throws WrongContent; an error of the disk */
  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      while (this.#left === 0) await this.#open();
      const piece = bytes.subarray(at, at + this.#left);
      const current = this.#current;
      if (!current) throw new WrongContent('The parts have more bytes than the files');
      for (let done = 0; done < piece.length;)
        done += (await current.handle.write(piece, done, piece.length - done)).bytesWritten;
      current.hash.update(piece);
      at += piece.length;
      this.#left -= piece.length;
      if (this.#left === 0) await this.#finish();
    }
  }

  /** Makes what has no bytes: empty files, folders and links. @throws WrongContent; an error of the disk */
  async end(): Promise<void> {
    while (this.#left === 0 && this.#next < this.#manifest.files.length) await this.#open();
    if (this.#left > 0) throw new WrongContent('The parts have fewer bytes than the files');
    const { folders, links } = this.#manifest;
    for (const path of folders) await this.#makeFolder(join(this.#folder, path));
    for (const { path, target } of links) {
      const place = join(this.#folder, path);
      await this.#makeFolder(dirname(place));
      await symlink(target, place);
    }
  }

  /** Frees the file that is open after an error. */
  async close(): Promise<void> {
    await this.#current?.handle.close().catch(() => undefined);
    this.#current = undefined;
  }

  async #open(): Promise<void> {
    const file = this.#manifest.files[this.#next];
    if (!file) throw new WrongContent('The parts have more bytes than the files');
    this.#next += 1;
    const place = join(this.#folder, file.path);
    await this.#makeFolder(dirname(place));
    const handle = await open(place, newFile, file.isExecutable ? 0o755 : 0o644);
    this.#current = { file, handle, hash: createHash('sha256') };
    this.#left = file.sizeBytes;
    if (file.sizeBytes === 0) await this.#finish();
  }

  async #finish(): Promise<void> {
    const current = this.#current;
    if (!current) return;
    const { file, handle, hash } = current;
    this.#current = undefined;
    await handle.close();
    const sha256 = hash.digest('hex');
    if (sha256 !== file.sha256)
      throw new WrongContent(
        `${JSON.stringify(file.path)} has the SHA-256 ${sha256} instead of ${file.sha256}`,
      );
  }

  async #makeFolder(path: string): Promise<void> {
    if (this.#folders.has(path)) return;
    await mkdir(path, { recursive: true });
    this.#folders.add(path);
  }
}
