import type { Logger } from './logger.js';

/**
 * Keeps the process alive when a promise is rejected that nobody waits for, and tells it as an error. graphql-js leaves such promises
 * behind where a list is given up for one item while another is still to fail: the caller has had his answer, and the other callers of the
 * process are none of its business. For the entries of servers; call it once, at the start.
 */
export function surviveStrayRejections(log: Logger): void {
  process.on('unhandledRejection', (reason) => {
    log.error({ err: reason }, 'a promise was rejected that nobody waits for');
  });
}
