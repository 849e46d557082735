/** What the playground tells clients on this machine: `playground.json` in its data folder, readable by its owner alone. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Addresses and tokens. */
export interface PlaygroundFile {
  readonly url: string;
  readonly wsUrl: string;
  readonly graphiql: string;
  /** Bears everything. */
  readonly token: string;
  /** Reads everything. */
  readonly readerToken: string;
  /** The playground's process. */
  readonly pid: number;
}

/** Where the file lies. */
export const playgroundFilePath = (data: string): string => join(data, 'playground.json');

/** Writes the file anew. */
export function writePlaygroundFile(data: string, content: PlaygroundFile): void {
  rmSync(playgroundFilePath(data), { force: true });
  writeFileSync(playgroundFilePath(data), `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
}

/** Takes the file away: its addresses no longer hold. */
export function removePlaygroundFile(data: string): void {
  rmSync(playgroundFilePath(data), { force: true });
}
