/** `npm run playground`: see `--help`. */
import { parseOptions } from './options.js';
import { runPlayground } from './playground.js';
import { secondsSinceCommand } from './since.js';

/** Everything ends within 5 s of Ctrl-C: what has not ended in order by then is killed with this process. */
const endWithinMs = 4_500;
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
    setTimeout(() => process.exit(1), endWithinMs).unref();
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
// What was under way when the end came, as a download, ends with the process.
process.exit();
