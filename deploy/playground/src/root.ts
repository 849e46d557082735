/** The repository in which the playground finds its services. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Path of the repository. */
export const root = resolve(fileURLToPath(new URL('.', import.meta.url)), '..', '..', '..');
