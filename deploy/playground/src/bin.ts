/** `npm run playground`: see `--help`. */
import { isDomainError } from '@rhizome/errors';
import { parseOptions } from './options.js';
import { runPlayground } from './playground.js';
import { secondsSinceCommand } from './since.js';

const options = parseOptions(process.argv.slice(2), process.cwd());
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
const since = secondsSinceCommand();
try {
  process.exitCode = await runPlayground({ options, signal: stop.signal, since });
} catch (error) {
  console.error(
    `playground: ${isDomainError(error) || error instanceof Error ? error.message : String(error)}`,
  );
  process.exitCode = 1;
}
