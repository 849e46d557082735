/**
 * `playground.json` in the data folder: addresses and tokens for clients on this machine, readable only by
 * its owner.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Addresses and tokens. */
export interface PlaygroundFile {
  readonly url: string;
  readonly wsUrl: string;
  readonly graphiql: string;
  /** Address of the dashboard. */
  readonly dashboard: string;
  /** Token with all permissions. */
  readonly token: string;
  /** Token that can read everything. */
  readonly readerToken: string;
  /** Address of the endpoint for assistants. */
  readonly mcp: string;
  /** Process id of the playground. */
  readonly pid: number;
  /** Process ids by name, without those of the store. */
  readonly pids: Readonly<Record<string, number>>;
}

/** Path of the file. */
export const playgroundFilePath = (data: string): string => join(data, 'playground.json');

/** Path of a file that contains only the token, for `--token-file`. */
export const tokenFilePath = (data: string): string => join(data, 'token');

/** Path of a file that contains only the token of an assistant, which its configuration may name. */
export const assistantTokenPath = (data: string): string => join(data, 'assistant-token');

/** Writes the files atomically: a reader never sees a part of one. */
export function writePlaygroundFile(data: string, content: PlaygroundFile, assistantToken: string): void {
  replace(tokenFilePath(data), content.token);
  replace(assistantTokenPath(data), assistantToken);
  replace(playgroundFilePath(data), `${JSON.stringify(content, null, 2)}\n`);
}

/** Removes the files, whose addresses are no longer valid. */
export function removePlaygroundFile(data: string): void {
  rmSync(playgroundFilePath(data), { force: true });
  rmSync(tokenFilePath(data), { force: true });
  rmSync(assistantTokenPath(data), { force: true });
}

function replace(path: string, text: string): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}
