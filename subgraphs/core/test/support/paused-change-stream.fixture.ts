/** For tests: a process that the event stream tells nothing for a while. What it answers meanwhile it must have read. */
import type { TestDatabase } from '@rhizome/testkit';

type ChangeStream = ReturnType<TestDatabase['watch']>;

/** A database whose change streams can be made to wait. */
export interface PausableDatabase {
  readonly db: TestDatabase;
  /** From now on no change stream of this database brings anything; until it is ended. */
  pause(): () => void;
}

/** The same database for another process. */
export function pausableDatabase(db: TestDatabase): PausableDatabase {
  let silence: Promise<void> | undefined;
  const waiting = (stream: ChangeStream): ChangeStream =>
    over(stream, {
      tryNext: async () => {
        await silence;
        const change: unknown = await stream.tryNext();
        // It was asked before, and must not be told now.
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

/** An object with other methods in place of some of its own. */
export function over<T extends object>(target: T, methods: object): T {
  return new Proxy(target, {
    get(_target, name) {
      const value: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
