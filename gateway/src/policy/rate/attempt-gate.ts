import { DomainError } from '@rhizome/errors';

/** Ends an attempt, after it was charged for its failure. May be called twice. */
export type Leave = () => void;

/** Number of attempts that may fail now, at least 1; otherwise the error for an attempt. */
export type AttemptLimit = () => number | DomainError;

interface Entry {
  readonly limit: AttemptLimit;
  admit(leave: Leave): void;
  refuse(error: DomainError): void;
}

interface Line {
  running: number;
  readonly waiting: Entry[];
}

/** Attempts of one key that wait; more are refused. */
const mostWaiting = 2000;

/**
 * Bounds attempts whose caller is unknown before they are verified: at most as many run at once as may fail,
 * so that concurrent ones cannot exceed a limit that only failures use up. Others wait for their turn, and
 * are refused when nothing is left.
 */
export class AttemptGate {
  readonly #lines = new Map<string, Line>();

  /**
   * Starts an attempt, now or in turn.
   * @param key the address, or whatever the failures are counted for
   * @throws DomainError LIMIT_EXCEEDED
   */
  enter(key: string, limit: AttemptLimit): Promise<Leave> {
    const line = this.#lineOf(key);
    return new Promise((admit, refuse) => {
      if (line.waiting.length >= mostWaiting) return refuse(crowded());
      line.waiting.push({ limit, admit, refuse });
      this.#next(key, line);
    });
  }

  #lineOf(key: string): Line {
    let line = this.#lines.get(key);
    if (!line) this.#lines.set(key, (line = { running: 0, waiting: [] }));
    return line;
  }

  #next(key: string, line: Line): void {
    for (let first = line.waiting[0]; first; first = line.waiting[0]) {
      const left = first.limit();
      if (typeof left === 'number' && line.running >= left) break;
      line.waiting.shift();
      if (typeof left === 'number') first.admit(this.#start(key, line));
      else first.refuse(left);
    }
    if (line.running === 0 && line.waiting.length === 0) this.#lines.delete(key);
  }

  #start(key: string, line: Line): Leave {
    line.running++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      line.running--;
      this.#next(key, line);
    };
  }
}

function crowded(): DomainError {
  const text = 'Too many requests of this address wait; retry after 1 s';
  return new DomainError('LIMIT_EXCEEDED', text, {
    field: 'waiting requests',
    expected: `at most ${mostWaiting}`,
    retryAfterSeconds: 1,
  });
}
