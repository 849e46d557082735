/** The fault by which a supervisor has ended: nobody reads what it prints. */
import { appendFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const name = 'fault';

/** Records the error that ends this process. */
export function recordFault(folder: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  try {
    appendFileSync(join(folder, name), `${text}\n`, { mode: 0o600 });
  } catch {
    // The disk is full, or the folder is gone.
  }
}

/** The fault of the supervisor with this folder; undefined if it recorded none, for example after SIGKILL. */
export async function recordedFault(folder: string): Promise<string | undefined> {
  return readFile(join(folder, name), 'utf8').catch(() => undefined);
}
