/** The version of this executor. */
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');

/** Version of its package. */
export const executorVersion = (JSON.parse(text) as { readonly version: string }).version;
