/** The version of this command line. */
import { readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Version of its package. */
export const cliVersion = version;

/** The name for the statistics of the gateway, and for its manifest of operations. */
export const cliName = { name: 'rhizome-cli', version };
