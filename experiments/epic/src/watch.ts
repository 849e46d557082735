#!/usr/bin/env node
/** An agent that watches a folder, and announces the super time frames that are written there. */
import { readFile } from 'node:fs/promises';
import { createClient } from '@rhizome/client';
import { systemClock } from '@rhizome/clock';
import { isDomainError } from '@rhizome/errors';
import { createLogger, logUnhandledRejections } from '@rhizome/log';
import { announceFrames } from './watch/announce-frames.js';
import { readConfig } from './watch/config.js';
import { FolderWatch } from './watch/folder-watch.js';
import { Journal } from './watch/journal.js';

try {
  const config = readConfig();
  const log = createLogger({ name: 'epic-watch', level: config.logLevel });
  logUnhandledRejections(log);
  const client = createClient({
    url: config.gatewayUrl,
    client: { name: 'epic-watch', version: 'unversioned' },
    token: async () => (await readFile(config.tokenFile, 'utf8')).trim(),
  });
  const watch = new FolderWatch({
    folder: config.folder,
    pattern: new RegExp(config.pattern),
    complete: config.complete,
    locationPrefix: config.locationPrefix ?? `${config.folder}/`,
    rescanMs: config.rescanSeconds * 1000,
    journal: await Journal.open(config.journalFile, config),
    clock: systemClock,
    announce: announceFrames(client, config.runNumber),
    log,
  });
  watch.start();
  log.info({ folder: config.folder, runNumber: config.runNumber }, 'folder watched');
  const end = (): void => void watch.stop().then(() => client.close());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
} catch (error) {
  const text = isDomainError(error) || error instanceof Error ? error.message : String(error);
  process.stderr.write(`epic-watch: ${text}\n`);
  process.exitCode = 1;
}
