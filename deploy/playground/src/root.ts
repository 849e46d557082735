/** The repository: the playground starts what it finds there. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Its folder. */
export const root = resolve(fileURLToPath(new URL('.', import.meta.url)), '..', '..', '..');
