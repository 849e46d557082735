/** `npm run playground`: see `--help`. */
import { parseOptions } from './options.js';
import { runPlayground } from './playground.js';
import { secondsSinceCommand } from './since.js';

/** npm hands Ctrl-C on, so that it comes twice; only what comes later than this is a second one. */
const sameSignalMs = 1_000;

const since = secondsSinceCommand();
const options = parseOptions(process.argv.slice(2), process.cwd());
const stop = new AbortController();
let toldAt: number | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const now = performance.now();
    if (toldAt !== undefined && now - toldAt > sameSignalMs) process.exit(130);
    if (toldAt !== undefined) return;
    toldAt = now;
    stop.abort();
  });
}
// Who read our output has gone, as with `| head`: then nobody needs the playground.
process.stdout.on('error', () => stop.abort());

try {
  process.exitCode = await runPlayground({ options, signal: stop.signal, since });
} catch (error) {
  console.error(`playground: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
// What was under way when the end came, or could not be ended in time, ends with the process.
process.exit();
