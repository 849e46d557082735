/**
 * The playground under `npm run dev`: every service is a process of its own, and the parent process, which
 * watches and builds the sources, sends over the IPC channel which services to restart and which
 * schemas to publish.
 */
import { parseOptions } from '../options.js';
import { runPlayground } from '../playground.js';
import { secondsSinceCommand } from '../seconds-since-command.js';
import { answerUpdates } from './updates.js';

// As in the playground itself: everything it creates is private to its user.
process.umask(0o077);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
// Without its parent nothing would ever update the playground.
process.on('disconnect', () => stop.abort());

const options = parseOptions([...process.argv.slice(2), '--transport', 'http'], process.cwd());
try {
  process.exitCode = await runPlayground({
    options,
    signal: stop.signal,
    since: secondsSinceCommand(),
    onRunning: (running) => answerUpdates(process, running),
    // A service that fails is restarted by the next save.
    onServiceFailure: ({ message }) => console.error(`dev: ${message}`),
  });
} catch (error) {
  console.error(`dev: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
process.exit();
