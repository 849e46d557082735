export { createLogger, logFile, silentLogger } from './logger.js';
export type { DestinationStream } from 'pino';
export type { LogLevel, LogMethod, Logger, LoggerOptions } from './logger.js';
export { currentContext, withContext, type LogContext } from './context.js';
export { scrub, scrubText } from './scrub.js';
export { logUnhandledRejections } from './unhandled-rejections.js';
