/** `npm run playground`: see `--help`. */
import { parseOptions } from './options.js';
import { runPlayground } from './playground.js';
import { secondsSinceCommand } from './seconds-since-command.js';

/**
 * npm forwards Ctrl-C, so the signal arrives twice. A signal that arrives later than this is a second Ctrl-C.
 */
const sameSignalMs = 1_000;

// Everything that the playground and its services create is private to its user.
process.umask(0o077);
const since = secondsSinceCommand();
const options = parseOptions(process.argv.slice(2), process.cwd());
const stop = new AbortController();
let firstSignalAt: number | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const now = performance.now();
    if (firstSignalAt !== undefined && now - firstSignalAt > sameSignalMs) process.exit(130);
    if (firstSignalAt !== undefined) return;
    firstSignalAt = now;
    stop.abort();
  });
}
// The reader of our output is gone, as with `| head`; nothing needs the playground any more.
process.stdout.on('error', () => stop.abort());

try {
  process.exitCode = await runPlayground({ options, signal: stop.signal, since });
} catch (error) {
  console.error(`playground: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
// Work in progress, and whatever could not be stopped in time, ends with the process.
process.exit();
