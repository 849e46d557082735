/** What the playground tells clients on this machine: `playground.json` in its data folder, readable by its owner alone. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Addresses and tokens. */
export interface PlaygroundFile {
  readonly url: string;
  readonly wsUrl: string;
  readonly graphiql: string;
  /** Address of the dashboard. */
  readonly dashboard: string;
  /** Bears everything. */
  readonly token: string;
  /** Reads everything. */
  readonly readerToken: string;
  /** The playground's process. */
  readonly pid: number;
  /** All processes but those of the store, by name. */
  readonly pids: Readonly<Record<string, number>>;
}

/** Where the file lies. */
export const playgroundFilePath = (data: string): string => join(data, 'playground.json');

/** A file with the token alone, for `--token-file`. */
export const tokenFilePath = (data: string): string => join(data, 'token');

/** Writes the files anew; who waits for one sees all of it. */
export function writePlaygroundFile(data: string, content: PlaygroundFile): void {
  replace(tokenFilePath(data), content.token);
  replace(playgroundFilePath(data), `${JSON.stringify(content, null, 2)}\n`);
}

/** Takes the files away: their addresses no longer hold. */
export function removePlaygroundFile(data: string): void {
  rmSync(playgroundFilePath(data), { force: true });
  rmSync(tokenFilePath(data), { force: true });
}

function replace(path: string, text: string): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}
