/** A payload that waits until its story lets it go on: no story waits for a clock. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The gate. */
export interface Gate {
  /** Shell that waits until the gate is open. */
  readonly wait: string;
  open(): void;
}

let count = 0;

/** The folder of the gates, which payloads must be allowed to read. */
export function gatesFolder(data: string): string {
  return join(dirname(data), 'gates');
}

/** Creates a closed gate next to a system's data. */
export function createGate(data: string): Gate {
  const folder = gatesFolder(data);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, String((count += 1)));
  return {
    wait: `until test -e ${path}; do sleep 0.05; done`,
    open: () => writeFileSync(path, ''),
  };
}
