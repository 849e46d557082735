import { DomainError } from '@rhizome/errors';

interface Waiting {
  readonly subject: string;
  admit(): void;
}

/** Large bodies that may wait for their turn, over all subjects. */
const mostWaiting = 64;

/** Admits a bounded number of large bodies at once, and one of each subject. */
export class TurnTaking {
  readonly #atOnce: number;
  readonly #running = new Set<string>();
  readonly #waiting: Waiting[] = [];

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Resolves with a function that ends the turn. @throws DomainError LIMIT_EXCEEDED if too many wait */
  async acquire(subject: string): Promise<() => void> {
    if (!this.#fits(subject)) {
      if (this.#waiting.length >= mostWaiting) throw tooManyWaiting(this.#waiting.length);
      await new Promise<void>((admit) => this.#waiting.push({ subject, admit }));
    } else this.#running.add(subject);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#running.delete(subject);
      this.#startNext();
    };
  }

  #fits(subject: string): boolean {
    return this.#running.size < this.#atOnce && !this.#running.has(subject);
  }

  #startNext(): void {
    const at = this.#waiting.findIndex(({ subject }) => this.#fits(subject));
    const [next] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (!next) return;
    this.#running.add(next.subject);
    next.admit();
  }
}

function tooManyWaiting(value: number): DomainError {
  const text = `${value} large bodies wait to be read; the limit is ${mostWaiting}`;
  return new DomainError('LIMIT_EXCEEDED', text, {
    field: 'large bodies',
    value,
    expected: `at most ${mostWaiting}`,
    retryAfterSeconds: 5,
  });
}
