/** Messages between a measurement and its gateway process. */

/** Request of the parent. */
export type Ask =
  | { readonly serve: string; readonly tickMs: number }
  | { readonly swap: string }
  | { readonly loop: 'begin' | 'end' }
  | { readonly memory: true }
  | { readonly heap: true };

/** Answer of the process. */
export interface Answer {
  readonly url?: string;
  /** Delay of the event loop since `begin`, in milliseconds. */
  readonly loop?: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly memory?: Memory;
  readonly heap?: Heap;
  readonly failure?: string;
}

/** Memory of the process and of the planners' processes below it, in MiB. */
export interface Memory {
  readonly ownMiB: number;
  readonly plannersMiB: number;
  readonly planners: number;
}

/** Memory in use after a garbage collection, in MiB. */
export interface Heap {
  readonly usedMiB: number;
  /** Memory outside of the heap that its objects hold, buffers among it. */
  readonly externalMiB: number;
}
