/** File service: reads its configuration, listens, and drains on SIGTERM and SIGINT. */
import { systemClock } from '@rhizome/clock';
import { isDomainError } from '@rhizome/errors';
import { createLogger, type Logger, logUnhandledRejections } from '@rhizome/log';
import { isStorageError } from '@rhizome/storage';
import { collectDefaultMetrics } from 'prom-client';
import { FileService } from './app.js';
import { readConfig } from './config.js';
import { serveFiles, type ServedFiles } from './serve.js';
import { SigningKeyFile } from './signing-keys.js';

async function main(): Promise<void> {
  const { host, port, tls, idleSeconds, drainSeconds, keyFile, logLevel, ...options } = readConfig();
  const log = createLogger({ name: 'storage', level: logLevel });
  logUnhandledRejections(log);
  const signing = await SigningKeyFile.open(keyFile, log);
  const service = await FileService.open({ ...options, keys: () => signing.keys, clock: systemClock, log });
  collectDefaultMetrics({ register: service.metrics.registry });
  const idleMs = idleSeconds * 1000;
  const served = await serveFiles(service, { log, host, port, tls, idleMs, drainMs: drainSeconds * 1000 });
  log.info({ url: served.url, folder: options.folder }, 'service started');
  process.stdout.write(`rhizome-storage: ${served.url}\n`);
  stopOnSignal(served, signing, log);
}

/** A second signal ends the process at once. */
function stopOnSignal(served: ServedFiles, signing: SigningKeyFile, log: Logger): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    log.info({ signal }, 'draining');
    signing.close();
    served.close().then(
      () => {
        log.info('stopped');
        process.exit(0);
      },
      (error: unknown) => {
        log.error({ err: error }, 'shutdown failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error: unknown) => {
  const isExpected = isDomainError(error) || isStorageError(error);
  const text = isExpected ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`rhizome-storage: ${text}\n`);
  process.exit(1);
});
