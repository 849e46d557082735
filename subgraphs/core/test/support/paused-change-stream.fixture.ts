/** For tests: a process whose event stream is paused, so that its answers must come from the store. */
import type { TestDatabase } from '@rhizome/testkit';

type ChangeStream = ReturnType<TestDatabase['watch']>;

/** A database whose change streams can be made to wait. */
export interface PausableDatabase {
  readonly db: TestDatabase;
  /** Pauses all change streams of this database. Returns a function that resumes them. */
  pause(): () => void;
}

/** Wraps the same database for another process. */
export function pausableDatabase(db: TestDatabase): PausableDatabase {
  let silence: Promise<void> | undefined;
  const waiting = (stream: ChangeStream): ChangeStream =>
    over(stream, {
      tryNext: async () => {
        await silence;
        const change: unknown = await stream.tryNext();
        // A request made before the pause must not return events now.
        await silence;
        return change;
      },
    });
  const watch = (...call: Parameters<TestDatabase['watch']>): ChangeStream => waiting(db.watch(...call));
  return {
    db: over(db, { watch }),
    pause() {
      let end: () => void = () => undefined;
      silence = new Promise((resolve) => (end = resolve));
      return () => {
        silence = undefined;
        end();
      };
    },
  };
}

/** Wraps an object and replaces some of its methods. */
export function over<T extends object>(target: T, methods: object): T {
  return new Proxy(target, {
    get(_target, name) {
      const value: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
