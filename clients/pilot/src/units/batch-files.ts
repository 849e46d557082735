/** Files of the units that `rhizome-job units` works on. */
import { type FileHandle, mkdir } from 'node:fs/promises';
import {
  openFolder,
  openPlainFile,
  pathOf,
  refusalOfFile,
  removeFile,
  writeNewFile,
} from '@rhizome/storage/open-folder';
import type { LeasedWorkUnit } from '../protocol/unit-calls.js';

/** Largest result of a unit in bytes. */
const maxResultBytes = 64 * 1024;
/** Largest file of nodes in bytes: the payloads of a call, and what JSON adds to them. */
const maxNodesBytes = 20 * 1024 * 1024;
const folderName = 'batches';

/** A result that cannot be reported, with the reason. */
export class ResultRefused extends Error {}

/** A folder in the folder for requests; whatever the payload puts at its path, no link is followed. */
export class BatchFiles {
  readonly #folder: FileHandle;

  private constructor(folder: FileHandle) {
    this.#folder = folder;
  }

  /** Opens the folder below another one, and makes it if there is none. */
  static async open(parent: FileHandle): Promise<BatchFiles> {
    const path = `${pathOf(parent)}/${folderName}`;
    await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    return new BatchFiles(await openFolder(path));
  }

  close(): Promise<void> {
    return this.#folder.close();
  }

  /** Writes a file for each unit: its payload, or the location of its data. */
  async write(names: readonly string[], units: readonly LeasedWorkUnit[]): Promise<void> {
    for (const [at, unit] of units.entries())
      await writeNewFile(this.#path(`${names[at]}.unit`), textOf(unit));
  }

  /** Writes the lines of a batch to one file. */
  async writeLines(batch: string, lines: readonly string[]): Promise<void> {
    await writeNewFile(this.#path(`${batch}.lines`), lines.map((line) => `${line}\n`).join(''));
  }

  /** The result of a unit; undefined if the command wrote none. @throws ResultRefused */
  result(name: string): Promise<string | undefined> {
    return this.#text(`${name}.result`, 'result', maxResultBytes);
  }

  /** The nodes of a file, as a list or as `{"nodes": [...]}`. @throws ResultRefused */
  async nodes(name: string): Promise<readonly object[]> {
    const text = await this.#text(`${name}.nodes`, 'nodes', maxNodesBytes);
    if (text === undefined) throw new ResultRefused('the file of the nodes is missing');
    let given: unknown;
    try {
      given = JSON.parse(text);
    } catch (error) {
      throw new ResultRefused(`the file is not JSON: ${error instanceof Error ? error.message : ''}`);
    }
    const nodes = Array.isArray(given) ? given : (given as { readonly nodes?: unknown } | null)?.nodes;
    if (Array.isArray(nodes) && nodes.every((node) => typeof node === 'object' && node !== null))
      return nodes as readonly object[];
    throw new ResultRefused('the file is no list of nodes, and has none under "nodes"');
  }

  /** Removes a file of nodes. */
  async removeNodes(name: string): Promise<void> {
    await removeFile(this.#path(`${name}.nodes`));
  }

  /** The text of a file; undefined if there is none. @throws ResultRefused */
  async #text(name: string, what: 'result' | 'nodes', most: number): Promise<string | undefined> {
    const file = await openPlainFile(this.#path(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new ResultRefused(`the file of the ${what} cannot be opened: ${error.code ?? ''}`);
    });
    if (file === undefined) return undefined;
    try {
      const found = await file.stat({ bigint: true });
      const { dev } = await this.#folder.stat({ bigint: true });
      const reason = refusalOfFile(found, dev);
      if (reason !== undefined) throw new ResultRefused(`the file of the ${what} is refused: ${reason}`);
      if (found.size > most)
        throw new ResultRefused(`the ${what} has ${found.size} bytes; must be at most ${most}`);
      const buffer = Buffer.alloc(Number(found.size));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      return decoded(buffer.subarray(0, bytesRead), what);
    } finally {
      await file.close();
    }
  }

  /** Removes the files of a unit, and those of its batch. */
  async remove(name: string): Promise<void> {
    const batch = name.replace(/-\d+$/, '');
    for (const one of [`${name}.unit`, `${name}.result`, `${batch}.lines`]) await removeFile(this.#path(one));
  }

  #path(name: string): string {
    return `${pathOf(this.#folder)}/${name}`;
  }
}

function decoded(bytes: Buffer, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ResultRefused(`the ${what} is not text in UTF-8; encode it, for example in Base64`);
  }
}

/** Payload of a unit, or the location of its data. */
export function textOf({ payload, reference }: LeasedWorkUnit): string {
  return payload ?? reference ?? '';
}
