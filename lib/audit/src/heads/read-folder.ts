import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JWK } from 'jose';
import { type Head, readHeads } from './head.js';
import { headFileEnding, publicKeyFile } from './head-writer.js';

/** Heads of a folder. */
export interface FolderReading {
  readonly heads: readonly Head[];
  /** Lines that are not genuine, as `file:line: reason`. */
  readonly faults: readonly string[];
}

/** Reads the public key of a file, by default the one next to the heads. */
export async function readPublicKey(folder: string, file = join(folder, publicKeyFile)): Promise<JWK> {
  return JSON.parse(await readFile(file, 'utf8')) as JWK;
}

/** Reads and verifies the heads of a folder, in the order of their days. */
export async function readHeadFolder(folder: string, publicKey: JWK): Promise<FolderReading> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(headFileEnding)).sort();
  const lines: string[] = [];
  const origins: string[] = [];
  for (const name of names) {
    const found = (await readFile(join(folder, name), 'utf8')).split('\n').filter((line) => line !== '');
    lines.push(...found);
    origins.push(...found.map((_line, index) => `${name}:${index + 1}`));
  }
  const { heads, faults } = await readHeads(lines, publicKey);
  return { heads, faults: faults.map(({ line, reason }) => `${origins[line - 1] ?? ''}: ${reason}`) };
}
