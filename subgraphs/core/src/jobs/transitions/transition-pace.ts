import type { Clock } from '@rhizome/clock';

/** Options of {@link TransitionPace}. */
export interface TransitionPaceOptions {
  readonly clock: Clock;
  /** Minimum interval between the starts of two small groups of one kind, in milliseconds; defaults to 20. */
  readonly gatherMs?: number | undefined;
  /** Size from which a group is written at once; defaults to 64. */
  readonly worthwhile?: number | undefined;
  /** Called when delayed groups may be written. */
  readonly onFree: () => void;
}

/** Maximum delay of a group because of another of its kind, in milliseconds. */
const longestWaitMs = 50;

/**
 * Decides when small groups of transitions are written. A write costs as much as a dozen of its documents, so
 * a small group collects requests while another of its kind is being written, and briefly after that write
 * has started. A group on its own is written at once, and no group waits for a write that hangs.
 */
export class TransitionPace {
  readonly #clock: Clock;
  readonly #gatherMs: number;
  readonly #worthwhile: number;
  readonly #onFree: () => void;
  /** Groups in progress by kind. */
  readonly #underWay = new Map<string, number>();
  /** Kinds of delayed groups; true if the maximum delay has passed. */
  readonly #waiting = new Map<string, { isOver: boolean; readonly timer: NodeJS.Timeout }>();

  constructor({ clock, gatherMs = 20, worthwhile = 64, onFree }: TransitionPaceOptions) {
    this.#clock = clock;
    this.#gatherMs = gatherMs;
    this.#worthwhile = worthwhile;
    this.#onFree = onFree;
  }

  /**
   * Returns true if a group of this kind and size may be written now. Otherwise `onFree` is called when the
   * caller should check again.
   */
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

  /** Registers the write of a group of this kind. @returns function to call when the write has ended */
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
