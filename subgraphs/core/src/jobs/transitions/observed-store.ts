import type { Clock } from '@rhizome/clock';
import type { StoreOperation, WorkObserver } from '../../shared/work-observer.js';
import type { TransitionStore } from './transitions.repository.js';

/** A store whose answers are reported to an observer. */
export function observedStore(
  store: TransitionStore,
  observer: Pick<WorkObserver, 'storeAnswered'>,
  clock: Clock,
): TransitionStore {
  const observed = async <T>(operation: StoreOperation, call: () => Promise<T>): Promise<T> => {
    const begun = clock.monotonicMs();
    const secondsSince = (): number => (clock.monotonicMs() - begun) / 1000;
    try {
      const answer = await call();
      // A write whose connection broke has no answer.
      observer.storeAnswered(operation, answer === null ? 'failed' : 'answered', secondsSince());
      return answer;
    } catch (error) {
      observer.storeAnswered(operation, 'failed', secondsSince());
      throw error;
    }
  };
  return {
    write: (group) => observed('write_transitions', () => store.write(group)),
    read: (ids) => observed('read_transitions', () => store.read(ids)),
  };
}
