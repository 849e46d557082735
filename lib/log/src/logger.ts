import { chmodSync } from 'node:fs';
import {
  pino,
  stdTimeFunctions,
  type DestinationStream,
  type Level,
  type Logger as PinoLogger,
  type LoggerOptions as PinoOptions,
} from 'pino';
import { currentContext } from './context.js';
import { scrub, scrubRecord, scrubText } from './scrub.js';

/** Levels from most to least severe; `silent` writes nothing. */
export type LogLevel = Level | 'silent';

/** Writes one line: fields and a text, a text alone, or an error with an optional text. */
export interface LogMethod {
  (fields: object, message?: string): void;
  (message: string): void;
}

/** Logger that code receives. */
export interface Logger {
  readonly error: LogMethod;
  readonly warn: LogMethod;
  readonly info: LogMethod;
  readonly debug: LogMethod;
  readonly trace: LogMethod;
  /** A logger that writes these fields in each of its lines as well. */
  child(fields: Record<string, unknown>): Logger;
  /** True when lines of this level are written: spares the making of costly fields. */
  isLevelEnabled(level: string): boolean;
}

/** Options of a logger. */
export interface LoggerOptions {
  /** The service or part; stands in each line. */
  readonly name: string;
  /** Quietest level that is written; `info` unless given. */
  readonly level?: LogLevel;
  /** Where lines go; standard output unless given. Anything with `write(text)`, or `logFile(path)`. */
  readonly destination?: DestinationStream;
}

/**
 * A logger that writes JSON, one line an event: level, time (ISO), name, the ids of `withContext`, fields,
 * msg. Secrets are masked by name and by form in fields, texts and errors.
 */
export function createLogger({ name, level = 'info', destination }: LoggerOptions): Logger {
  const options: PinoOptions = {
    name,
    level,
    base: { pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    mixin: () => ({ ...currentContext() }),
    // What a line says itself wins over the context.
    mixinMergeStrategy: (fields, context) => ({ ...context, ...fields }),
    serializers: { err: (error: unknown) => error },
    formatters: {
      level: (label) => ({ level: label }),
      log: (fields) => scrubRecord(fields),
    },
    hooks: {
      logMethod(args, method) {
        method.apply(this, args.map((arg) => clean(arg)) as Parameters<typeof method>);
      },
    },
  };
  const logger = destination ? pino(options, destination) : pino(options);
  // pino applies no formatter to the fields of a child; children inherit this method.
  const child = logger.child as unknown as (this: PinoLogger, fields: object) => PinoLogger;
  return Object.assign(logger, {
    child(this: PinoLogger, fields: Record<string, unknown>): Logger {
      return child.call(this, scrubRecord(fields)) as unknown as Logger;
    },
  }) as Logger;
}

/** pino takes the text of a line from the error itself where none is given, past the formatters. */
function clean(argument: unknown): unknown {
  if (typeof argument === 'string') return scrubText(argument);
  if (argument instanceof Error) return { err: scrub(argument), msg: scrubText(argument.message) };
  return argument;
}

/**
 * A destination that appends to a file that its owner alone may read, and whose folder is made; lines are
 * written at once.
 */
export function logFile(path: string): DestinationStream {
  const destination = pino.destination({ dest: path, mkdir: true, sync: true, mode: 0o600 });
  // One that is there already keeps its mode otherwise.
  chmodSync(path, 0o600);
  return destination;
}

/** A logger that writes nothing. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
