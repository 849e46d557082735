/** The whole of an experiment's `bin.ts`. */
import { isDomainError } from '@rhizome/errors';
import { createLogger, type Logger, logUnhandledRejections } from '@rhizome/log';
import type { ExperimentModule } from '../module.js';
import { type ExperimentConfig, shownConfig } from './config.js';
import { serveExperiment } from './serve-experiment.js';

/**
 * Serves an experiment until SIGTERM or SIGINT, then drains and exits; a second signal exits at once. A
 * failed start is reported on standard error with exit code 1.
 */
export async function runExperiment(
  module: ExperimentModule,
  readConfig: () => ExperimentConfig,
): Promise<void> {
  try {
    const config = readConfig();
    const log = createLogger({ name: module.name, level: config.logLevel });
    logUnhandledRejections(log);
    log.info({ config: shownConfig(config) }, 'configuration');
    const served = await serveExperiment(module, config, log);
    onEnd(() => served.stop(), log);
  } catch (error) {
    const text = isDomainError(error)
      ? error.message
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error);
    process.stderr.write(`${module.name}: ${text}\n`);
    process.exitCode = 1;
  }
}

function onEnd(stop: () => Promise<void>, log: Logger): void {
  let isEnding = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isEnding) process.exit(1);
      isEnding = true;
      log.info({ signal }, 'draining');
      stop().then(
        () => process.exit(0),
        (err: unknown) => {
          log.error({ err }, 'could not end in order');
          process.exit(1);
        },
      );
    });
  }
}
