import type { Clock } from '@rhizome/clock';

/** How {@link TransitionPace} is made. */
export interface TransitionPaceOptions {
  readonly clock: Clock;
  /** Between the beginnings of two small groups of one kind at least, in milliseconds; 20 unless given. */
  readonly gatherMs?: number | undefined;
  /** A group of so many goes at once; 64 unless given. */
  readonly worthwhile?: number | undefined;
  /** Called when groups that waited may go. */
  readonly onFree: () => void;
}

/** How long a group waits for another of its kind at most, in milliseconds. */
const longestWaitMs = 50;

/**
 * When small groups of transitions are written. A write costs as much as a dozen of its documents, so a small group grows while another of its
 * kind is being written, and for a moment after that one has begun. Alone, it goes at once; a write that hangs is not waited for.
 */
export class TransitionPace {
  readonly #clock: Clock;
  readonly #gatherMs: number;
  readonly #worthwhile: number;
  readonly #onFree: () => void;
  /** Groups under way by kind. */
  readonly #underWay = new Map<string, number>();
  /** Kinds of groups that wait; true when they have waited long enough. */
  readonly #waiting = new Map<string, { isOver: boolean; readonly timer: NodeJS.Timeout }>();

  constructor({ clock, gatherMs = 20, worthwhile = 64, onFree }: TransitionPaceOptions) {
    this.#clock = clock;
    this.#gatherMs = gatherMs;
    this.#worthwhile = worthwhile;
    this.#onFree = onFree;
  }

  /** Whether a group of this kind and size may be written now. Where not, `onFree` is called when it is time to ask again. */
  mayBegin(kind: string, size: number): boolean {
    if (size >= this.#worthwhile || !this.#underWay.has(kind)) return true;
    const known = this.#waiting.get(kind);
    if (known) return known.isOver;
    const timer = setTimeout(() => {
      waiting.isOver = true;
      this.#onFree();
    }, longestWaitMs);
    const waiting = { isOver: false, timer };
    this.#waiting.set(kind, waiting);
    return false;
  }

  /** A group of this kind is being written from now on. @returns what to call when that has ended */
  begin(kind: string): () => void {
    clearTimeout(this.#waiting.get(kind)?.timer);
    this.#waiting.delete(kind);
    this.#underWay.set(kind, 1 + (this.#underWay.get(kind) ?? 0));
    const until = this.#clock.monotonicMs() + this.#gatherMs;
    return () => {
      const left = Math.ceil(until - this.#clock.monotonicMs());
      if (left <= 0) this.#leave(kind);
      else
        setTimeout(() => {
          this.#leave(kind);
          this.#onFree();
        }, left);
    };
  }

  #leave(kind: string): void {
    const others = (this.#underWay.get(kind) ?? 1) - 1;
    if (others > 0) this.#underWay.set(kind, others);
    else this.#underWay.delete(kind);
  }
}
