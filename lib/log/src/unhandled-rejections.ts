import type { Logger } from './logger.js';

/**
 * Keeps the process alive after an unhandled rejection, and logs it as an error. graphql-js leaves such
 * promises behind when one item fails a list while another is still pending: the caller already has a
 * response, and other callers of the process are not affected. For entry points of servers; call it once, at
 * the start.
 */
export function logUnhandledRejections(log: Logger): void {
  process.on('unhandledRejection', (reason) => {
    log.error({ err: reason }, 'a promise was rejected that nobody waits for');
  });
}
