/** Notices that a pilot has had no job for a time. */
import { type LongTimer, startLongTimer } from '@rhizome/clock';
import type { Slots } from './slots.js';

/**
 * Calls the listener once no job has held anything for this time.
 * @returns function that ends the watch
 */
export function watchIdleness(
  slots: Pick<Slots, 'isIdle' | 'onFreed'>,
  seconds: number,
  onIdle: () => void,
): () => void {
  let timer: LongTimer | undefined;
  const arm = (): void => {
    timer?.cancel();
    timer = startLongTimer(() => {
      // The end of the job that it has now begins the time again.
      if (slots.isIdle) onIdle();
    }, seconds * 1000);
  };
  const stopListening = slots.onFreed(() => {
    if (slots.isIdle) arm();
  });
  arm();
  return () => {
    timer?.cancel();
    stopListening();
  };
}
