#!/usr/bin/env node
/** The `rhizome` program: connects the command line to the streams and signals of the process. */
import { run } from './program.js';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of the pipe has closed it, as with `| head`.
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  cwd: process.cwd(),
  now: () => Date.now(),
  signal: stop.signal,
});
