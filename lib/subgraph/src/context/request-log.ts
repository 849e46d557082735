import type { Logger } from '@rhizome/log';

/**
 * A logger that writes the request id in each of its lines, created from the service's logger on the first
 * line. The id is passed in the context and not by AsyncLocalStorage, which doubles the cost of every
 * operation on Node.js 20: one store in use enables hooks for all promises of the process.
 */
export class RequestLogger implements Logger {
  readonly #parent: Logger;
  readonly #requestId: string;
  #made: Logger | undefined;

  constructor(parent: Logger, requestId: string) {
    this.#parent = parent;
    this.#requestId = requestId;
  }

  get #logger(): Logger {
    return (this.#made ??= this.#parent.child({ requestId: this.#requestId }));
  }

  error(...line: [object, string?] | [string]): void {
    write(this.#logger, 'error', line);
  }

  warn(...line: [object, string?] | [string]): void {
    write(this.#logger, 'warn', line);
  }

  info(...line: [object, string?] | [string]): void {
    write(this.#logger, 'info', line);
  }

  debug(...line: [object, string?] | [string]): void {
    if (this.#parent.isLevelEnabled('debug')) write(this.#logger, 'debug', line);
  }

  trace(...line: [object, string?] | [string]): void {
    if (this.#parent.isLevelEnabled('trace')) write(this.#logger, 'trace', line);
  }

  child(fields: Record<string, unknown>): Logger {
    return this.#logger.child(fields);
  }

  isLevelEnabled(level: string): boolean {
    return this.#parent.isLevelEnabled(level);
  }
}

function write(
  logger: Logger,
  level: 'error' | 'warn' | 'info' | 'debug' | 'trace',
  [first, second]: [object, string?] | [string],
): void {
  if (typeof first === 'string') logger[level](first);
  else logger[level](first, second);
}
