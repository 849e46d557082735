/** The version of this pilot. */
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');

/** Version of its package. */
export const pilotVersion = (JSON.parse(text) as { readonly version: string }).version;
